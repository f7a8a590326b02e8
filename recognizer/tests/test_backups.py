"""The drill: back up while drawings arrive, delete one, restore elsewhere."""

import gzip
import json
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from mlcore import paths
from recognizer.tests.conftest import SEVEN
from recognizer.tests.machines import Machine
from tools.server import (
    Server,
    data_alone,
    environment,
    one_of_many,
    serving,
)


def refusal(server: Server, *arguments: str) -> str:
    """Return what a command that refuses says."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=paths.REPOSITORY,
        env=environment(server.var, dict(server.variables)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def shell(server: Server, code: str) -> str:
    """Run a line of Python on a site's rows; return what it prints."""
    imports = (
        "from recognizer.models import *; "
        "from recognizer.drawings import erasing, feedback, submitting; "
        "from recognizer.learning import labels, promotion; "
    )
    return server.manage("shell", "--no-imports", "-c", imports + code)


def stored(machine: Machine, **headers: str) -> str:
    answer = machine.call("POST", "submissions/", SEVEN, **headers)
    assert answer.status == 201
    return str(answer.body["id"])


def status_of(machine: Machine, drawing: str, headers: dict[str, str]) -> int:
    return machine.call("GET", f"submissions/{drawing}/", **headers).status


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Server]:
    """An empty data folder and an empty database, served by nobody."""
    with data_alone(tmp_path / "elsewhere") as server:
        yield server


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path, str]]:
    """A site with one drawing, its backup, and the drawing's id."""
    folder = tmp_path_factory.mktemp("one")
    with serving(folder / "var") as server:
        drawing = stored(Machine(server.url))
        server.manage("backup", str(folder / "backups"))
        (backup,) = (folder / "backups").iterdir()
        yield server, backup, drawing


@pytest.mark.database
class TestDrill:
    def test_brings_all_back_but_what_was_deleted(
        self, tmp_path: Path, elsewhere: Server
    ) -> None:
        with serving(tmp_path / "var") as server:
            machine = Machine(server.url)
            visit = machine.call("POST", "submissions/", SEVEN)
            cookie = {"Cookie": visit.cookie}
            acknowledged = [str(visit.body["id"])]
            is_over = threading.Event()

            def draw() -> None:
                while not is_over.is_set():
                    acknowledged.append(stored(machine, **cookie))

            with ThreadPoolExecutor(4) as senders:
                for _ in range(4):
                    senders.submit(draw)
                while len(acknowledged) < 40:
                    is_over.wait(0.02)
                before = list(acknowledged)
                server.manage("backup", str(tmp_path / "backups"))
                during = len(acknowledged)
                is_over.set()
            deleted = before[7]
            machine.call("DELETE", f"submissions/{deleted}/", **cookie)
            server.manage("erasures", str(tmp_path / "erased"))
        (backup,) = (tmp_path / "backups").iterdir()

        told = elsewhere.manage(
            "restore", str(backup), "--erased", str(tmp_path / "erased")
        )

        assert during > len(before)  # drawings arrived while it was made
        assert "without the 1 drawings deleted since" in told
        variables = dict(elsewhere.variables)
        with one_of_many(elsewhere.var, **variables) as restored:
            again = Machine(restored.url)
            statuses = {each: status_of(again, each, cookie) for each in before}
            numbers = again.call("GET", "stats/").body
            mended = restored.manage("rebuild")
            recounted = again.call("GET", "stats/").body
            late = stored(again, **cookie)
        assert statuses.pop(deleted) == 404
        assert set(statuses.values()) == {200}
        assert late not in acknowledged
        assert mended.startswith("0 submissions")
        assert recounted == numbers
        assert len(before) - 1 <= numbers["submissions"] < len(acknowledged)

    def test_leaves_no_byte_of_what_was_deleted(
        self, one: tuple[Server, Path, str], tmp_path: Path, elsewhere: Server
    ) -> None:
        server, backup, drawing = one
        reading = shell(server, "print(Prediction.objects.get().pk.hex)").encode()
        (tmp_path / "erased").write_text(f"{drawing}\n")

        elsewhere.manage("restore", str(backup), "--erased", str(tmp_path / "erased"))

        assert shell(elsewhere, "print(Submission.objects.count())") == "0"
        database = elsewhere.var / "digitsite.sqlite3"
        if database.exists():  # else PostgreSQL's, which was filled without them
            assert reading in (backup / "database.sqlite3").read_bytes()
            assert reading not in database.read_bytes()


