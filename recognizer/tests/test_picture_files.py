"""Pictures as files of a folder: stored, shown, moved, archived, deleted, backed up."""

import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from recognizer.drawings import picture_files, tallies
from recognizer.models import (
    Erasure,
    Picture,
    PicturesUnavailableError,
    Submission,
)
from recognizer.ops import retention
from recognizer.reader.pictures import as_data_url
from recognizer.tests.machines import Machine
from recognizer.tests.test_submissions_api import URL, seven_png
from tools.server import Server, data_alone, one_of_many, serving

pytestmark = pytest.mark.usefixtures("active_model")


def use(settings: LazySettings, folder: Path | None) -> None:
    """Store new pictures in a folder from now on, or in the database."""
    storages = {name: settings.STORAGES[name] for name in ("default", "staticfiles")}
    if folder:
        storages["pictures"] = {
            "BACKEND": "recognizer.drawings.picture_files.PictureFolder",
            "OPTIONS": {"location": folder, "allow_overwrite": True},
        }
    settings.STORAGES = storages


@pytest.fixture
def folder(settings: LazySettings, tmp_path: Path) -> Path:
    """The folder that new pictures go to; nobody has made it yet."""
    use(settings, tmp_path / "pictures")
    return tmp_path / "pictures"


def sent(client: Client) -> Any:
    return client.post(URL, seven_png(), content_type="image/png")


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


