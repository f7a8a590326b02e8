"""Old drawings are taken out, and nothing is lost or kept against its owner's will."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from mlcore.reading.specimens import specimens
from recognizer.drawings import tallies
from recognizer.drawings.comments import add_comment
from recognizer.drawings.erasing import delete_all, erase_again
from recognizer.drawings.feedback import give_feedback
from recognizer.models import (
    Archived,
    Comment,
    Erasure,
    Feedback,
    Label,
    Prediction,
    Submission,
    Tally,
    User,
    Visitor,
)
from recognizer.ops import retention as expiry
from recognizer.tests.learning import make_person, submit

pytestmark = pytest.mark.usefixtures("active_model")

AGO = timedelta(days=100)


@pytest.fixture
def long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw a hundred days ago."""
    serial = iter(range(10**6))

    def old_id() -> UUID:
        moment = (timezone.now() - AGO).timestamp()
        return UUID(int=int(moment * 1000) << 80 | 7 << 76 | 2 << 62 | next(serial))

    monkeypatch.setattr(Submission._meta.get_field("id"), "_get_default", old_id)


def fill(reviewer: User, count: int = 5) -> Visitor:
    """Draw, answer and decide."""
    person = make_person()
    for one in specimens()[:count]:
        drawn = submit(person, one.strokes, reviewer=reviewer, digit=one.digit)
        give_feedback(submission=drawn, verdict="wrong", digit=3)
        add_comment(submission_id=drawn.pk, author=reviewer, text="well drawn")
    return person


def everything() -> dict[str, Any]:
    """Return all that is kept of drawings."""
    models = (Submission, Prediction, Feedback, Label, Comment)
    rows = {
        m.__name__: list(m._default_manager.order_by("pk").values()) for m in models
    }
    return {**rows, "numbers": +tallies.total(Tally.objects.all())}


def expire(folder: Path | None, days: int = 30) -> int:
    before = timezone.now() - timedelta(days=days)
    return expiry.expire(before=before, folder=folder, tell=lambda _: None)


def archives(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("*.ndjson.gz"))


