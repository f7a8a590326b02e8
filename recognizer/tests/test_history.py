"""The history: one's own drawings as pages, and what can be done with them."""

import html
import io
import json
import re
import zipfile
from typing import Any

import pytest
from django.test import Client

from recognizer.drawings import tallies
from recognizer.drawings.feedback import give_feedback
from recognizer.models import (
    Feedback,
    InBenchmark,
    ModelVersion,
    Prediction,
    Submission,
    User,
    Visitor,
)
from recognizer.reader import explanations
from recognizer.reader.recognisers import ReaderUnavailableError
from recognizer.tests.conftest import SEVEN, post_json

pytestmark = pytest.mark.usefixtures("active_model")
API = "/api/v1/submissions/"
NO_INK: dict[str, Any] = {"pixels": [[0] * 28] * 28}


@pytest.fixture
def browser() -> Client:
    """A browser; that forms are ours is tested by `TestForms`."""
    return Client()


def draw(client: Client, drawing: dict[str, Any] = SEVEN) -> str:
    """Store a drawing; return its id."""
    made: str = post_json(client, API, drawing).json()["id"]
    return made


def answer(client: Client, drawing: str, **fields: str) -> Any:
    return client.post(f"/history/{drawing}/feedback/", fields)


def listed(client: Client, path: str = "/history/") -> list[str]:
    return [str(one.id) for one in client.get(path).context["submissions"]]


def text_of(client: Client, path: str) -> str:
    return client.get(path).content.decode()


class TestChoices:
    @pytest.fixture
    def drawn(self, browser: Client) -> dict[str, str]:
        """A right seven, a wrong one, one without an answer, and a refusal."""
        drawn = {name: draw(browser) for name in ("right", "wrong", "open")}
        drawn["refused"] = draw(browser, NO_INK)
        answer(browser, drawn["right"], verdict="right")
        answer(browser, drawn["wrong"], digit="1")
        return drawn

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("", ["refused", "open", "wrong", "right"]),
            ("digit=7", ["open", "wrong", "right"]),
            ("digit=3", []),
            ("refused=true", ["refused"]),
            ("feedback=wrong", ["wrong"]),
            ("feedback=none", ["refused", "open"]),
            ("digit=7&feedback=none", ["open"]),
            ("refused=true&feedback=wrong", []),
            ("digit=x&feedback=y&refused=z", ["refused", "open", "wrong", "right"]),
        ],
    )
    def test_show_what_they_say(
        self, browser: Client, drawn: dict[str, str], query: str, found: list[str]
    ) -> None:
        assert listed(browser, f"/history/?{query}") == [drawn[name] for name in found]

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("digit=3", "None of your drawings was read as 3."),
            ("digit=3&feedback=none", "No drawing matches both filters."),
        ],
    )
    def test_say_what_was_not_found(
        self, browser: Client, drawn: dict[str, str], query: str, words: str
    ) -> None:
        assert words in text_of(browser, f"/history/?{query}")

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("refused=true", "None was refused"),
            ("feedback=wrong", "You have not marked any reading as wrong."),
            ("feedback=none", "you have answered every reading"),
        ],
    )
    def test_say_what_there_is_none_of(
        self, browser: Client, query: str, words: str
    ) -> None:
        answer(browser, draw(browser), verdict="right")

        assert words in text_of(browser, f"/history/?{query}")

    def test_invite_to_draw_where_nothing_is_kept(self, browser: Client) -> None:
        page = text_of(browser, "/history/?digit=3")

        assert "Nothing here yet" in page
        assert 'class="choices' not in page

    def test_are_kept_from_page_to_page(self, browser: Client) -> None:
        drawn = [draw(browser) for _ in range(26)]
        draw(browser, NO_INK)

        first = browser.get("/history/?digit=7&feedback=none").context
        older = browser.get(first["next_url"]).context
        back = browser.get(older["previous_url"]).context

        both = [str(one.id) for one in first["submissions"] + older["submissions"]]
        assert both == drawn[::-1]
        assert back["submissions"] == first["submissions"]
        assert "digit=7&feedback=none" in first["next_url"]

    def test_let_go_when_taken_again(
        self, browser: Client, drawn: dict[str, str]
    ) -> None:
        page = browser.get("/history/?digit=7&feedback=wrong").context

        words, digits = page["choices"]
        on = {one["words"]: one["url"] for one in words + digits if one["is_on"]}

        assert on == {"Wrong": "/history/?digit=7", "7": "/history/?feedback=wrong"}

    @pytest.mark.parametrize("count", [1, 20])
    def test_take_as_many_queries_for_many_as_for_one(
        self, browser: Client, django_assert_num_queries: Any, count: int
    ) -> None:
        for _ in range(count):
            draw(browser)

        # Visitor, drawings, readings, benchmarks.
        with django_assert_num_queries(4) as queries:
            browser.get("/history/?digit=7&feedback=none")

        said = " ".join(query["sql"] for query in queries)
        assert "COUNT(" not in said
        assert "OFFSET" not in said
        assert '"strokes"' not in said

    def test_show_nothing_of_others(self, browser: Client) -> None:
        draw(browser)

        assert listed(Client(), "/history/?digit=7") == []


