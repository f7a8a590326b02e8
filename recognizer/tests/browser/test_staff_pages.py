"""Every page of the staff, with data in it: axe finds nothing, German is German."""

import json
import re
from collections.abc import Collection, Iterator
from itertools import product
from typing import Literal

import polib
import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page

from recognizer.tests.browser.conftest import Site
from recognizer.tests.browser.test_accessibility import SCREENS, violations
from recognizer.tests.browser.test_review_desk import DESK, on_the_desk

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
DATA = """
import json
from recognizer.drawings.comments import add_comment
from recognizer.drawings.feedback import give_feedback
from recognizer.learning.snapshots import make_snapshot
from recognizer.learning.training import start_training
from recognizer.models import AuditEntry, ModelVersion, Submission, TrainingRun, User
from recognizer.people.tokens import make_token
from recognizer.tests.learning import fill, make_person, submit
from recognizer.tests.test_promotion import judge
from mlcore.reading.specimens import specimens
from recognizer.models import Delivery, Event, ImportedFile, Webhook
staff = fill(people=2)
one = submit(make_person(user=staff), specimens()[0].strokes)
give_feedback(submission=one, verdict="wrong", digit=4)
labelled = Submission.objects.filter(label_digit__isnull=False)[0].pk
snapshot = make_snapshot(actor=staff)
run = start_training(snapshot=snapshot, actor=staff)
active = ModelVersion.objects.active()
TrainingRun.objects.filter(pk=run.pk).update(history=[
    {"loss": 0.5, "mnist": 0.99, "mnist_loss": 0.2},
    {"loss": 0.3, "mnist": 0.995, "mnist_loss": 0.1}])
AuditEntry.objects.create(actor=staff, action="roll_back", subject=active.digest,
    before={"reads": active.digest}, after={"reads": active.digest}, reason="Sevens.")
shown = {"set": "new hold-out", "truth": 7, "candidate": 7, "incumbent": 1,
    "submission": str(one.pk), "picture": None}
doubted = {**shown, "submission": str(labelled), "kind": "digit"}
report = judge(active, active, passed=False, outcome="not_proven",
    drawings_to_decide=320, doubted=[doubted],
    drawings=[{**shown, "what": what} for what in ("fixed", "broken")])
add_comment(submission_id=labelled, author=staff, text="2026?")
token, _ = make_token(user=staff, name="scanner", scopes=["read"])
webhook = Webhook.objects.create(url="https://example.org/hook", secret="x",
    events=Event.values, state="failed")
Delivery.objects.create(webhook=webhook, submission=one, payload="{}", attempts=2,
    event="feedback.created", status=503, trouble="status", duration_ms=12,
    state="given_up", tried_at=one.created_at)
from recognizer.importing import importing
from recognizer.importing.files import open_packed, pack
from recognizer.tests.test_submissions_api import seven_png
table = b"file,label\\na.png,7\\nb.png,7\\n"
content = pack([("labels.csv", table), ("a.png", seven_png())])
imported = importing.preview(
    files=open_packed(content), name="ziffern.zip", reviewer=staff)
imported.save()
ImportedFile.objects.create(of_import=imported, content=content)
print(json.dumps({
    "import": str(imported.pk), "submission": str(labelled),
    "snapshot": str(snapshot.pk), "trainingrun": str(run.pk),
    "modelversion": str(active.pk), "gatereport": str(report.pk),
    "auditentry": str(AuditEntry.objects.all()[0].pk), "token": str(token.pk),
    "visitor": str(one.visitor_id), "user": str(staff.pk),
    "webhook": str(webhook.pk)}))
"""
LISTS = (
    *("auditentry", "gatereport", "modelversion", "snapshot", "submission", "token"),
    *("trainingrun", "user", "visitor", "webhook"),
)
SECOND_DESK = f"{DESK}second/"
OTHERS = (
    "/admin/",
    "/admin/recognizer/submission/?layout=grid&shown_digit__exact=7",
    DESK,
    "/admin/recognizer/submission/review/approve/",
    "/admin/recognizer/submission/import/",
    "/admin/recognizer/modelversion/figures/",
    "/admin/recognizer/modelversion/history/",
    "/admin/recognizer/token/add/",
    "/admin/recognizer/user/add/",
    "/admin/recognizer/webhook/add/",
    "/admin/auth/group/",
    "/admin/password_change/",
)


