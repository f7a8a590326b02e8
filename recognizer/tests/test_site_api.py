"""me/, models/, stats/, and what all calls have in common."""

from collections import Counter
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from recognizer.drawings import erasing, statistics, tallies
from recognizer.drawings.derived import rebuild_derived
from recognizer.drawings.statistics import wilson
from recognizer.learning.figures import current_figures
from recognizer.models import (
    GateReport,
    ModelVersion,
    Submission,
    Tally,
    User,
    Visitor,
)
from recognizer.tests.conftest import SEVEN, bearer, post_json
from recognizer.tests.test_models import make_submission, make_version

pytestmark = pytest.mark.usefixtures("active_model")
URL = "/api/v1/submissions/"
BLANK = {"pixels": [[0] * 28] * 28}


def patch_me(client: Client, body: Any, **headers: str) -> Any:
    return client.patch(
        "/api/v1/me/", body, content_type="application/json", headers=headers
    )


class TestMe:
    def test_is_nobody_before_the_first_drawing(self, program: Client) -> None:
        assert program.get("/api/v1/me/").json() == {
            "username": None,
            "may_train": False,
            "may_publish": False,
            "may_review": False,
            "token": None,
            "visitor_id": None,
        }

    def test_knows_a_token_and_its_user(self, program: Client, reviewer: User) -> None:
        me = program.get(
            "/api/v1/me/", headers=bearer(reviewer, "read", "review")
        ).json()

        assert me["username"] == "reviewer"
        assert me["may_review"]
        assert me["token"]["scopes"] == ["read", "review"]
        assert me["token"]["prefix"].startswith("dgs_")

    def test_gives_a_newcomer_the_cookie_once(self, program: Client) -> None:
        first = program.post("/api/v1/me/")
        again = program.post("/api/v1/me/")
        stored = post_json(program, URL, SEVEN, **{"Idempotency-Key": "first"})

        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json() == program.get("/api/v1/me/").json()
        visitor = Visitor.objects.get()
        assert first.json()["visitor_id"] == str(visitor.pk)
        assert stored.status_code == 201
        assert visitor.submissions.count() == 1

    def test_gives_a_user_a_visitor_and_no_cookie(
        self, program: Client, reviewer: User
    ) -> None:
        program.force_login(reviewer)
        program.handler.enforce_csrf_checks = False

        made = program.post("/api/v1/me/")

        assert made.status_code == 201
        assert made.json()["visitor_id"] == str(reviewer.visitors.get().pk)
        assert "visitor" not in made.cookies

    def test_consent_is_no_until_it_is_given(self, program: Client) -> None:
        post_json(program, URL, SEVEN)

        before = program.get("/api/v1/me/").json()["may_train"]
        given = patch_me(program, {"may_train": True})

        assert before is False
        assert given.status_code == 200
        assert given.json()["may_train"] is True
        assert Visitor.objects.get().may_train
        assert patch_me(program, {"may_train": False}).json()["may_train"] is False

    def test_consent_to_publication_is_another(self, program: Client) -> None:
        post_json(program, URL, SEVEN)

        given = patch_me(program, {"may_publish": True}).json()

        assert (given["may_publish"], given["may_train"]) == (True, False)
        assert Visitor.objects.get().may_publish
        both = patch_me(program, {"may_publish": False, "may_train": True}).json()
        assert (both["may_publish"], both["may_train"]) == (False, True)

    def test_consent_of_a_user_is_of_all_their_visitors(
        self, program: Client, reviewer: User
    ) -> None:
        reviewer.visitors.create(may_train=True)
        reviewer.visitors.create()
        headers = bearer(reviewer, "read", "write")

        before = program.get("/api/v1/me/", headers=headers).json()["may_train"]
        patch_me(program, {"may_train": True}, **headers)

        assert before is False
        assert set(reviewer.visitors.values_list("may_train", flat=True)) == {True}

    def test_consent_of_a_user_may_come_before_the_first_drawing(
        self, program: Client, reviewer: User
    ) -> None:
        headers = bearer(reviewer, "write")

        patch_me(program, {"may_train": True}, **headers)
        post_json(program, URL, SEVEN, **headers)

        assert Submission.objects.get().visitor.may_train

    def test_consent_of_nobody_is_a_400(self, program: Client) -> None:
        answer = patch_me(program, {"may_train": True})

        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "unknown_visitor"

    @pytest.mark.parametrize(
        "body",
        [
            *({}, {"may_train": "yes"}, {"may_train": 1}, []),
            *({"may_train": None}, {"may_train": True, "may_publish": "yes"}),
        ],
    )
    def test_consent_is_yes_or_no(self, program: Client, body: Any) -> None:
        post_json(program, URL, SEVEN)

        assert patch_me(program, body).status_code == 400


