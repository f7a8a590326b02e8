"""Comments of staff on drawings: kept with author and time, erased with the drawing."""

import pytest
from django.db import IntegrityError
from django.test import Client

from mlcore.reading.specimens import specimens
from recognizer.drawings.comments import CommentError, add_comment
from recognizer.drawings.erasing import delete_submissions
from recognizer.models import Comment, ModelVersion, Submission, User
from recognizer.people.erasing import delete_account
from recognizer.tests.conftest import enter_desk
from recognizer.tests.learning import make_person, submit
from recognizer.tests.test_models import make_submission
from recognizer.tests.test_review import DESK, make_reviewer

LIST = "/admin/recognizer/submission/"


@pytest.fixture
def drawing(active_model: ModelVersion) -> Submission:
    return submit(make_person(), specimens()[0].strokes)


@pytest.fixture
def ada(db: None) -> User:
    return make_reviewer("ada")


@pytest.fixture
def desk(ada: User) -> Client:
    """Ada's browser."""
    browser = Client()
    enter_desk(browser, ada)
    return browser


class TestAddComment:
    @pytest.mark.parametrize("text", ["", " \n ", "x" * 2_001])
    def test_refuses_what_is_empty_or_long(
        self, drawing: Submission, ada: User, text: str
    ) -> None:
        with pytest.raises(CommentError):
            add_comment(submission_id=drawing.pk, author=ada, text=text)

    def test_refuses_a_drawing_that_was_deleted(
        self, drawing: Submission, ada: User
    ) -> None:
        delete_submissions(submissions=Submission.objects.all())

        with pytest.raises(Submission.DoesNotExist):
            add_comment(submission_id=drawing.pk, author=ada, text="a seven?")

    def test_never_stores_an_empty_one(self, db: None) -> None:
        with pytest.raises(IntegrityError, match="comment_says_something"):
            Comment.objects.create(submission=make_submission(), text="")


class TestDesk:
    def test_shows_comments_with_author_and_time(
        self, drawing: Submission, desk: Client
    ) -> None:
        added = desk.post(
            f"{DESK}comment/", {"id": str(drawing.pk), "text": " <b>a seven?</b> "}
        ).json()["drawing"]["comments"]
        (claimed,) = desk.post(f"{DESK}claim/").json()["drawings"]

        assert claimed["comments"] == added
        assert (added[0]["author"], added[0]["text"]) == ("ada", "<b>a seven?</b>")
        assert added[0]["at"]

    def test_says_why_it_refuses_one(self, drawing: Submission, desk: Client) -> None:
        empty = desk.post(f"{DESK}comment/", {"id": str(drawing.pk), "text": ""})
        delete_submissions(submissions=Submission.objects.all())
        gone = desk.post(f"{DESK}comment/", {"id": str(drawing.pk), "text": "oh"})

        assert (empty.status_code, gone.status_code) == (400, 404)
        assert "1 to 2000 characters" in empty.json()["message"]
        assert "deleted" in gone.json()["message"]


class TestDrawingsPage:
    def test_takes_comments_and_lets_authors_delete_their_own(
        self, drawing: Submission, desk: Client, admin_user: User
    ) -> None:
        theirs = add_comment(submission_id=drawing.pk, author=admin_user, text="mine!")
        page = f"{LIST}{drawing.pk}/change/"

        desk.post(f"{LIST}{drawing.pk}/comment/", {"text": "<i>a seven?</i>"})
        shown = desk.get(page).content.decode()
        own = Comment.objects.get(author__username="ada")
        for comment in (own, theirs):
            desk.post(f"{LIST}comment/{comment.pk}/delete/")

        assert "&lt;i&gt;a seven?&lt;/i&gt;" in shown
        assert "ada commented on it" in shown
        assert f"{LIST}comment/{own.pk}/delete/" in shown
        assert f"{LIST}comment/{theirs.pk}/delete/" not in shown
        assert list(Comment.objects.all()) == [theirs]

    def test_refuses_an_empty_comment(self, drawing: Submission, desk: Client) -> None:
        answer = desk.post(f"{LIST}{drawing.pk}/comment/", {"text": " "}, follow=True)

        assert "1 to 2000 characters" in answer.content.decode()
        assert not Comment.objects.exists()

    def test_is_for_reviewers(self, drawing: Submission, ada: User) -> None:
        comment = add_comment(submission_id=drawing.pk, author=ada, text="a seven?")
        clerk = Client()
        enter_desk(clerk, User.objects.create_user("clerk", is_staff=True))

        for path in (f"{drawing.pk}/comment/", f"comment/{comment.pk}/delete/"):
            assert clerk.post(f"{LIST}{path}", {"text": "no"}).status_code == 403
        assert Comment.objects.get() == comment


class TestErasing:
    def test_of_the_drawing_takes_its_comments_along(
        self, drawing: Submission, ada: User
    ) -> None:
        add_comment(submission_id=drawing.pk, author=ada, text="a seven?")

        delete_submissions(submissions=Submission.objects.all())

        assert not Comment.objects.exists()

    def test_of_the_author_leaves_no_name(
        self, drawing: Submission, desk: Client, admin_user: User
    ) -> None:
        ben = make_reviewer("ben")
        add_comment(submission_id=drawing.pk, author=ben, text="a seven?")

        delete_account(user=ben, by=admin_user)

        page = desk.get(f"{LIST}{drawing.pk}/change/").content.decode()
        assert "a seven?" in page
        assert "a deleted user" in page


class TestExport:
    def test_has_no_comments(
        self, drawing: Submission, ada: User, client: Client
    ) -> None:
        """They are notes among staff; the owner's drawings and answers are exported."""
        owner = User.objects.create_user("owner")
        drawing.visitor.user = owner
        drawing.visitor.save()
        add_comment(submission_id=drawing.pk, author=ada, text="untidy hand")
        client.force_login(owner)

        answer = client.get("/api/v1/submissions/export/?as=ndjson")

        exported = b"".join(answer)
        assert str(drawing.pk).encode() in exported
        assert b"untidy" not in exported