@pytest.mark.usefixtures("long_ago")
class TestExpiry:
    def test_deletes_what_is_old_and_takes_it_from_the_numbers(
        self, reviewer: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(expiry, "IN_A_FILE", 2)
        fill(reviewer)

        assert expire(None, days=200) == 0
        assert expire(None) == 5

        assert not any(everything().values())
        assert not Archived.objects.exists()

    def test_leaves_what_is_new(
        self, reviewer: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(reviewer)
        monkeypatch.undo()
        new = submit(make_person(), specimens()[0].strokes)

        assert expire(None) == 5

        assert Submission.objects.get() == new

    def test_brings_back_all_that_was_archived(
        self, reviewer: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(expiry, "IN_A_FILE", 2)
        fill(reviewer)
        before = everything()

        assert expire(tmp_path) == 5
        assert not any(everything().values())
        assert len(archives(tmp_path)) == len(list(tmp_path.iterdir())) == 3
        for path in archives(tmp_path):
            expiry.restore(path, tell=lambda _: None)

        assert everything() == before
        assert not Archived.objects.exists()
        assert not list(tmp_path.iterdir())

    def test_keeps_backups_from_erasing_what_is_archived_only(
        self, reviewer: User, tmp_path: Path
    ) -> None:
        """What its owner then deletes is erased from the archive and from backups."""
        owner = fill(reviewer)
        ids = set(Submission.objects.values_list("pk", flat=True))

        expire(tmp_path)
        listed = Erasure.objects.count()
        delete_all(visitors=[owner])

        assert listed == 0
        assert set(Erasure.objects.values_list("pk", flat=True)) == ids
        assert not Archived.objects.exists()
        Archived.objects.bulk_create(Archived(pk=pk, visitor=owner) for pk in ids)
        erase_again(ids=ids)  # after a restore
        assert not Archived.objects.exists()

    @pytest.mark.parametrize("killed_at", ["_write", "_sync", "_finish", "_settle"])
    def test_loses_nothing_wherever_it_is_killed(
        self,
        killed_at: str,
        reviewer: User,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        fill(reviewer)
        before = everything()
        with monkeypatch.context() as patched:
            patched.setattr(expiry, killed_at, killed)
            with pytest.raises(KeyboardInterrupt):
                expire(tmp_path)

        expire(tmp_path)
        (path,) = archives(tmp_path)
        expiry.restore(path, tell=lambda _: None)

        assert everything() == before

    def test_keeps_what_was_answered_since_it_was_written(
        self, reviewer: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(reviewer)
        with monkeypatch.context() as patched:
            patched.setattr(expiry, "_finish", killed)
            with pytest.raises(KeyboardInterrupt):
                expire(tmp_path)
        answered = Submission.objects.earliest("pk")
        give_feedback(submission=answered, verdict="right")
        before = everything()

        assert expire(tmp_path) == 5
        for path in archives(tmp_path):
            expiry.restore(path, tell=lambda _: None)

        assert everything() == before


def killed(*args: Any, **options: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("long_ago")
class TestErasure:
    def test_reaches_the_archives(self, reviewer: User, tmp_path: Path) -> None:
        erased, kept = fill(reviewer), fill(reviewer)
        expire(tmp_path)

        delete_all(visitors=[erased])
        assert expiry.forget_erased(tmp_path) == 5
        (path,) = archives(tmp_path)
        assert expiry.restore(path, tell=lambda _: None) == 5

        assert set(Submission.objects.values_list("visitor", flat=True)) == {kept.pk}

    def test_of_everybody_leaves_no_file(self, reviewer: User, tmp_path: Path) -> None:
        person = fill(reviewer)
        expire(tmp_path)

        person.delete()
        expiry.forget_erased(tmp_path)

        assert not list(tmp_path.iterdir())

    def test_wins_over_restoring(self, reviewer: User, tmp_path: Path) -> None:
        person = fill(reviewer)
        expire(tmp_path)
        delete_all(visitors=[person])

        (path,) = archives(tmp_path)
        assert expiry.restore(path, tell=lambda _: None) == 0

        assert not Submission.objects.exists()


@pytest.mark.usefixtures("long_ago")
class TestCommand:
    def test_keeps_everything_unless_told(
        self, reviewer: User, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fill(reviewer)

        call_command("expire")

        assert "RETENTION_DAYS" in capsys.readouterr().out
        assert Submission.objects.count() == 5

    def test_clears_away_sessions_and_tasks_that_have_ended(
        self, reviewer: User
    ) -> None:
        browsers = [Client(), Client()]
        for browser in browsers:
            browser.force_login(reviewer)
        ended = browsers[0].session
        ended.set_expiry(-1)
        ended.save()
        now = timezone.now()
        for name, age in (("old", 40), ("new", 2)):
            DBTaskResult.objects.create(
                task_path=f"recognizer.{name}",
                args_kwargs={"args": [], "kwargs": {}},
                queue_name="default",
                backend_name="default",
                run_after=now,
                status=TaskResultStatus.SUCCESSFUL,
                finished_at=now - timedelta(days=age),
                exception_class_path="",
                traceback="",
            )

        call_command("expire")

        assert Session.objects.get().pk == browsers[1].session.session_key
        assert DBTaskResult.objects.get().task_path == "recognizer.new"

    def test_goes_by_the_setting(
        self, reviewer: User, settings: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings.RETENTION_DAYS = 99
        fill(reviewer)

        call_command("expire")

        assert "Deleted 5 drawings" in capsys.readouterr().out

    def test_refuses_an_archive_that_was_changed(
        self, reviewer: User, tmp_path: Path
    ) -> None:
        fill(reviewer)
        call_command("expire", older_than=9, archive=tmp_path)
        (path,) = archives(tmp_path)
        path.write_bytes(path.read_bytes() + b"x")

        with pytest.raises(CommandError, match="sha256"):
            call_command("expire", restore=path)
        with pytest.raises(CommandError, match="not an archive"):
            call_command("expire", restore=tmp_path / "none")
