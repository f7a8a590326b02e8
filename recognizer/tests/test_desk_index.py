"""The admin's first page: its numbers, and the button for what is next."""

import html
import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from mlcore.reading.specimens import specimens
from recognizer.desk import index
from recognizer.desk.index import overview
from recognizer.drawings.feedback import give_feedback
from recognizer.learning.snapshots import make_snapshot
from recognizer.learning.training import start_training
from recognizer.models import ModelVersion, TrainingRun, User
from recognizer.tests.addresses import named_addresses
from recognizer.tests.conftest import enter_desk
from recognizer.tests.learning import fill, make_person, submit
from recognizer.tests.test_promotion import judge

pytestmark = pytest.mark.usefixtures("active_model")
OURS = "/admin/recognizer/"
REFUSED = (302, 403, 404, 405)  # 302: to the index, as the row does not exist
SEVEN = next(one for one in specimens() if one.digit == 7)


def candidate_of(active: ModelVersion, *, passed: bool) -> ModelVersion:
    candidate = ModelVersion.objects.create(
        digest="c" * 64, origin="trained", manifest={}
    )
    judge(candidate, active, passed=passed)
    return candidate


class TestOverview:
    def test_of_an_empty_site_leads_to_the_figures(self) -> None:
        found = overview()

        assert (found.waiting, found.oldest_waiting, found.failed) == (0, None, 0)
        assert found.next_step.address.endswith("/figures/")

    def test_counts_what_waits_and_what_was_corrected(self) -> None:
        first, _ = (submit(make_person(), SEVEN.strokes) for _ in range(2))
        give_feedback(submission=first, verdict="wrong", digit=1)

        found = overview()

        assert (found.waiting, found.corrections_today) == (2, 1)
        assert found.drawings_today == 2
        assert found.oldest_waiting == first.created_at
        assert found.next_step.address.endswith("/review/")

    def test_leads_to_a_candidate_that_passed_its_gate(
        self, active_model: ModelVersion
    ) -> None:
        submit(make_person(), SEVEN.strokes)
        candidate = candidate_of(active_model, passed=True)

        assert str(candidate.pk) in overview().next_step.address

    def test_leads_past_a_candidate_that_failed(
        self, active_model: ModelVersion
    ) -> None:
        submit(make_person(), SEVEN.strokes)
        candidate_of(active_model, passed=False)

        assert overview().next_step.address.endswith("/review/")

    def test_knows_a_running_and_a_failed_training(self) -> None:
        staff = fill(people=2)
        snapshot = make_snapshot(actor=staff)
        failed = start_training(snapshot=snapshot, actor=staff)
        TrainingRun.objects.filter(pk=failed.pk).update(
            state="failed", finished_at=timezone.now()
        )
        running = start_training(snapshot=snapshot, actor=staff)

        found = overview()

        assert found.training == running
        assert found.failed == 1

    def test_tells_no_drift_from_a_few_drawings(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        submit(make_person(), SEVEN.strokes)
        assert overview().drift is None

        monkeypatch.setattr(index, "ENOUGH_FOR_DRIFT", 1)

        assert overview().has_drifted


class TestPage:
    def test_shows_the_numbers_and_one_button(self, admin_client: Client) -> None:
        submit(make_person(), SEVEN.strokes)

        page = admin_client.get("/admin/").content.decode()

        assert page.count("next-step") == 1
        assert "Review the next drawing" in page
        assert "of 1 drawing<" in page

    def test_is_one_click_from_the_first_decision_and_from_what_went_wrong_today(
        self, admin_client: Client
    ) -> None:
        wrong, _ = (submit(make_person(), SEVEN.strokes) for _ in range(2))
        give_feedback(submission=wrong, verdict="wrong", digit=1)
        links = re.findall(
            r'href="([^"]+)"', admin_client.get("/admin/").content.decode()
        )

        (listed,) = (link for link in links if "verdict__exact=wrong" in link)
        rows = admin_client.get(html.unescape(listed)).context["cl"].result_list

        assert [row.pk for row in rows] == [wrong.pk]
        assert "/admin/recognizer/submission/review/" in links

    def test_lists_the_site_s_own_models_first(self, admin_client: Client) -> None:
        apps = admin_client.get("/admin/").context["app_list"]

        assert next(app["app_label"] for app in apps) == "recognizer"

    def test_shows_no_numbers_without_the_right(self, client: Client) -> None:
        clerk = User.objects.create_user("clerk", is_staff=True)
        clerk.user_permissions.add(Permission.objects.get(codename="view_token"))
        enter_desk(client, clerk)

        page = client.get("/admin/").content.decode()

        assert "Tokens" in page
        assert "overview" not in page


class TestStaffWithoutRights:
    def test_get_none_of_our_pages(
        self, client: Client, active_model: ModelVersion
    ) -> None:
        """Every address of ours in the admin, read and written to."""
        clerk = User.objects.create_user("clerk", is_staff=True)
        enter_desk(client, clerk)
        ours = [path for path in named_addresses() if path.startswith(OURS)]

        answers = {
            (method, path): getattr(client, method)(path).status_code
            for path in ours
            for method in ("get", "post")
        }

        assert len(ours) > 40
        assert {
            call: status for call, status in answers.items() if status not in REFUSED
        } == {}