_MARKS = """
from django.db import connection
user = User.objects.get(username="ada-of-the-drill")
print(user.password.encode().hex())
print(user.email.encode().hex())
print(user.username.encode().hex())
with connection.cursor() as cursor:
    cursor.execute("SELECT strokes FROM recognizer_submission")
    for (content,) in cursor.fetchall():
        print(bytes(content).hex())
"""
_SECRETS = """
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from recognizer.models import BrowserSession
user = User.objects.get(username="ada-of-the-drill")
print(TOTPDevice.objects.create(user=user, name="app").key.encode().hex())
device = StaticDevice.objects.create(user=user, name="app")
print(device.token_set.create(token="code-of-the-dri").token.encode().hex())
print(BrowserSession.objects.get(user=user).session_id.encode().hex())
"""
_LEFT = (
    "from django.contrib.sessions.models import Session; "
    "from django_otp.plugins.otp_static.models import StaticDevice, StaticToken; "
    "from django_otp.plugins.otp_totp.models import TOTPDevice; "
    "from recognizer.models import BrowserSession; "
    "print(*(model.objects.count() for model in (User, Visitor, Submission, Picture, "
    "Prediction, Archived, Token, Session, BrowserSession, TOTPDevice, StaticDevice, "
    "StaticToken)))"
)
_FORGET = (
    "from pathlib import Path; from recognizer.ops import retention; "
    "retention.forget_erased(Path({!r})); "
)
_ARCHIVE_ALL = (
    "from pathlib import Path; from datetime import UTC, datetime, timedelta; "
    "from recognizer.ops import retention; retention.expire("
    "before=datetime.now(UTC) + timedelta(days=1), folder=Path({!r}), tell=int)"
)


class Account:
    """A user's browser at a site that runs: it signs up, draws and leaves."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self.jar = CookieJar()
        self.browser = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.jar)
        )

    def fill_in(self, path: str, **fields: str) -> str:
        """Open a page and send its form."""
        with self.browser.open(f"{self.url}{path}") as page:
            (token,) = set(
                re.findall(r'csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
            )
        sent = urlencode({**fields, "csrfmiddlewaretoken": token}).encode()
        with self.browser.open(f"{self.url}{path}", sent) as answer:
            return str(answer.read().decode())

    def draw(self, **drawing: Any) -> None:
        """Store a drawing by the API, with the session and its CSRF token."""
        (token,) = [one.value for one in self.jar if one.name == "csrftoken"]
        request = urllib.request.Request(
            f"{self.url}/api/v1/submissions/",
            json.dumps({**SEVEN, **drawing}).encode(),
            {"Content-Type": "application/json", "X-CSRFToken": str(token)},
        )
        self.browser.open(request).close()


def files_with(folder: Path, marks: set[bytes]) -> list[str]:
    """Return the files, packed or not, that hold one of the marks."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            read = gzip.open if path.suffix == ".gz" else open
            with read(path, "rb") as file:
                content = file.read()
            if any(mark in content for mark in marks):
                found.append(path.name)
    return found


@pytest.mark.database
class TestDeletedAccount:
    PASSWORD = "correct horse battery staple"

    def test_is_nowhere_and_no_backup_brings_it_back(
        self, tmp_path: Path, elsewhere: Server
    ) -> None:
        archive, backups = tmp_path / "archive", tmp_path / "backups"
        with serving(tmp_path / "var") as server:
            account = Account(server)
            account.fill_in(
                "/account/sign-up/",
                username="ada-of-the-drill",
                email="ada@drill.example",
                password1=self.PASSWORD,
                password2=self.PASSWORD,
            )
            account.draw(strokes=[[[70, 70], [137.625, 66], [205, 66], [125, 225]]])
            marking = _MARKS + _ARCHIVE_ALL.format(str(archive))
            marks = {bytes.fromhex(line) for line in shell(server, marking).split()}
            account.draw(strokes=[[[70, 70], [139.125, 66], [205, 66], [125, 225]]])
            marking = _MARKS + _SECRETS
            marks |= {bytes.fromhex(line) for line in shell(server, marking).split()}
            server.manage("backup", str(backups))
            shutil.copytree(backups, tmp_path / "copied")
            before = files_with(tmp_path / "var", marks)
            archived = files_with(archive, {b"137.625"})

            told = account.fill_in("/account/delete/", password=self.PASSWORD)
            at_once = files_with(tmp_path / "var", marks)
            erased = str(tmp_path / "erased")
            server.manage("erasures", erased, "--backups", str(backups))
            left = shell(server, _FORGET.format(str(archive)) + _LEFT)
        (backup,) = backups.iterdir()
        (copied,) = (tmp_path / "copied").iterdir()
        again = elsewhere.manage("restore", str(copied), "--erased", erased)

        assert len(marks) == 8
        assert "have been deleted" in told
        assert archived
        assert at_once == []
        assert files_with(archive, {b"137.625"}) == []
        assert set(left.split()) == {"0"}
        assert "without 1 deleted accounts" in again
        assert shell(elsewhere, _LEFT) == left
        if (backup / "database.sqlite3").exists():  # a dump is packed
            assert before
            assert files_with(copied, marks)
            assert files_with(backup, marks) == []
            assert files_with(elsewhere.var, marks) == []
        else:
            elsewhere.manage("restore", str(backup), "--nothing-was-erased")
            assert shell(elsewhere, _LEFT) == left


