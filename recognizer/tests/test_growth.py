"""No page gets slower because more drawings are kept: its queries' plans say so."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.history import HistoryError, make_history
from recognizer.desk import readonly
from recognizer.drawings import tallies
from recognizer.drawings.derived import rebuild_derived
from recognizer.drawings.statistics import stats
from recognizer.models import (
    Feedback,
    Label,
    Prediction,
    Submission,
    Tally,
    User,
    Visitor,
)
from recognizer.tests.conftest import SEVEN, enter_desk, post_json

LARGE = ("submission", "prediction", "feedback", "label", "auditentry", "visitor")
ADMIN = "/admin/recognizer/submission/"
PAGES = (
    "/history/",
    "/history/?digit=7",
    "/history/?refused=true",
    "/history/?feedback=wrong",
    "/history/?before={middle}",
    "/history/?after={middle}",
    "/history/{middle}/",
    "/history/{middle}/?feedback=none",
    "/api/v1/submissions/",
    "/api/v1/submissions/?digit=7&before={middle}",
    "/api/v1/submissions/?refused=false",
    "/api/v1/submissions/?feedback=none",
    "/api/v1/submissions/{middle}/",
    "/api/v1/submissions/export/?as=ndjson",
    "/api/v1/stats/",
    "/api/v1/models/",
    "/model/",
    "/account/",
    f"{ADMIN}review/",
    f"{ADMIN}review/approve/?digit=7",
    "/admin/recognizer/modelversion/figures/",
    "/admin/",
)


def made_up(drawings: int = 300) -> Visitor:
    return make_history(drawings=drawings, visitors=6, most=drawings // 2)


@pytest.fixture
def member(active_model: Any, client: Client) -> Client:
    """A member of staff with three browsers, one of which drew half of everything."""
    first = made_up()
    user = User.objects.create_superuser("member")
    mine = Visitor.objects.order_by("pk")[:3]
    assert first in mine
    Visitor.objects.filter(pk__in=[one.pk for one in mine]).update(user=user)
    enter_desk(client, user)
    return client


def middle_of(user: str) -> Any:
    keys = Submission.objects.filter(visitor__user__username=user).order_by("pk")
    return keys.values_list("pk", flat=True)[80]


@pytest.mark.database
class TestPages:
    @pytest.mark.parametrize("page", PAGES)
    def test_ask_an_index_and_count_nothing(self, page: str, member: Client) -> None:
        address = page.format(middle=middle_of("member"))

        with CaptureQueriesContext(connection) as asked:
            answer = member.get(address)
            for _ in getattr(answer, "streaming_content", ()):
                pass

        assert answer.status_code == 200
        assert_flat(asked)

    def test_of_the_queue_do_so_too(self, member: Client) -> None:
        with CaptureQueriesContext(connection) as asked:
            answer = member.post(f"{ADMIN}review/claim/")

        assert answer.json()["drawings"]
        assert_flat(asked)

    def test_that_store_do_so_too(self, member: Client) -> None:
        with CaptureQueriesContext(connection) as asked:
            stored = post_json(member, "/api/v1/submissions/", SEVEN).json()
            address = f"/api/v1/submissions/{stored['id']}/"
            post_json(member, f"{address}feedback/", {"verdict": "right"})
            post_json(member, f"{address}label/", {"digit": 7})
            member.delete(address)

        assert not Submission.objects.filter(pk=stored["id"]).exists()
        assert_flat(asked)

    def test_plans_of_slow_queries_are_noticed(self, member: Client) -> None:
        slow: list[Callable[[], Any]] = [
            lambda: Submission.objects.count(),
            lambda: list(Submission.objects.order_by("-pk")[100:110]),
            lambda: list(Submission.objects.order_by("created_at")[:10]),
            lambda: list(Submission.objects.filter(pointer="pen")[:1]),
            lambda: list(
                Submission.objects.owned_by(*Visitor.objects.all()).order_by("-pk")[:9]
            ),
        ]
        for ask in slow:
            with CaptureQueriesContext(connection) as asked:
                ask()

            with pytest.raises(AssertionError):
                assert_flat(asked)

    @pytest.mark.parametrize("query", ["", "?refusal__exact=unsure", "?o=-2", "?p=2"])
    def test_of_the_admin_list_the_newest(
        self, query: str, member: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(readonly, "LISTED", 120)

        with CaptureQueriesContext(connection) as asked:
            shown = member.get(f"{ADMIN}{query}").context["cl"]

        # It counts and skips, but never more than it lists.
        for sql in queries_of(asked):
            assert re.search(r"\"id\" >= |LIMIT 1 OFFSET 119| IN \(", sql), sql

        assert shown.root_queryset.count() == 120
        assert "newest 120 only" in shown.title
        newest = Submission.objects.order_by("-pk").values_list("pk", flat=True)[:120]
        assert set(shown.root_queryset.values_list("pk", flat=True)) == set(newest)

    def test_of_the_admin_find_each_drawing(
        self, member: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(readonly, "LISTED", 120)
        oldest = Submission.objects.earliest("pk")

        assert member.get(f"{ADMIN}{oldest.pk}/change/").status_code == 200


def assert_flat(asked: CaptureQueriesContext) -> None:
    """See to it that no query counts, skips, sorts or reads through a large table."""
    for sql in queries_of(asked):
        assert "COUNT(" not in sql, sql
        assert "OFFSET" not in sql, sql
        for step in plan_of(sql):
            assert not is_slow(step), f"{step}: {sql}"


def queries_of(asked: CaptureQueriesContext) -> Iterator[str]:
    """Yield what was asked of large tables."""
    for query in asked.captured_queries:
        tables = re.findall(r"recognizer_(\w+)\"", query["sql"])
        if query["sql"].startswith("SELECT") and set(tables) & set(LARGE):
            yield query["sql"]


def plan_of(sql: str) -> Iterator[str]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            for row in cursor.fetchall():
                yield row[3]
            return
        # Of few rows PostgreSQL reads all and sorts them, if it is let.
        cursor.execute("SET LOCAL enable_seqscan=off")
        cursor.execute("SET LOCAL enable_bitmapscan=off")
        cursor.execute("SET LOCAL enable_sort=off")
        cursor.execute(f"EXPLAIN {sql}")
        for (line,) in cursor.fetchall():
            yield line


def is_slow(step: str) -> bool:
    if connection.vendor == "sqlite":
        is_sort = "USE TEMP B-TREE FOR ORDER BY" in step
        is_scan = bool(re.match(rf"SCAN recognizer_({'|'.join(LARGE)})", step))
        # Only the first entry of this index is read.
        is_first_entry = step.endswith("USING INDEX submission_waiting_longest")
        return is_sort or (is_scan and not is_first_entry)
    is_sort = bool(re.search(r"\bSort\b", step))
    is_scan = bool(re.search(rf"Seq Scan on recognizer_({'|'.join(LARGE)})\b", step))
    return is_sort or is_scan


@pytest.mark.usefixtures("active_model")
class TestHistory:
    def test_makes_what_the_services_would_have_made(self) -> None:
        first = made_up(500)

        numbers = tallies.total(Tally.objects.all())
        assert rebuild_derived() == 0
        assert tallies.total(Tally.objects.all()) == numbers
        assert Submission.objects.count() == Prediction.objects.count() == 500
        assert stats().submissions == 500
        assert Submission.objects.owned_by(first).count() > 150
        for kind in (Feedback, Label):
            assert kind._default_manager.exists()
        for one in Submission.objects.all():
            assert abs(one.created_at.timestamp() - (one.pk.int >> 80) / 1000) < 0.01
            assert one.pk.version == 7

    @pytest.mark.parametrize("drawings", [1, 20])
    def test_refuses_a_database_that_holds_drawings(self, drawings: int) -> None:
        made_up(20)

        with pytest.raises(HistoryError, match="holds drawings"):
            made_up(drawings)

        assert Submission.objects.count() == 20

    @pytest.mark.parametrize(
        "asked", [{"drawings": 0}, {"visitors": 0}, {"most": 11}, {"most": -1}]
    )
    def test_refuses_numbers_that_make_no_sense(self, asked: dict[str, Any]) -> None:
        with pytest.raises(HistoryError, match="at least 1"):
            make_history(**{"drawings": 10, "visitors": 2, "most": 5} | asked)

        assert not Submission.objects.exists()
