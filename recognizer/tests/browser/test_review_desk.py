"""The review desk by keyboard, and how long a drawing takes there."""

import json
import time
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from mlcore.reading.specimens import specimens
from recognizer.tests.browser.conftest import Site
from recognizer.tests.conftest import record_figure
from tools.browser import PHONE

DESK = "/admin/recognizer/submission/review/"


def submit(site: Site, strokes: list[Any]) -> str:
    body = {
        "strokes": [stroke.tolist() for stroke in strokes],
        "width": 280,
        "height": 280,
    }
    request = urllib.request.Request(
        f"{site.url}/api/v1/submissions/",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        made: str = json.load(answer)["id"]
    return made


def on_the_desk(page: Page) -> str:
    """Wait for a drawing; return its id."""
    desk = page.locator("#desk[data-shown]:not([data-shown=''])")
    expect(desk).to_be_visible()
    return desk.get_attribute("data-shown") or ""


def labels_of(site: Site) -> dict[str, tuple[int | None, str]]:
    code = (
        "import json; from recognizer.models import Submission;"
        "print(json.dumps({str(s.pk): [s.label_digit, s.rejection]"
        " for s in Submission.objects.all() if s.is_labelled}))"
    )
    found = json.loads(site.server.manage("shell", "--no-imports", "-c", code))
    return {key: (digit, reason) for key, (digit, reason) in found.items()}


class TestDesk:
    @pytest.mark.journey
    def test_is_worked_by_keyboard(self, site: Site, desk: BrowserContext) -> None:
        digit_of = {submit(site, s.strokes): s.digit for s in specimens()}
        site.sign_in(desk, "keyboard", group="Reviewers")
        page = site.open(desk, DESK)

        # x and a reason, s, u: the first three drawings of others' tests or ours
        first = on_the_desk(page)
        page.keyboard.press("x")
        page.keyboard.press("a")
        expect(page.locator("#done")).to_have_text("1")
        page.keyboard.press("u")
        expect(page.locator("#message")).to_contain_text("Undone")
        assert on_the_desk(page) == first
        page.keyboard.press("s")
        expect(page.locator(f"#desk:not([data-shown='{first}'])")).to_be_visible()

        meant: dict[str, int] = {}
        started = time.monotonic()
        while len(meant) < 20:
            shown = on_the_desk(page)
            digit = digit_of.get(shown, 0)
            meant[shown] = digit
            page.keyboard.press(str(digit))
            expect(page.locator(f"#desk:not([data-shown='{shown}'])")).to_be_visible()
        expect(page.locator("#done")).to_have_text(str(len(meant)))
        seconds = (time.monotonic() - started) / len(meant)

        record_figure(
            f"review desk by keyboard: {seconds:.2f} s a drawing, of the page alone"
        )
        labels = labels_of(site)
        assert {key: labels[key] for key in meant} == {
            key: (digit, "") for key, digit in meant.items()
        }
        assert first not in labels
        assert seconds < 3.6  # a thousand in an hour
        assert site.complaints[page] == []

    def test_takes_a_number(self, site: Site, desk: BrowserContext) -> None:
        submit(site, specimens()[0].strokes)
        site.sign_in(desk, "counter", group="Reviewers")
        page = site.open(desk, DESK)
        shown = on_the_desk(page)

        page.keyboard.press("n")
        page.keyboard.type("42")
        page.keyboard.press("Enter")

        tile = page.locator(f"#recent [data-undone='{shown}']")
        expect(tile).to_have_text("42")
        page.reload()
        expect(tile).to_have_text("42")
        assert site.complaints[page] == []

    def test_keeps_the_last_decisions_in_sight(
        self, site: Site, desk: BrowserContext
    ) -> None:
        submit(site, specimens()[0].strokes)
        site.sign_in(desk, "recent", group="Reviewers")
        page = site.open(desk, DESK)
        shown = on_the_desk(page)
        page.keyboard.press("5")
        tile = page.locator(f"#recent [data-undone='{shown}']")
        expect(tile).to_have_text("5")

        page.reload()
        tile.click()

        expect(page.locator("#message")).to_contain_text("Undone")
        assert on_the_desk(page) == shown
        expect(tile).to_have_count(0)
        assert site.complaints[page] == []

    def test_loses_and_doubles_nothing_if_the_network_is_lost(
        self, site: Site, desk: BrowserContext
    ) -> None:
        """Once after the decision was stored, once before."""
        for _ in range(3):
            submit(site, specimens()[0].strokes)
        site.sign_in(desk, "unlucky", group="Reviewers")
        page = site.open(desk, DESK)
        first = on_the_desk(page)
        back = page.locator(f"#desk[data-shown='{first}']")

        def lose_the_answer(route: Route) -> None:
            route.fetch()
            route.abort()

        page.route("**/decide/", lose_the_answer, times=1)
        page.keyboard.press("3")
        expect(page.locator("#message")).not_to_be_empty()
        expect(back).to_be_visible()
        page.keyboard.press("3")
        expect(back).to_have_count(0)

        second = on_the_desk(page)
        back = page.locator(f"#desk[data-shown='{second}']")
        page.route("**/decide/", lambda route: route.abort(), times=1)
        page.keyboard.press("4")
        expect(page.locator("#message")).not_to_be_empty()
        expect(back).to_be_visible()
        page.keyboard.press("4")
        expect(page.locator(f"#recent [data-undone='{second}']")).to_have_text("4")

        code = (
            "import json; from recognizer.models import Label;"
            f"found = Label.objects.filter(submission__in=['{first}', '{second}']);"
            "print(json.dumps(sorted(found.values_list('digit', flat=True))))"
        )
        labels = site.server.manage("shell", "--no-imports", "-c", code)
        assert json.loads(labels) == [3, 4]

    def test_comments_by_keyboard(self, site: Site, desk: BrowserContext) -> None:
        submit(site, specimens()[0].strokes)
        site.sign_in(desk, "noting", group="Reviewers")
        page = site.open(desk, DESK)
        shown = on_the_desk(page)

        page.keyboard.press("c")
        page.keyboard.type("a 2 or a 7?")
        page.get_by_role("button", name="Add the comment").click()

        expect(page.locator("#comments")).to_contain_text("a 2 or a 7?")
        expect(page.locator("#comments")).to_contain_text("noting")
        assert on_the_desk(page) == shown, "digits in a comment decide nothing"
        assert site.complaints[page] == []

    def test_is_swiped_on_a_phone(self, site: Site, browser: Browser) -> None:
        submit(site, next(s.strokes for s in specimens() if s.digit == 3))
        phone = browser.new_context(**PHONE)
        site.sign_in(phone, "swipes", group="Reviewers")
        page = site.open(phone, DESK)
        shown = on_the_desk(page)
        likely = page.locator("button.is-likely").inner_text()
        box = page.locator("#drawing").bounding_box()
        assert box

        fingers = phone.new_cdp_session(page)
        y, x = box["y"] + 100, box["x"] + 80
        for kind, at in (("Start", 0), ("Move", 60), ("Move", 150), ("End", None)):
            points = [] if at is None else [{"x": x + at, "y": y}]
            fingers.send(
                "Input.dispatchTouchEvent",
                {"type": f"touch{kind}", "touchPoints": points},
            )

        tile = page.locator(f"#recent [data-undone='{shown}']")
        expect(tile).to_have_text(likely)
        phone.close()

    def test_draws_again_on_hover(self, site: Site, desk: BrowserContext) -> None:
        submit(site, specimens()[0].strokes)
        site.sign_in(desk, "hover", group="Reviewers")
        page = site.open(desk, DESK)
        shown = on_the_desk(page)
        while page.locator("#drawing svg").count() == 0:  # a picture has no strokes
            page.keyboard.press("s")
            expect(page.locator(f"#desk[data-shown='{shown}']")).to_have_count(0)
            shown = on_the_desk(page)
        drawn = "svg => [...svg.querySelectorAll('path')].map(p => p.getAttribute('d'))"
        whole = page.locator("#drawing svg").evaluate(drawn)

        page.locator("#drawing").hover()
        page.wait_for_function(
            f"whole => ({drawn})(document.querySelector('#drawing svg')).join()"
            ".length < whole.join().length",
            arg=whole,
        )

        page.wait_for_function(
            f"whole => ({drawn})(document.querySelector('#drawing svg')).join()"
            " === whole.join()",
            arg=whole,
        )
        assert site.complaints[page] == []


_DOUBTED = """
from recognizer.models import User
from recognizer.drawings.feedback import give_feedback
from recognizer.learning.labels import label_submission
from recognizer.reader.active import active_model
from recognizer.models import GateReport, Submission
one = Submission.objects.get(pk=%r)
hasty = User.objects.create_user("hasty")
digit = (one.shown_digit + 1) %% 10
label_submission(submission=one, reviewer=hasty, digit=digit)
model = active_model()
print(GateReport.objects.create(candidate=model, incumbent=model, has_passed=False,
    report={"doubted": [{"submission": str(one.pk)}]}).pk)
"""


class TestSecondOpinions:
    def test_take_back_what_somebody_else_sees_otherwise(
        self, site: Site, desk: BrowserContext
    ) -> None:
        made = submit(site, specimens()[0].strokes)
        said = site.server.manage("shell", "--no-imports", "-c", _DOUBTED % made)
        site.sign_in(desk, "second", group="Reviewers")
        page = site.open(desk, f"{DESK}second/{said.splitlines()[-1]}/")

        assert on_the_desk(page) == made
        assert made in labels_of(site)
        page.keyboard.press(str(specimens()[0].digit))
        expect(page.locator("#done")).to_have_text("1")
        page.keyboard.press("u")
        expect(page.locator("#message")).to_contain_text("back in the queue")

        assert made not in labels_of(site)
        assert site.complaints[page] == []


class TestSheet:
    def test_approves_what_is_ticked(self, site: Site, desk: BrowserContext) -> None:
        made = [submit(site, specimens()[0].strokes) for _ in range(2)]
        code = (
            "from recognizer.drawings.feedback import give_feedback;"
            "from recognizer.models import Submission;"
            f"[give_feedback(submission=s, verdict='right') for s in"
            f" Submission.objects.filter(pk__in={made!r})]"
        )
        site.server.manage("shell", "--no-imports", "-c", code)
        site.sign_in(desk, "sheet", group="Reviewers")
        page = site.open(desk, f"{DESK}approve/?digit=0")

        tiles = page.locator(".sheet-tile")
        expect(tiles).to_have_count(2)
        tiles.first.click()
        page.get_by_role("button", name="Label ticked drawings as 0").click()

        expect(page.locator(".messagelist")).to_contain_text("1 drawings labelled")
        labels = labels_of(site)
        assert [one in labels for one in made] == [False, True]
        assert site.complaints[page] == []


_QUEUE = """
from django.core.management import call_command
from recognizer.tests.learning import fill
from recognizer.learning import snapshots
from recognizer.learning import training
fill(people=2)
run = training.start_training(snapshot=snapshots.make_snapshot(actor=None), actor=None)
print(run.pk)
"""


class TestLearningPages:
    def test_are_shown_without_a_complaint(
        self, site: Site, desk: BrowserContext
    ) -> None:
        said = site.server.manage("shell", "--no-imports", "-c", _QUEUE)
        site.sign_in(desk, "keeper", group="Administrators")
        page = site.open(desk, "/admin/")

        page.get_by_role("link", name="Figures", exact=True).first.click()
        expect(page.get_by_role("group", name="Confusion matrix")).to_be_visible()
        page.goto(f"{site.url}/admin/recognizer/snapshot/")
        page.get_by_role("button", name="Create a snapshot").click()
        expect(
            page.get_by_role("button", name="Train on this snapshot")
        ).to_be_visible()
        run = f"/admin/recognizer/trainingrun/{said.splitlines()[-1]}/"
        with page.expect_response(lambda answer: answer.url.endswith("/state/")):
            page.goto(f"{site.url}{run}change/")
        page.get_by_role("button", name="Cancel training").click()

        expect(page.locator(".field-state")).to_contain_text("cancelled")
        assert site.complaints[page] == []