@pytest.fixture(scope="module")
def pages(site: Site) -> list[str]:
    """The addresses of all staff pages of a site with a little of everything."""
    said = site.server.manage("shell", "--no-imports", "-c", DATA)
    made = json.loads(said.splitlines()[-1])
    return [
        *OTHERS,
        f"{SECOND_DESK}{made['gatereport']}/",
        f"/admin/recognizer/submission/import/{made.pop('import')}/",
        *(f"/admin/recognizer/{name}/" for name in LISTS),
        *(f"/admin/recognizer/{name}/{pk}/change/" for name, pk in made.items()),
    ]


def english_only() -> Iterator[re.Pattern[str]]:
    """Yield patterns of the messages that German writes differently."""
    for entry in polib.pofile(
        str(settings.BASE_DIR / "locale" / "de" / "LC_MESSAGES" / "django.po")
    ):
        words = entry.msgid
        if " " in words and "%" not in words and entry.msgstr != words:
            yield re.compile(rf"\b{re.escape(words)}(?!\w)")


ENGLISH = re.compile(
    r"\b(the|of|and|is|are|with|not|this|that|by|from|has|have|for|you|your|been|"
    r"drawings?|digits?|labelled|readings?|read|fewer|more|beyond|chance|short)\b",
    re.IGNORECASE,
)
"""Words that no German sentence has: they find text that is in no catalogue."""
TEXT = """() => {
  const main = document.querySelector("main").cloneNode(true);
  const english = "code, pre, kbd, script, [lang=en], [id$=permissions]";
  for (const one of main.querySelectorAll(english)) one.remove();
  const attributes = ["title", "aria-label", "alt", "placeholder"];
  const named = attributes.flatMap((name) =>
    [...main.querySelectorAll(`[${name}]`)].map((one) => one.getAttribute(name)));
  return [main.textContent, ...named].join("\\n");
}"""
"""The text of a page, with what is read aloud or shown on hover.

Without code and the names of permissions, which Django keeps in English in its table.
"""


def english_in(page: Page) -> list[str]:
    """Return the English words and messages of a German page, each with its line."""
    words = page.evaluate(TEXT)
    found = [f"in English: {p.pattern}" for p in english_only() if p.search(words)]
    lines = (" ".join(line.split()) for line in words.splitlines())
    return found + [f"in English: {line}" for line in lines if ENGLISH.search(line)]


def found_on(
    site: Site,
    browser: Browser,
    pages: list[str],
    *,
    screen: str,
    scheme: Literal["light", "dark"],
    language: str,
    waiting_on: Collection[str] = (),
) -> list[str]:
    """Return what axe minds, what overflows and what is not translated, a line each.

    waiting_on: the pages where a drawing waits for a decision.
    """
    size, _ = SCREENS[screen]
    context = browser.new_context(**size, color_scheme=scheme, locale=language)
    # One person: another would not be given the drawings that this one is looking at.
    site.sign_in(context, "auditor", group="Administrators")
    code = "from recognizer.models import User; User.objects.update(is_superuser=True)"
    site.server.manage("shell", "--no-imports", "-c", code)  # sees accounts and tokens
    found = []
    for path in pages:
        page = site.open(context, path)
        if path in waiting_on:
            on_the_desk(page)
        found += [f"{path} {line}" for line in site.complaints[page]]
        found += [f"{path} {line}" for line in violations(page)]
        excess = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if excess > 0:
            found.append(f"{path} is {excess} px too wide")
        if language == "de":
            found += [f"{path} {line}" for line in english_in(page)]
        page.close()
    context.close()
    return found


class TestStaffPages:
    def test_are_for_everyone(
        self, site: Site, browser: Browser, pages: list[str], is_full: bool
    ) -> None:
        """In every language, mode and size at full length, else in two ways."""
        ways = list(product(SCREENS, SCHEMES, ("en", "de")))
        found: list[str] = []

        for screen, scheme, language in ways if is_full else (ways[1], ways[-2]):
            found += found_on(
                site,
                browser,
                pages,
                screen=screen,
                scheme=scheme,
                language=language,
                waiting_on=[p for p in pages if p == DESK or p.startswith(SECOND_DESK)],
            )

        assert found == []

    @pytest.mark.journey
    def test_begin_with_pages_for_everyone(self, site: Site, browser: Browser) -> None:
        """The pages that staff see first, with whatever the site has by now."""
        found = found_on(
            site,
            browser,
            list(OTHERS[:3]),
            screen="phone",
            scheme="dark",
            language="de",
        )

        assert found == []

    def test_that_are_not_translated_are_noticed(self, browser: Browser) -> None:
        page = browser.new_page()
        page.set_content(
            "<main><p>Es ist gut.</p><pre>the log</pre><p>This is new.</p>"
            "<img alt='all of it'></main>"
        )

        assert english_in(page) == [
            "in English: Es ist gut.This is new.",
            "in English: all of it",
        ]