class TestModels:
    def test_are_listed_newest_first_with_their_metrics(
        self, program: Client, active_model: ModelVersion
    ) -> None:
        newer = make_version()

        found = program.get("/api/v1/models/").json()["results"]

        assert [one["digest"] for one in found] == [newer.digest, active_model.digest]
        assert found[1]["stage"] == "active"
        assert found[1]["metrics"] == active_model.manifest["metrics"]

    def test_tell_the_outcome_of_the_latest_gate(
        self, program: Client, active_model: ModelVersion
    ) -> None:
        newer = make_version()
        for passed, told in (
            (True, {}),
            (False, {"outcome": "not_proven", "drawings_to_decide": 320}),
        ):
            GateReport.objects.create(
                candidate=newer, incumbent=active_model, has_passed=passed, report=told
            )

        found = program.get("/api/v1/models/").json()["results"]

        assert found[0]["gate"] == {"outcome": "not_proven", "drawings_to_decide": 320}
        assert found[1]["gate"] is None

    def test_tell_the_outcome_of_a_gate_before_it_had_a_name(
        self, program: Client, active_model: ModelVersion
    ) -> None:
        GateReport.objects.create(
            candidate=active_model, incumbent=active_model, has_passed=True, report={}
        )

        active = program.get("/api/v1/models/active/").json()

        assert active["gate"] == {"outcome": "passed", "drawings_to_decide": None}

    def test_the_active_one_has_an_address(
        self, program: Client, active_model: ModelVersion
    ) -> None:
        active = program.get("/api/v1/models/active/").json()

        assert active["digest"] == active_model.digest

    def test_without_an_active_one_is_a_503(self, program: Client) -> None:
        ModelVersion.objects.update(stage="retired")

        assert program.get("/api/v1/models/active/").status_code == 503


def label(client: Client, address: str, reviewer: User, **given: Any) -> None:
    answer = post_json(client, f"{address}label/", given, **bearer(reviewer, "review"))
    assert answer.status_code == 201