class TestDrawing:
    def test_has_an_address_of_its_own(self, browser: Client) -> None:
        mine = draw(browser)

        page = text_of(browser, f"/history/{mine}/")

        assert "Read as 7" in page
        assert page.count('<th scope="row">') == 10
        assert page.count("data:image/png;base64,") == 3  # seen, and why laid over it
        assert ModelVersion.objects.get().short_digest in page
        assert f'href="/history/{mine}/"' in text_of(browser, "/history/")

    @pytest.mark.parametrize("rest", ["", "delete/"])
    def test_of_another_visitor_is_a_404(self, browser: Client, rest: str) -> None:
        stranger = Client()
        draw(stranger)
        mine = draw(browser)

        assert stranger.get(f"/history/{mine}/{rest}").status_code == 404
        assert Client().get(f"/history/{mine}/{rest}").status_code == 404

    def test_is_painted_and_can_be_replayed(self, browser: Client) -> None:
        timed = [[[70, 70, 0], [205, 66, 90], [125, 225, 260]], [[5, 5, 400]]]
        mine = draw(browser, {**SEVEN, "strokes": timed})

        page = text_of(browser, f"/history/{mine}/")

        assert '<path d="M70 70L205 66 125 225"/>' in page
        (strokes,) = re.findall(r'id="strokes"[^>]*>(.*?)</script>', page)
        assert json.loads(strokes) == timed

    def test_that_is_a_picture_shows_the_picture(self, browser: Client) -> None:
        pixels = [[0] * 28 for _ in range(28)]
        for row in pixels[5:23]:
            row[13] = row[14] = 255
        mine = draw(browser, {"pixels": pixels})

        page = text_of(browser, f"/history/{mine}/")

        assert f'src="/api/v1/submissions/{mine}/image.svg"' in page
        assert "replay" not in page

    def test_that_is_barely_a_digit_claims_no_confidence(self, browser: Client) -> None:
        mine = draw(browser)
        Prediction.objects.update(digitness=0.3)

        page = text_of(browser, f"/history/{mine}/")

        assert "Barely a digit." in page
        assert "If it is one, 7." in page
        assert "confident" not in page

    def test_that_was_refused_says_why(self, browser: Client) -> None:
        page = text_of(browser, f"/history/{draw(browser, NO_INK)}/")

        assert "Not read as a digit" in page
        assert "There is nothing to read." in page
        assert "Yes, it is" not in page

    def test_goes_without_why_where_its_model_cannot_be_loaded(
        self, browser: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(version: ModelVersion) -> None:
            raise ReaderUnavailableError("gone")

        mine = draw(browser)
        monkeypatch.setattr(explanations, "recogniser_for", fail)

        page = text_of(browser, f"/history/{mine}/")

        assert "Read as 7" in page
        assert "data:image/png" not in page

    def test_shows_what_a_reviewer_decided(
        self, browser: Client, reviewer: User
    ) -> None:
        mine = draw(browser)
        reviewers = Client()
        reviewers.force_login(reviewer)
        post_json(reviewers, f"{API}{mine}/label/", {"rejected": "ambiguous"})

        page = text_of(browser, f"/history/{mine}/")

        assert "Reviewed as" in page
        assert "ambiguous" in page

    def test_leads_to_the_ones_beside_it(self, browser: Client) -> None:
        oldest, middle, newest = (draw(browser) for _ in range(3))
        draw(Client())

        page = browser.get(f"/history/{middle}/").context
        last = browser.get(f"/history/{newest}/").context

        assert str(page["newer"]) == newest
        assert str(page["older"]) == oldest
        assert last["newer"] is None

    def test_leads_along_what_was_looked_for(self, browser: Client) -> None:
        oldest = draw(browser)
        draw(browser, NO_INK)
        newest = draw(browser)

        page = browser.get(f"/history/{newest}/?digit=7").content.decode()

        assert f'rel="next" href="/history/{oldest}/?digit=7"' in page
        assert 'class="detail-back target" href="/history/?digit=7"' in page

    def test_takes_few_queries(
        self, browser: Client, django_assert_num_queries: Any
    ) -> None:
        mine = [draw(browser) for _ in range(10)][4]

        # visitor; drawing, reading with its model; newer, older
        with django_assert_num_queries(5):
            browser.get(f"/history/{mine}/?digit=7&feedback=none")


class TestFeedback:
    @pytest.mark.parametrize(
        ("fields", "kept", "said"),
        [
            ({"verdict": "right"}, ("right", ""), "Your answer: correct"),
            ({"digit": "1"}, ("wrong", "1"), "Your answer: it is 1"),
            ({"digit": "71"}, ("wrong", "71"), "Your answer: it is 71"),
            ({"verdict": "not_a_digit"}, ("not_a_digit", ""), "not a digit"),
            ({"verdict": "withdrawn"}, ("", ""), "No answer yet."),
        ],
    )
    def test_is_kept_and_can_be_changed(
        self,
        browser: Client,
        fields: dict[str, str],
        kept: tuple[str, str],
        said: str,
    ) -> None:
        mine = draw(browser)
        answer(browser, mine, digit="4")

        done = answer(browser, mine, **fields)

        assert done["Location"] == f"/history/{mine}/#feedback"
        submission = Submission.objects.get()
        assert (submission.verdict, submission.correction) == kept
        assert Feedback.objects.count() == 2
        assert said in text_of(browser, f"/history/{mine}/")

    @pytest.mark.parametrize(
        "fields",
        [{}, {"verdict": "x"}, {"digit": "7"}, {"digit": "1x"}, {"digit": "٣"}],
    )
    def test_that_makes_no_sense_is_refused_with_words(
        self, browser: Client, fields: dict[str, str]
    ) -> None:
        mine = draw(browser)

        done = browser.post(f"/history/{mine}/feedback/", fields, follow=True)

        assert 'data-kind="error"' in done.content.decode()
        assert not Feedback.objects.exists()

    def test_of_another_visitor_is_a_404(self, browser: Client) -> None:
        stranger = Client()
        draw(stranger)

        assert answer(stranger, draw(browser), verdict="right").status_code == 404

    def test_of_a_drawing_deleted_meanwhile_is_a_404(
        self, browser: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mine = draw(browser)

        def delete_and_judge(*args: Any, **kwargs: Any) -> Any:
            Submission.objects.all().delete()
            return give_feedback(*args, **kwargs)

        monkeypatch.setattr(
            "recognizer.pages.history.feedback.give_feedback", delete_and_judge
        )

        assert answer(browser, mine, verdict="right").status_code == 404

    def test_comes_back_to_where_one_was(self, browser: Client) -> None:
        mine = draw(browser)

        done = browser.post(
            f"/history/{mine}/feedback/?feedback=none", {"verdict": "right"}
        )

        assert done["Location"] == f"/history/{mine}/?feedback=none#feedback"


class TestDeletion:
    def test_asks_first_and_then_takes_the_drawing_away(self, browser: Client) -> None:
        mine, other = draw(browser), draw(browser)

        asked = browser.get(f"/history/{mine}/delete/")
        still_there = Submission.objects.count()
        done = browser.post(f"/history/{mine}/delete/", follow=True)

        assert "Delete this drawing?" in asked.content.decode()
        assert still_there == 2
        assert [str(one.pk) for one in Submission.objects.all()] == [other]
        assert (
            "The drawing and everything stored with it have been deleted"
            in done.content.decode()
        )
        assert browser.get(f"/history/{mine}/").status_code == 404
        assert browser.post(f"/history/{mine}/delete/").status_code == 404

    def test_of_another_s_drawing_is_a_404(self, browser: Client) -> None:
        mine = draw(browser)

        assert Client().post(f"/history/{mine}/delete/").status_code == 404
        assert Submission.objects.exists()

    def test_of_all_takes_one_s_own_alone(self, browser: Client) -> None:
        stranger = Client()
        theirs = draw(stranger)
        draw(browser)
        draw(browser)

        asked = browser.get("/history/delete/")
        done = browser.post("/history/delete/", follow=True)

        assert "Delete all drawings?" in asked.content.decode()
        assert [str(one.pk) for one in Submission.objects.all()] == [theirs]
        assert "All your drawings have been deleted" in done.content.decode()
        assert tallies.named(["digit:7"]) == {"digit:7": 1}


class TestDownload:
    def test_has_a_picture_of_each_and_all_that_is_known(self, browser: Client) -> None:
        mine = draw(browser)
        draw(Client())
        page = text_of(browser, "/history/")
        (url,) = re.findall(r'href="([^"]+)" download', page)

        response = browser.get(html.unescape(url))

        packed = zipfile.ZipFile(io.BytesIO(b"".join(response)))
        assert sorted(packed.namelist()) == [f"images/{mine}.png", "submissions.ndjson"]
        (line,) = packed.read("submissions.ndjson").splitlines()
        known = json.loads(line)
        assert known["drawing"]["strokes"] == SEVEN["strokes"]
        assert known["prediction"]["digit"] == 7


class TestConsent:
    @pytest.mark.parametrize("consent", ["may_train", "may_publish"])
    def test_is_an_anonymous_visitor_s_to_give_and_to_take_back(
        self, browser: Client, consent: str
    ) -> None:
        draw(browser)
        before = text_of(browser, "/history/")
        consents = Visitor.objects.values("may_train", "may_publish")

        browser.post("/history/consent/", {consent: "on"})
        page = text_of(browser, "/history/")
        given = consents.get()
        browser.post("/history/consent/", {consent: "off"})

        assert before.count('aria-checked="false"') == 2
        assert page.count('aria-checked="true"') == 1
        assert f'name="{consent}" value="off"' in page
        assert [name for name, value in given.items() if value] == [consent]
        assert not any(consents.get().values())

    def test_says_which_benchmarks_contain_drawings(self, browser: Client) -> None:
        draw(browser)
        before = text_of(browser, "/history/")
        visitor = Visitor.objects.get()
        for name, number in (("digits-v1-a", 1), ("digits-v2-b", 12)):
            InBenchmark.objects.create(visitor=visitor, benchmark=name, drawings=number)

        page = text_of(browser, "/history/")

        assert "No benchmark contains drawings of yours." in before
        assert "No benchmark contains" not in page
        assert "The benchmark digits-v1-a contains 1 drawing of yours." in page
        assert "The benchmark digits-v2-b contains 12 drawings of yours." in page

    def test_is_not_offered_before_there_is_anybody(self, browser: Client) -> None:
        assert "switch" not in text_of(browser, "/history/")
        assert browser.post("/history/consent/").status_code == 404

    def test_of_a_user_is_for_all_their_browsers(self, browser: Client) -> None:
        ada = User.objects.create_user("ada")
        for one in (browser, Client()):
            draw(one)
            one.force_login(ada)
            one.get("/history/")

        browser.post("/history/consent/", {"may_train": "on"})

        assert list(Visitor.objects.values_list("may_train", flat=True)) == [True] * 2


class TestForms:
    @pytest.mark.parametrize(
        "path", ["{}/feedback/", "{}/delete/", "delete/", "consent/"]
    )
    def test_of_other_sites_are_refused(self, program: Client, path: str) -> None:
        mine = draw(program)

        assert program.post(f"/history/{path.format(mine)}").status_code == 403

    def test_set_no_cookie_before_something_is_kept(self, browser: Client) -> None:
        browser.get("/history/")

        assert not browser.cookies
