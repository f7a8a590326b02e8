"""The model's figures: kept along, right, and one click from the drawings."""

import html
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from mlcore.reading.bundle import open_bundle
from mlcore.reading.specimens import specimens
from recognizer.drawings.derived import rebuild_derived
from recognizer.drawings.erasing import delete_submissions
from recognizer.drawings.statistics import stats
from recognizer.learning.figures import current_figures, population_stability
from recognizer.learning.labels import label_submission
from recognizer.learning.promotion import prepare_models
from recognizer.models import ModelVersion, Submission, User
from recognizer.tests.conftest import enter_desk
from recognizer.tests.learning import make_person, submit
from recognizer.tests.test_promotion import judge
from recognizer.tests.test_services import other_bundle

PAGE = "/admin/recognizer/modelversion/figures/"
pytestmark = pytest.mark.usefixtures("active_model")


@pytest.fixture
def history(reviewer: User) -> list[Submission]:
    """Every specimen by pen, the first ten labelled, three of them as another digit."""
    person = make_person()
    made = [submit(person, one.strokes) for one in specimens()]
    for number, (submission, one) in enumerate(
        zip(made[:10], specimens()[:10], strict=True)
    ):
        digit = 9 if number < 3 else one.digit
        label_submission(submission=submission, reviewer=reviewer, digit=digit)
    submit(person, [specimens()[0].strokes[0] * 0 + 50], pointer="touch")
    return made


class TestFigures:
    def test_are_what_the_rows_say(self, history: list[Submission]) -> None:
        found = current_figures()

        assert found.drawings == len(history) + 1
        assert found.by_day[-1][1] == len(history) + 1
        assert sum(found.confidence) == sum(found.ink) == len(history) + 1
        assert sum(map(sum, found.confusion)) == 10
        assert sum(found.confusion[9]) == 3
        assert found.accuracy
        assert found.accuracy.value == 0.7
        by_pointer = {row["code"]: row["drawings"] for row in found.pointers}
        assert by_pointer["pen"] == len(history)
        assert by_pointer["touch"] == 1
        assert rebuild_derived() == 0
        assert current_figures() == found

    def test_shrink_with_what_is_deleted(self, history: list[Submission]) -> None:
        delete_submissions(submissions=Submission.objects.all())

        found = current_figures()

        assert found.drawings == sum(found.confidence) == sum(found.ink) == 0
        assert found.by_day[-1][1] == 0
        assert found.ink_drift is None

    def test_know_drift_from_the_active_model_s_gate(
        self, history: list[Submission], active_model: ModelVersion
    ) -> None:
        before = current_figures().confidence_drift
        shipped = current_figures(shipped_confidence=[2] * 20).confidence_drift
        usual = {"confidence": [1] * 20, "ink": [1] * 20}
        judge(active_model, active_model, passed=True, reference=usual)

        found = current_figures()

        assert before is None
        assert shipped == pytest.approx(found.confidence_drift)
        assert found.confidence_drift == population_stability(
            found.confidence, usual["confidence"]
        )

    def test_of_readings_are_the_active_model_s_alone(
        self, history: list[Submission], tmp_path: Path
    ) -> None:
        newer = other_bundle(open_bundle(settings.STARTER_BUNDLE), tmp_path)
        prepare_models(starter=newer)

        found = current_figures()

        assert found.model
        assert found.model.digest == newer.digest
        assert found.drawings == len(history) + 1
        assert sum(found.confidence) == sum(map(sum, found.confusion)) == 0
        assert found.accuracy is None
        assert stats().accuracy is None
        assert stats().model == newer.digest


class TestStability:
    def test_is_nothing_between_equal_shares(self) -> None:
        assert population_stability([1, 2, 3], [10, 20, 30]) == pytest.approx(0)

    def test_grows_with_the_difference(self) -> None:
        little = population_stability([45, 55], [50, 50])
        much = population_stability([10, 90], [50, 50])

        assert little == pytest.approx(0.0100, abs=1e-4)
        assert much == pytest.approx(0.8789, abs=1e-4)

    def test_of_nothing_is_none(self) -> None:
        assert population_stability([0, 0], [1, 1]) is None


class TestPage:
    def test_shows_plots_that_open_their_drawings(
        self, history: list[Submission], admin_client: Client
    ) -> None:
        page = admin_client.get(PAGE).content.decode()
        links = {html.unescape(link) for link in re.findall(r'<a href="([^"]*)"', page)}
        behind = [link for link in links if "submission/?" in link]

        answers = [admin_client.get(link, follow=True) for link in behind]

        assert len(behind) > 100
        assert {answer.status_code for answer in answers} == {200}
        # Django sends a filter it does not know away, to ?e=1.
        assert not [a for a in answers if a.redirect_chain]
        assert " style=" not in page

    def test_leads_from_a_cell_to_just_those(
        self, history: list[Submission], admin_client: Client
    ) -> None:
        link = "/admin/recognizer/submission/?label_digit__exact=9&shown_digit__exact=0"

        page = admin_client.get(link).content.decode()

        shown = current_figures().confusion[9][0]
        assert page.count('class="action-select"') == shown > 0

    def test_writes_plots_as_svg_does_in_every_language(
        self, history: list[Submission], admin_client: Client
    ) -> None:
        german = {"Accept-Language": "de"}
        page = admin_client.get(PAGE, headers=german).content.decode()

        numbers = re.findall(r' (?:x|y|width|height|fill-opacity)="([^"]*)"', page)
        assert len(numbers) > 500
        assert not [number for number in numbers if "," in number]

    def test_gives_the_rows_of_a_plot_as_csv(
        self, history: list[Submission], admin_client: Client
    ) -> None:
        answer = admin_client.get(PAGE, {"csv": "pointers"})

        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        rows = answer.content.decode().split()
        assert rows[0] == "pointers,drawings"
        assert f"pen,{len(history)}" in rows
        assert admin_client.get(PAGE, {"csv": "secrets"}).status_code == 404

    def test_is_about_the_chosen_model_and_period(
        self, history: list[Submission], admin_client: Client, tmp_path: Path
    ) -> None:
        reader = current_figures().model
        assert reader
        prepare_models(
            starter=other_bundle(open_bundle(settings.STARTER_BUNDLE), tmp_path)
        )

        page = admin_client.get(PAGE, {"model": reader.short_digest, "days": "90"})

        assert page.context["found"].model == reader
        assert sum(page.context["found"].confidence) == len(history) + 1
        assert len(page.context["found"].by_day) == 90
        assert admin_client.get(PAGE, {"model": "nothing"}).status_code == 404

    def test_has_an_axis_that_ends_at_a_round_number(
        self, history: list[Submission], admin_client: Client
    ) -> None:
        traffic = admin_client.get(PAGE).context["plots"][0]

        assert [number for _, number in traffic.lines] == [0, 25, 50]
        assert traffic.bars[-1].count == len(history) + 1 <= 50

    def test_is_for_who_may(self, client: Client) -> None:
        enter_desk(client, User.objects.create_user("clerk", is_staff=True))

        assert client.get(PAGE).status_code == 403

    def test_of_an_empty_site_stands(self, admin_client: Client) -> None:
        page = admin_client.get(PAGE).content.decode()

        assert "No drawing read by the active model has been reviewed yet" in page
        assert admin_client.get("/admin/").status_code == 200