class TestStats:
    def test_follow_what_happens(
        self, program: Client, reviewer: User, active_model: ModelVersion
    ) -> None:
        sevens = [post_json(program, URL, SEVEN)["Location"] for _ in range(3)]
        post_json(program, URL, BLANK)
        label(program, sevens[0], reviewer, digit=7)
        label(program, sevens[1], reviewer, digit=1)
        label(program, sevens[1], reviewer, digit=7)
        label(program, sevens[2], reviewer, rejected="ambiguous")
        program.delete(sevens[0])

        stats = program.get("/api/v1/stats/").json()

        accuracy = stats.pop("accuracy")
        assert stats == {
            "submissions": 3,
            "last_24h": 3,
            "by_digit": [0, 0, 0, 0, 0, 0, 0, 2, 0, 0],
            "refused": 1,
            "reviewed": 2,
            "model": active_model.digest,
        }
        assert accuracy["value"] == 1
        assert accuracy["low"] == pytest.approx(0.2065, abs=1e-3)
        assert accuracy["high"] == 1

    def test_of_an_empty_site_claim_no_accuracy(self, program: Client) -> None:
        stats = program.get("/api/v1/stats/").json()

        assert stats["submissions"] == stats["last_24h"] == 0
        assert stats["accuracy"] is None

    def test_count_nothing(
        self, program: Client, django_assert_num_queries: Any
    ) -> None:
        post_json(program, URL, SEVEN)

        with django_assert_num_queries(4) as queries:
            statistics.stats()

        assert not any("submission" in query["sql"] for query in queries)

    def test_forget_the_minutes_of_former_days(
        self, program: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tallies, "_forgotten_at", "")  # as in the next minute
        Tally.objects.create(name="minute:2001-01-01T00:00", count=5)

        post_json(program, URL, SEVEN)

        assert Tally.objects.filter(name__startswith="minute:").count() == 1
        assert program.get("/api/v1/stats/").json()["last_24h"] == 1

    def test_add_up_the_shards(
        self, program: Client, active_model: ModelVersion
    ) -> None:
        post_json(program, URL, SEVEN)
        before = statistics.stats()
        of_model = sum(tallies.of_model(active_model).values())
        rows = [(row.name.partition("~")[0], row.count) for row in Tally.objects.all()]
        Tally.objects.all().delete()
        for name, count in rows:
            for shard in ("", *tallies.SHARDS):
                Tally.objects.create(name=name + shard, count=count)

        after = statistics.stats()

        assert after.by_digit == [number * 17 for number in before.by_digit]
        assert after.last_24h == before.last_24h * 17 > 0
        assert sum(tallies.of_model(active_model).values()) == of_model * 17 > 0
        assert sum(number for _day, number in current_figures().by_day) == 17

    @pytest.mark.services
    def test_are_spread_over_the_processes_on_postgresql(
        self, db: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for process in range(50):
            monkeypatch.setattr(tallies, "getpid", lambda process=process: process)
            tallies.add(Counter({"digit:7": 1}))
            tallies.take_away(Counter({"digit:8": 1}))

        assert Tally.objects.filter(name__startswith="digit:7").count() > 1
        assert tallies.named(["digit:7", "digit:8"]) == {"digit:7": 50, "digit:8": -50}

    @pytest.mark.services
    def test_are_found_where_letters_sort_by_language(
        self, program: Client, active_model: ModelVersion
    ) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE recognizer_tally ALTER COLUMN name"
                ' TYPE varchar(36) COLLATE "en-US-x-icu"'
            )

        post_json(program, URL, SEVEN)

        assert statistics.stats().last_24h == 1
        assert sum(tallies.of_model(active_model).values()) > 0

    def test_wilson_is_wilson(self) -> None:
        share = wilson(90, 100)

        assert share
        assert share.value == 0.9
        assert share.low == pytest.approx(0.8256, abs=1e-4)
        assert share.high == pytest.approx(0.9448, abs=1e-4)


class TestDerived:
    def test_columns_and_numbers_are_what_the_facts_say(
        self, program: Client, reviewer: User
    ) -> None:
        for drawing in (SEVEN, SEVEN, BLANK):
            mine = post_json(program, URL, drawing)["Location"]
            post_json(program, f"{mine}feedback/", {"verdict": "wrong", "digit": 3})
            label(program, mine, reviewer, digit=7)
            label(program, mine, reviewer, digit=1)
        post_json(program, f"{mine}feedback/", {"verdict": "withdrawn"})
        program.delete(mine)
        kept = list(Submission.objects.order_by("pk").values())
        numbers = tallies.total(Tally.objects.all())

        mended = rebuild_derived()

        assert mended == 0
        assert list(Submission.objects.order_by("pk").values()) == kept
        assert tallies.total(Tally.objects.all()) == numbers

    def test_columns_that_are_wrong_are_mended(
        self, program: Client, reviewer: User
    ) -> None:
        mine = post_json(program, URL, SEVEN)["Location"]
        label(program, mine, reviewer, digit=7)
        right = Submission.objects.values().get()
        Submission.objects.update(shown_digit=1, verdict="right", label_digit=2)
        Tally.objects.all().delete()

        assert rebuild_derived() == 1

        assert Submission.objects.values().get() == right
        assert statistics.stats().accuracy == statistics.wilson(1, 1)


