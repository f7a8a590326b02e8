"""A site whose DATABASE_URL leads to PgBouncer in transaction mode."""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recognizer.tests.conftest import SEVEN
from recognizer.tests.machines import IN_PRODUCTION, Machine, at_once
from recognizer.tests.test_machines import PROMOTE_ANOTHER, _all_ids
from tools.server import Server, one_of_many, own_database

pytestmark = pytest.mark.services

READ_TWICE = """
from django.db.models import Count
from recognizer.models import Prediction, Submission
found = Prediction.objects.filter(role="rescore")
twice = found.values("submission").annotate(n=Count("pk")).filter(n__gt=1)
print(Submission.objects.count(), found.count(), twice.count())
"""

ADVISORY_LOCKS = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
    print(cursor.fetchone()[0])
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Server]:
    """A site with a database of its own, which it reaches through PgBouncer only."""
    with own_database() as database:
        name = database["DATABASE_URL"].rpartition("/")[2]
        url = f"{os.environ['PGBOUNCER_URL']}/{name}"
        variables = {**IN_PRODUCTION, "DATABASE_URL": url, "PGBOUNCER": "1"}
        with one_of_many(tmp_path / "var", **variables) as server:
            yield server


class TestPgBouncer:
    def test_serves_more_connections_than_it_opens(self, site: Server) -> None:
        site.make_user("drawer")
        token = site.make_token("drawer", "read,write")
        headers = {"Authorization": f"Bearer {token}"}
        machine = Machine(site.url)

        stored = at_once(
            40, lambda _: machine.call("POST", "submissions/", SEVEN, **headers)
        )
        listed = _all_ids(machine, headers)

        assert Counter(answer.status for answer in stored) == {201: 40}
        assert sorted(listed) == sorted(answer.body["id"] for answer in stored)

        version = site.manage("shell", "--no-imports", "-c", PROMOTE_ANOTHER).split()[0]
        site.manage("rescore", version, "--workers", "2")

        told = site.manage("shell", "--no-imports", "-c", READ_TWICE)
        assert told == "40 40 0"

    def test_prepares_beside_other_traffic_and_leaves_no_lock(
        self, site: Server
    ) -> None:
        machine = Machine(site.url)
        with ThreadPoolExecutor() as threads:
            traffic = threads.submit(at_once, 40, lambda _: machine.call("GET", "me/"))
            prepared = [threads.submit(site.manage, "prepare") for _ in range(2)]
            said = [one.result(timeout=60) for one in prepared]
            assert {answer.status for answer in traffic.result(timeout=60)} == {200}

        assert all(one.endswith("is active.") for one in said)
        held = site.manage("shell", "--no-imports", "-c", ADVISORY_LOCKS)
        assert held == "0"