class TestRestore:
    @pytest.mark.long
    def test_asks_what_was_deleted_since(
        self, one: tuple[Server, Path, str], elsewhere: Server
    ) -> None:
        _, backup, _ = one

        assert "--erased" in refusal(elsewhere, "restore", str(backup))
        assert "Restored" in elsewhere.manage(
            "restore", str(backup), "--nothing-was-erased"
        )

    def test_knows_it_from_the_database_it_replaces(
        self, one: tuple[Server, Path, str], tmp_path: Path, elsewhere: Server
    ) -> None:
        _, backup, drawing = one
        elsewhere.manage("restore", str(backup), "--nothing-was-erased")
        shell(elsewhere, f"erasing.erase_again(ids=['{drawing}'])")

        told = elsewhere.manage("restore", str(backup))

        assert "without the 1 drawings deleted since" in told

    @pytest.mark.long
    def test_replaces_drawings_only_where_told(
        self, one: tuple[Server, Path, str], elsewhere: Server
    ) -> None:
        _, backup, _ = one
        elsewhere.manage("restore", str(backup), "--nothing-was-erased")

        assert "--replace" in refusal(elsewhere, "restore", str(backup))
        assert "Restored" in elsewhere.manage("restore", str(backup), "--replace")

    def test_waits_for_nobody_who_uses_the_database(
        self, one: tuple[Server, Path, str]
    ) -> None:
        server, backup, _ = one

        said = refusal(server, "restore", str(backup), "--replace")

        assert "stop the site" in said.lower()
        assert Machine(server.url).call("GET", "stats/").body["submissions"] == 1

    def test_refuses_a_damaged_one(
        self, one: tuple[Server, Path, str], tmp_path: Path, elsewhere: Server
    ) -> None:
        _, backup, _ = one
        damaged = tmp_path / "damaged"
        damaged.mkdir()
        for path in backup.iterdir():
            (damaged / path.name).write_bytes(path.read_bytes())
        (database,) = damaged.glob("database.*")
        content = bytearray(database.read_bytes())
        content[len(content) // 2] ^= 1
        database.write_bytes(content)

        said = refusal(elsewhere, "restore", str(damaged), "--nothing-was-erased")

        assert f"{database.name} is damaged" in said

    @pytest.mark.parametrize("found", ["", "{}", '{"format": 1}', "[]"])
    def test_refuses_what_is_no_backup(
        self, elsewhere: Server, tmp_path: Path, found: str
    ) -> None:
        (tmp_path / "manifest.json").write_text(found)

        assert "is not a backup" in refusal(elsewhere, "restore", str(tmp_path))


class TestBackup:
    def test_is_its_owner_s_alone(self, one: tuple[Server, Path, str]) -> None:
        _, backup, _ = one

        assert backup.stat().st_mode & 0o077 == 0
        assert all(path.stat().st_mode & 0o077 == 0 for path in backup.iterdir())

    def test_keeps_so_many(self, one: tuple[Server, Path, str], tmp_path: Path) -> None:
        server, _, _ = one
        for old in ("20250101T000000Z", "20250102T000000Z"):
            (tmp_path / f"digitsite-{old}").mkdir()
            (tmp_path / f"digitsite-{old}" / "manifest.json").touch()
        (tmp_path / "digitsite-of-somebody-Z").mkdir()

        server.manage("backup", str(tmp_path), "--keep", "2")

        kept = sorted(path.name for path in tmp_path.iterdir())
        assert kept[0] == "digitsite-20250102T000000Z"
        assert kept[1].startswith("digitsite-20")
        assert kept[2:] == ["digitsite-of-somebody-Z"]

    def test_that_cannot_be_made_leaves_nothing(
        self, one: tuple[Server, Path, str], tmp_path: Path
    ) -> None:
        server, _, _ = one
        (tmp_path / "file").touch()

        assert "The backup failed" in refusal(
            server, "backup", str(tmp_path / "file" / "below")
        )
        assert list(tmp_path.iterdir()) == [tmp_path / "file"]
