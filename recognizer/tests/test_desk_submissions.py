"""The list of drawings in the admin, and the page of one drawing."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from mlcore.reading.specimens import specimens
from recognizer.drawings.feedback import give_feedback
from recognizer.learning.labels import label_submission
from recognizer.learning.snapshots import make_snapshot
from recognizer.models import Label, ModelVersion, Submission, User, Visitor
from recognizer.tests.conftest import enter_desk
from recognizer.tests.learning import fill, make_person, submit

LIST = "/admin/recognizer/submission/"
pytestmark = pytest.mark.usefixtures("active_model")
SEVEN, ZERO = (next(one for one in specimens() if one.digit == d) for d in (7, 0))


def listed(client: Client, **query: str) -> set[str]:
    """Return the ids in a list that Django did not refuse."""
    answer = client.get(LIST, query)
    assert answer.status_code == 200
    return {str(row.pk) for row in answer.context["cl"].result_list}


def act(client: Client, action: str, chosen: list[Submission], **form: str) -> str:
    told = {
        "action": action,
        "_selected_action": [str(one.pk) for one in chosen],
        **form,
    }
    return client.post(LIST, told, follow=True).content.decode()


class TestSearch:
    def test_finds_a_drawing_by_its_id(self, admin_client: Client) -> None:
        first, _ = (submit(make_person(), SEVEN.strokes) for _ in range(2))

        assert listed(admin_client, q=f" {first.pk} ") == {str(first.pk)}

    def test_finds_the_drawings_of_a_user(self, admin_client: Client) -> None:
        ada = User.objects.create_user("ada")
        hers = submit(make_person(user=ada), SEVEN.strokes)
        submit(make_person(), SEVEN.strokes)

        assert listed(admin_client, q="ada") == {str(hers.pk)}
        assert listed(admin_client, q="nobody") == set()

    def test_finds_the_drawings_of_a_number(self, admin_client: Client) -> None:
        read, labelled, other = (submit(make_person(), SEVEN.strokes) for _ in range(3))
        Submission.objects.filter(pk=read.pk).update(
            shown_digit=None, shown_number="2026"
        )
        Submission.objects.filter(pk=labelled.pk).update(label_number="2026")

        assert listed(admin_client, q="2026") == {str(read.pk), str(labelled.pk)}
        assert listed(admin_client, q="2027") == set()

        named = User.objects.create_user("2026")
        Visitor.objects.filter(pk=other.visitor_id).update(user=named)
        assert listed(admin_client, q="2026") == {str(other.pk)}


class TestFilters:
    @pytest.mark.parametrize(
        "query",
        [
            {"nonsense": "1"},
            {"shown_digit__exact": "seven"},
            {"visitor__password": "x"},
            {"confidence__gte": "0.5"},
            {"predictions__confidence__gte": "much"},
        ],
    )
    def test_that_do_not_exist_are_sent_away(
        self, query: dict[str, str], admin_client: Client
    ) -> None:
        answer = admin_client.get(LIST, query)

        assert answer.status_code in (302, 400)

    @pytest.mark.parametrize(
        "query",
        [
            {"confidence": "x"},
            {"layout": "round"},
            {"q": "\x00"},
            {"o": "99"},
            {"p": "x"},
        ],
    )
    def test_with_unknown_values_keep_the_page(
        self, query: dict[str, str], admin_client: Client
    ) -> None:
        assert admin_client.get(LIST, query).status_code == 200

    def test_by_days_include_both(self, admin_client: Client) -> None:
        one = submit(make_person(), SEVEN.strokes)
        today = timezone.now().date()
        tomorrow, yesterday = (today + timedelta(days=days) for days in (1, -1))

        both = listed(admin_client, since=str(today), until=str(today))

        assert both == {str(one.pk)}
        assert listed(admin_client, since=str(tomorrow)) == set()
        assert listed(admin_client, until=str(yesterday)) == set()

    def test_by_a_day_that_is_none_are_sent_away(self, admin_client: Client) -> None:
        answer = admin_client.get(LIST, {"since": "yesterday"})

        assert answer.headers["Location"].endswith("?e=1")

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ({"shown_digit__exact": "7"}, {"seven"}),
            ({"confidence": "99"}, {"seven", "zero"}),
            ({"confidence": "0"}, set()),
            ({"verdict__exact": "wrong"}, {"zero"}),
            ({"visitor__may_train__exact": "1"}, {"seven"}),
            ({"visitor__may_publish__exact": "1"}, {"zero"}),
            ({"pointer__exact": "touch"}, {"zero"}),
            ({"model": "ffffffffffff"}, set()),
            ({"layout": "grid"}, {"seven", "zero"}),
        ],
    )
    def test_keep_what_they_name(
        self, query: dict[str, str], names: set[str], admin_client: Client
    ) -> None:
        made = {
            "seven": submit(make_person(), SEVEN.strokes),
            "zero": submit(make_person(may_train=False), ZERO.strokes, pointer="touch"),
        }
        give_feedback(submission=made["zero"], verdict="wrong", digit=8)
        owner = Visitor.objects.filter(pk=made["zero"].visitor_id)
        owner.update(may_publish=True)

        found = listed(admin_client, **query)

        assert found == {str(made[name].pk) for name in names}

    def test_by_model_know_the_active_one(
        self, active_model: ModelVersion, admin_client: Client
    ) -> None:
        one = submit(make_person(), SEVEN.strokes)

        assert listed(admin_client, model=active_model.short_digest) == {str(one.pk)}

    def test_reach_beyond_the_newest(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("recognizer.desk.readonly.LISTED", 1)
        ada = User.objects.create_user("ada")
        old = submit(make_person(user=ada), SEVEN.strokes)
        new = submit(make_person(), SEVEN.strokes)

        assert listed(admin_client) == {str(new.pk)}
        assert listed(admin_client, q="ada") == {str(old.pk)}

    def test_list_a_user_s_newest_of_all_browsers(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("recognizer.desk.readonly.LISTED", 2)
        ada = User.objects.create_user("ada")
        home, office, library = (make_person(user=ada) for _ in range(3))
        made = [submit(one, SEVEN.strokes) for one in (office, home, home, office)]
        submit(library, SEVEN.strokes)
        newest = {str(one.pk) for one in Submission.objects.order_by("-pk")[:2]}

        assert listed(admin_client, q="ada") == newest
        assert str(made[-1].pk) in newest

    def test_since_a_day_list_the_newest_of_it(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = (submit(make_person(), SEVEN.strokes) for _ in range(2))
        today = str(timezone.now().date())
        assert listed(admin_client, since=today) == {str(first.pk), str(second.pk)}

        monkeypatch.setattr("recognizer.desk.readonly.LISTED", 1)
        page = admin_client.get(LIST, {"since": today})

        assert listed(admin_client, since=today) == {str(second.pk)}
        assert "newest 1 only" in page.content.decode()

    def test_in_use_are_open(self, admin_client: Client) -> None:
        page = admin_client.get(LIST, {"refusal__exact": "unsure"}).content.decode()

        assert '<details data-filter-title="refusal" open>' in page
        assert '<details data-filter-title="consent to training">' in page
        assert '<details data-filter-title="consent to publication">' in page


class TestActions:
    def test_label_what_was_left_ticked(self, admin_client: Client) -> None:
        both = [submit(make_person(), SEVEN.strokes) for _ in range(2)]

        asked = act(admin_client, "label_selected", both)
        told = act(admin_client, "label_selected", both[:1], digit="7")

        assert asked.count('name="_selected_action"') == 2
        assert "1 drawing labelled" in told
        labels = Submission.objects.values_list("label_digit", flat=True)
        assert sorted(labels, key=str) == [7, None]

    def test_label_only_what_its_author_confirmed(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("recognizer.desk.submissions.APPROVED_AT_ONCE", 1)
        right, also, silent = (submit(make_person(), SEVEN.strokes) for _ in range(3))
        for one in (right, also):
            give_feedback(submission=one, verdict="right")

        told = act(admin_client, "approve_selected", [right, also, silent])

        assert "1 drawing labelled as confirmed. There are more" in told
        again = act(admin_client, "approve_selected", [right, also, silent])
        assert "There are more" not in again
        labels = Submission.objects.order_by("pk").values_list("label_digit", flat=True)
        assert list(labels) == [7, 7, None]

    def test_take_back_only_one_s_own_labels(
        self, admin_client: Client, reviewer: User
    ) -> None:
        mine, theirs = (submit(make_person(), SEVEN.strokes) for _ in range(2))
        act(admin_client, "label_selected", [mine], digit="7")
        label_submission(submission=theirs, reviewer=reviewer, digit=7)

        told = act(admin_client, "take_back_selected", [mine, theirs])

        assert "1 label taken back" in told
        mine.refresh_from_db()
        theirs.refresh_from_db()
        assert (mine.label_digit, theirs.label_digit) == (None, 7)

    def test_are_for_reviewers(self, client: Client) -> None:
        one = submit(make_person(), SEVEN.strokes)
        clerk = User.objects.create_user("clerk", is_staff=True)
        enter_desk(client, clerk)

        answer = client.post(f"{LIST}{one.pk}/label/", {"digit": "7"})

        assert answer.status_code == 403
        assert not Label.objects.exists()


class TestDrawing:
    def test_can_be_labelled_again(self, admin_client: Client, reviewer: User) -> None:
        one = submit(make_person(), SEVEN.strokes, reviewer=reviewer, digit=1)

        page = admin_client.post(f"{LIST}{one.pk}/label/", {"digit": "7"}, follow=True)

        one.refresh_from_db()
        assert one.label_digit == 7
        assert Label.objects.count() == 2
        assert "The drawing has a new label." in page.content.decode()

    def test_keeps_its_label_if_none_is_given(
        self, admin_client: Client, reviewer: User
    ) -> None:
        one = submit(make_person(), SEVEN.strokes, reviewer=reviewer, digit=1)

        page = admin_client.post(f"{LIST}{one.pk}/label/", {"digit": "x"}, follow=True)

        assert "Give a digit from 0 to 9" in page.content.decode()
        assert Label.objects.count() == 1

    def test_shows_its_life(self, admin_client: Client) -> None:
        staff = fill(people=2)
        snapshot = make_snapshot(actor=staff)
        chosen = snapshot.items.first()
        assert chosen
        one = Submission.objects.get(pk=chosen.submission_id)
        give_feedback(submission=one, verdict="right")

        page = admin_client.get(f"{LIST}{one.pk}/change/").content.decode()

        assert "Stored: drawn on the page" in page
        assert f"Read as {one.shown_digit} by model" in page
        assert f"filler labelled it: {one.label_digit}" in page
        assert f"Selected for snapshot {snapshot}" in page
        assert "The author says: right" in page