class TestDeleteAll:
    def test_takes_one_s_own_and_nobody_else_s(self, program: Client) -> None:
        for _ in range(3):
            post_json(program, URL, SEVEN)
        other = post_json(Client(), URL, SEVEN).json()["id"]

        answer = program.delete(URL)

        assert answer.status_code == 204
        assert str(Submission.objects.get().pk) == other
        assert program.get("/api/v1/stats/").json()["submissions"] == 1

    def test_goes_lot_by_lot(
        self, program: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(erasing, "_DELETED_AT_ONCE", 2)
        for _ in range(5):
            post_json(program, URL, SEVEN)

        program.delete(URL)

        assert not Submission.objects.exists()

    def test_of_nothing_is_fine(self, program: Client) -> None:
        assert program.delete(URL).status_code == 204


class TestHttp:
    ADDRESSES = ("", "{id}/", "{id}/image.svg", "{id}/image.png", "export/")

    @pytest.mark.parametrize("address", ADDRESSES)
    def test_head_is_get_without_the_body(self, program: Client, address: str) -> None:
        mine = post_json(program, URL, SEVEN).json()["id"]
        path = URL + address.format(id=mine)

        head, get = program.head(path), program.get(path)

        assert head.status_code == get.status_code == 200
        assert not b"".join(head)
        assert head["Content-Type"] == get["Content-Type"]
        get.close()

    @pytest.mark.parametrize(
        ("path", "allow"),
        [
            (URL, "GET, POST, DELETE, HEAD, OPTIONS"),
            ("/api/v1/readings/", "POST, OPTIONS"),
            ("/api/v1/me/", "GET, POST, PATCH, DELETE, HEAD, OPTIONS"),
            ("/api/v1/stats/", "GET, HEAD, OPTIONS"),
        ],
    )
    def test_options_names_the_methods(
        self, program: Client, path: str, allow: str
    ) -> None:
        answer = program.options(path)

        assert answer.status_code == 200
        assert set(answer["Allow"].split(", ")) == set(allow.split(", "))
        assert program.put(path).status_code == 405

    @pytest.mark.parametrize("name", ["image.svg", "image.png"])
    def test_a_picture_is_sent_again_only_where_it_changed(
        self, program: Client, name: str
    ) -> None:
        path = post_json(program, URL, SEVEN)["Location"] + name
        etag = program.get(path)["ETag"]

        again = program.get(path, headers={"If-None-Match": etag})
        other = program.get(path, headers={"If-None-Match": '"other"'})

        assert again.status_code == 304
        assert again["ETag"] == etag
        assert not again.content
        assert "no-store" in again["Cache-Control"]
        assert other.status_code == 200

    @pytest.mark.parametrize(
        "path",
        ["/api/v1/stats/?x=1", "/api/v1/me/?page_size=5", f"{URL}?digit=1&digit=2"],
    )
    def test_an_unknown_parameter_is_an_error(self, program: Client, path: str) -> None:
        answer = program.get(path)

        assert answer.status_code == 400
        assert answer.json()["error"]["fields"]

    def test_lists_of_many_visitors_are_one_list(
        self, program: Client, reviewer: User, active_model: ModelVersion
    ) -> None:
        first, second = reviewer.visitors.create(), reviewer.visitors.create()
        made: list[str] = []
        for number in range(6):
            submission = make_submission(visitor=(first, second)[number % 2])
            submission.predictions.create(
                model_version=active_model,
                role="shown",
                digit=7,
                probabilities=[0.1] * 10,
                confidence=0.1,
                digitness=1,
            )
            made.insert(0, str(submission.pk))
        headers = bearer(reviewer, "read")
        page = program.get(f"{URL}?page_size=4", headers=headers).json()
        rest = program.get(page["next"], headers=headers).json()

        assert [one["id"] for one in page["results"] + rest["results"]] == made
