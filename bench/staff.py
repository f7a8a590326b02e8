"""How fast is the staff's site? Keys at the review desk, filters and searches of lists.

    python -m bench.staff                       # SQLite: a million drawings
    python -m bench.staff --submissions 100000
    tools/services.sh .venv/bin/python -m bench.staff

At the desk, Chromium types on as soon as the next drawing is shown, with ten thousand
waiting. A time is measured in the page: from the key to the frame that shows the next
drawing. The lists of two sites with synthetic histories (`bench.history`) are called in
turn. Prints the figures; --out saves them. The million takes five minutes to make.
"""

import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bench.growth import ADMIN, SMALL, Site, site
from bench.machine import machine, today
from mlcore import paths
from mlcore.commands import command_parser
from tools.browser import DESK, launch

KEYS = 200
ROUNDS, WARM_UP = 9, 2
WAITING = 10_000

TIMING = """
const desk = document.querySelector("#desk");
window.times = [];
document.addEventListener("keydown", () => {
  const began = performance.now();
  const before = desk.dataset.shown;
  const look = () => desk.dataset.shown && desk.dataset.shown !== before
    ? window.times.push(performance.now() - began)
    : requestAnimationFrame(look);
  requestAnimationFrame(look);
}, { capture: true });
"""

# What the addresses need from a site's history.
NAMES = """
import json
from recognizer.models import ModelVersion, Submission
oldest = Submission.objects.order_by("pk")[0]
# a full page until the day of the one, and since the day of the other
early, late = (Submission.objects.order_by(by)[100] for by in ("pk", "-pk"))
print(json.dumps({
    "id": str(oldest.pk),
    "model": ModelVersion.objects.active().short_digest,
    "day": str(early.created_at.date()),
    "late": str(late.created_at.date()),
}))
"""
LISTS = {
    "all": "",
    "id": "q={id}",
    "user": "q=bench",
    "number": "q=2026",
    "first days": "until={day}",
    "last days": "since={late}",
    "digit": "shown_digit__exact=7",
    "refusal": "refusal__exact=unsure",
    "confidence": "confidence=50",
    "feedback": "verdict__exact=wrong",
    "label": "label_digit__exact=7",
    "rejection": "rejection__exact=ambiguous",
    "model": "model={model}",
    "source": "source__exact=upload",
    "form": "form__exact=picture",
    "pointer": "pointer__exact=pen",
    "consent": "visitor__may_train__exact=1",
    "grid": "layout=grid",
    "several": "since={day}&shown_digit__exact=7&verdict__exact=wrong",
    "sorted": "o=-2",
    "last page": "p=200",
}


def type_on(page: Page, *, keys: int) -> list[float]:
    """Decide drawings as fast as the desk shows them; return each key's ms."""
    page.locator("#desk[data-shown]:not([data-shown=''])").wait_for()
    page.evaluate(TIMING)
    for number in range(keys):
        page.keyboard.press(str(number % 10))
        page.wait_for_function("number => window.times.length > number", arg=number)
    times: list[float] = page.evaluate("window.times")
    return times


def measure_keys(one: Site) -> dict[str, float]:
    """Return the median and the 95th percentile of the keys, in ms."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        context = browser.new_context(**DESK)
        url = one.server.url
        context.add_cookies(
            [
                {"name": name, "value": value, "url": url}
                for name, value in one.server.sign_in("typist").items()
            ]
        )
        page = context.new_page()
        page.goto(f"{url}{ADMIN}review/")
        times = type_on(page, keys=KEYS)
        browser.close()
    return {
        "keys": len(times),
        "median_ms": round(statistics.median(times), 1),
        "p95_ms": round(statistics.quantiles(times, n=20)[-1], 1),
    }


def measure_lists(small: Site, large: Site) -> dict[str, dict[str, float]]:
    """Call each list of both sites in turn; return medians in ms and their ratio."""
    names = [
        json.loads(one.server.manage("shell", "--no-imports", "-c", NAMES))
        for one in (small, large)
    ]
    found = {}
    for name, query in LISTS.items():
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(WARM_UP + ROUNDS):
            for one, known, taken in zip((small, large), names, times, strict=True):
                took = one.get(f"{ADMIN}?{query.format(**known)}") * 1000
                if number >= WARM_UP:
                    taken.append(took)
        few, many = (statistics.median(taken) for taken in times)
        found[name] = {
            "small_ms": round(few, 1),
            "large_ms": round(many, 1),
            "ratio": round(many / few, 2),
        }
    return found


def main() -> None:
    """Make both histories, measure and print."""
    parser = command_parser(__doc__)
    parser.add_argument("--submissions", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    told = parser.parse_args()
    size = {
        "submissions": told.submissions,
        "visitors": max(100, told.submissions // 100),
        "most": told.submissions // 5,
    }
    few = {**SMALL, "submissions": 10_400}  # some are labelled: ten thousand wait
    paths.data_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=paths.data_folder()) as scratch:
        folder = Path(scratch)
        with (
            site(folder / "small", few) as small,
            site(folder / "large", size) as large,
        ):
            figures: dict[str, Any] = {
                "made": today(),
                "machine": machine(),
                "database": os.environ.get("DATABASE_URL", "sqlite").split(":")[0],
                "drawings": [few["submissions"], told.submissions],
                "keys": measure_keys(small),
                "lists": measure_lists(small, large),
            }
    text = json.dumps(figures, indent=2) + "\n"
    print(text)
    if told.out:
        told.out.write_text(text)


if __name__ == "__main__":
    main()
