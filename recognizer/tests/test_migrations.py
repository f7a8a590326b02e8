"""`migrate` makes a site that reads; a database of the first release is refused."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from mlcore import places
from recognizer.apps import prepare_database
from recognizer.models import ModelVersion
from recognizer.ops.migrated import missing_migrations
from recognizer.tests.drawings import SEVEN


def environment(var: Path, **variables: str) -> dict[str, str]:
    """Return what somebody has who sets nothing but a data folder."""
    return {
        "PATH": os.environ["PATH"],
        "DIGITSITE_VAR": str(var),
        "PYTHONUNBUFFERED": "1",
        **variables,
    }


def manage(var: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run manage.py; return its status and what it says."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=places.REPOSITORY,
        env=environment(var, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout


@contextmanager
def runserver(var: Path, **variables: str) -> Iterator[str]:
    """Run Django's development server; give its address."""
    with subprocess.Popen(
        [sys.executable, "manage.py", "runserver", "--noreload", "127.0.0.1:0"],
        cwd=places.REPOSITORY,
        env=environment(var, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                    yield found[0]
                    break
            else:
                raise RuntimeError("runserver ended without an address.")
        finally:
            process.terminate()


def get(url: str, body: bytes | None = None) -> bytes:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
    return content


class TestMigrate:
    def test_makes_the_tables_of_the_models(self, db: None) -> None:
        call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)

        assert missing_migrations() == frozenset()
        with connection.cursor() as cursor:
            for model in apps.get_app_config("recognizer").get_models():
                table = model._meta.db_table
                found = connection.introspection.get_table_description(cursor, table)
                names = {field.column for field in model._meta.local_concrete_fields}
                assert {column.name for column in found} == names

    @pytest.mark.parametrize("variables", [{}, {"DEBUG": "1"}])
    def test_and_runserver_give_a_site_that_reads(
        self, tmp_path: Path, variables: dict[str, str]
    ) -> None:
        status, said = manage(tmp_path, "migrate", **variables)
        assert status == 0, said

        with runserver(tmp_path, **variables) as url:
            drawings = json.dumps({"drawings": [SEVEN]}).encode()
            answer = json.loads(get(f"{url}/api/v1/readings/", drawings))
            page = get(f"{url}/").decode()
            style = get(url + re.findall(r'/static/[^"]*\.css', page)[0])

        assert answer["readings"][0]["digit"] == 7
        assert b"{" in style

    def test_says_in_a_sentence_which_bundle_cannot_be_used(
        self, tmp_path: Path
    ) -> None:
        bundle = tmp_path / "bundle"
        bundle.mkdir()

        status, said = manage(tmp_path, "migrate", "-v0", BUNDLE=str(bundle))

        assert status == 1
        assert said == (
            f"Digitsite cannot start: {bundle} is not a bundle: it has no "
            "manifest.json.\n"
        )


class TestPrepareDatabase:
    """What runs after `migrate`."""

    @pytest.fixture(autouse=True)
    def _emptied(self, no_model: None) -> None:
        Group.objects.all().delete()

    def test_makes_the_groups_and_a_model_that_reads_once(self) -> None:
        for _ in range(2):
            prepare_database(plan=[])

        assert ModelVersion.objects.get().stage == "active"
        assert Group.objects.count() == 2
        assert Group.objects.get(name="Reviewers").permissions.count() == 2

    def test_leaves_a_flushed_database_empty(self) -> None:
        prepare_database()

        assert not ModelVersion.objects.exists()

    def test_waits_for_the_last_migration(self) -> None:
        MigrationRecorder(connection).record_unapplied("recognizer", "0001_initial")

        prepare_database(plan=[])

        assert missing_migrations() == {("recognizer", "0001_initial")}
        assert not ModelVersion.objects.exists()


@pytest.mark.parametrize("command", ["migrate", "prepare", "runserver", "serve"])
def test_a_database_of_the_first_release_is_refused(
    tmp_path: Path, command: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "digitsite.sqlite3")) as database:
        database.execute(
            "CREATE TABLE django_migrations (id INTEGER PRIMARY KEY, app TEXT, "
            "name TEXT, applied TEXT)"
        )
        database.execute(
            "INSERT INTO django_migrations VALUES "
            "(1, 'recognizer', '0001_first_schema', '2026-11-24 00:35:00')"
        )
        database.commit()
    port = ["--noreload", "127.0.0.1:0"] if command == "runserver" else []

    status, said = manage(tmp_path, command, *port, PORT="0")

    assert status == 1
    assert "This database was made by Digitsite 0.1" in said
    assert "Traceback" not in said