class TestFiles:
    def test_are_read_and_shown_like_those_in_the_database(
        self, program: Client, folder: Path, settings: LazySettings
    ) -> None:
        use(settings, None)
        in_database = sent(program).json()
        use(settings, folder)

        in_file = sent(program).json()

        pictures = Picture.objects.order_by("pk")
        assert [picture.png is None for picture in pictures] == [False, True]
        assert len({picture.content() for picture in pictures}) == 1
        assert (
            in_file["prediction"]["probabilities"]
            == (in_database["prediction"]["probabilities"])
        )
        shown = [program.get(one["drawing_url"]) for one in (in_database, in_file)]
        assert [response.status_code for response in shown] == [200, 200]
        assert shown[0].content == shown[1].content

    def test_are_one_for_each_picture(self, program: Client, folder: Path) -> None:
        ids = [sent(program).json()["id"].replace("-", "") for _ in range(3)]

        assert [path.stem for path in files_in(folder)] == sorted(
            ids, key=lambda key: (key[-3:], key)
        )

    def test_are_deleted_with_their_drawings(
        self,
        program: Client,
        folder: Path,
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        kept, gone = sent(program).json(), sent(program).json()

        with django_capture_on_commit_callbacks(execute=True):
            assert program.delete(f"{URL}{gone['id']}/").status_code == 204

        assert [str(picture.pk) for picture in Picture.objects.all()] == [kept["id"]]
        assert [path.stem for path in files_in(folder)] == [kept["id"].replace("-", "")]

    def test_do_not_exist_if_the_row_was_not_stored(
        self, program: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(counts: Any) -> None:
            raise OperationalError("the disk is full")

        monkeypatch.setattr(tallies, "add", fail)

        assert sent(program).status_code == 503
        assert files_in(folder) == []

    def test_that_cannot_be_written_leave_no_row(
        self, program: Client, folder: Path
    ) -> None:
        folder.write_text("not a folder")

        response = sent(program)

        assert response.status_code == 503
        assert response.json()["error"]["code"] == "unavailable"
        assert not Submission.objects.exists()

    def test_are_written_together_or_not_at_all(self, folder: Path) -> None:
        one, other = (Picture(submission_id=uuid4()) for _ in range(2))
        folder.mkdir()
        (folder / other.name.partition("/")[0]).write_text("not a folder")
        before = files_in(folder)

        with pytest.raises(PicturesUnavailableError, match="not stored"):
            picture_files.write_files([(one, b"png"), (other, b"png")])

        assert files_in(folder) == before

    def test_that_are_lost_are_missed_like_deleted_ones(
        self, program: Client, folder: Path
    ) -> None:
        drawing = sent(program).json()
        files_in(folder)[0].unlink()

        assert program.get(drawing["drawing_url"]).status_code == 404
        assert program.get(f"{URL}{drawing['id']}/").status_code == 200

    def test_without_their_folder_are_missing_for_now(
        self, program: Client, folder: Path, settings: LazySettings
    ) -> None:
        drawing = sent(program).json()
        use(settings, None)

        assert program.get(drawing["drawing_url"]).status_code == 503


class TestLeftOver:
    def test_files_of_deleted_drawings_are_deleted(
        self, program: Client, folder: Path
    ) -> None:
        kept = sent(program).json()["id"].replace("-", "")
        deleted, unknown = uuid4(), uuid4()
        picture_files.write_files(
            [(Picture(submission_id=pk), b"png") for pk in (deleted, unknown)]
        )
        Erasure.objects.create(subject_id=deleted)

        assert picture_files.delete_left_over() == 1
        assert {path.stem for path in files_in(folder)} == {kept, unknown.hex}

    def test_are_looked_for_every_night(self, program: Client, folder: Path) -> None:
        deleted = uuid4()
        picture_files.write_files([(Picture(submission_id=deleted), b"png")])
        Erasure.objects.create(subject_id=deleted)

        call_command("expire")

        assert files_in(folder) == []


class TestMove:
    def test_there_and_back_changes_nothing(
        self,
        program: Client,
        folder: Path,
        settings: LazySettings,
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        use(settings, None)
        for _ in range(3):
            sent(program)
        before = list(Picture.objects.order_by("pk").values_list("png", flat=True))
        use(settings, folder)

        call_command("move_pictures")
        there = list(Picture.objects.values_list("png", flat=True))
        files = files_in(folder)
        with django_capture_on_commit_callbacks(execute=True):
            call_command("move_pictures", "--back")

        assert there == [None] * 3
        assert len(files) == 3
        assert list(Picture.objects.order_by("pk").values_list("png", flat=True)) == (
            before
        )
        assert files_in(folder) == []

    def test_without_a_folder_is_refused(self) -> None:
        with pytest.raises(CommandError, match="PICTURES_FOLDER is not set"):
            call_command("move_pictures")


def test_an_archive_holds_the_pictures_and_brings_them_back(
    program: Client,
    folder: Path,
    tmp_path: Path,
    django_capture_on_commit_callbacks: Any,
) -> None:
    sent(program)
    content = Picture.objects.get().content()
    tomorrow = timezone.now() + timedelta(days=1)

    with django_capture_on_commit_callbacks(execute=True):
        retention.expire(before=tomorrow, folder=tmp_path / "archives", tell=print)
    left = files_in(folder)
    (archive,) = (tmp_path / "archives").iterdir()
    retention.restore(archive, tell=print)

    assert left == []
    assert Picture.objects.get().content() == content


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Server]:
    """An empty data folder and an empty database, with a folder of pictures."""
    variables = {"PICTURES_FOLDER": str(tmp_path / "pictures-elsewhere")}
    with data_alone(tmp_path / "elsewhere", **variables) as server:
        yield server


@pytest.mark.database
def test_a_backup_holds_the_pictures_but_what_was_deleted(
    tmp_path: Path, elsewhere: Server
) -> None:
    folder = tmp_path / "pictures"
    backups, erased = tmp_path / "backups", tmp_path / "erased"
    with serving(tmp_path / "var", PICTURES_FOLDER=str(folder)) as server:
        machine = Machine(server.url)
        picture = {"image": as_data_url(seven_png())}
        first = machine.call("POST", "submissions/", picture)
        cookie = {"Cookie": first.cookie}
        second = machine.call("POST", "submissions/", picture, **cookie)
        kept, deleted = str(first.body["id"]), str(second.body["id"])
        server.manage("backup", str(backups))
        machine.call("DELETE", f"submissions/{deleted}/", **cookie)
        after = [path.stem for path in files_in(folder)]
        server.manage("erasures", str(erased), "--backups", str(backups))
    (backup,) = backups.iterdir()
    with tarfile.open(backup / "pictures.tar") as tar:
        in_backup = [Path(name).stem for name in tar.getnames()]

    elsewhere.manage("restore", str(backup), "--erased", str(erased))

    variables = dict(elsewhere.variables)
    with one_of_many(elsewhere.var, **variables) as restored:
        again = Machine(restored.url)
        shown = again.call("GET", f"submissions/{kept}/image.png", **cookie).status
    key = kept.replace("-", "")
    assert after == in_backup == [key]
    assert [path.stem for path in files_in(tmp_path / "pictures-elsewhere")] == [key]
    assert shown == 200


def test_a_backup_loses_the_file_of_a_drawing_that_came_while_it_was_made(
    program: Client, folder: Path, tmp_path: Path
) -> None:
    kept, late = (UUID(sent(program).json()["id"]) for _ in range(2))
    tar, copy = tmp_path / "pictures.tar", tmp_path / "copy.tar"
    picture_files.write_tar(tar)

    left_out = picture_files.copy_tar(tar, copy, without={late})

    assert left_out == 1
    with tarfile.open(copy) as opened:
        assert [Path(name).stem for name in opened.getnames()] == [kept.hex]
