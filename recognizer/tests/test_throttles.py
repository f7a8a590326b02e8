"""How many calls are let through: exactly as many as were promised."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client, RequestFactory
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from digitsite.env import Rate
from recognizer.api import throttles
from recognizer.models import User
from recognizer.people import limits
from recognizer.people.limits import client_address, hashed_address
from recognizer.tests.conftest import bearer

URL = "/api/v1/stats/"


@pytest.fixture(autouse=True)
def _four_calls_a_day(db: None, settings: LazySettings) -> Iterator[None]:
    settings.THROTTLE = Rate(4, 86_400)
    settings.WORKERS = 1
    cache.clear()
    yield
    cache.clear()


def statuses(client: Client, number: int, **options: Any) -> list[int]:
    return [client.get(URL, **options).status_code for _ in range(number)]


class TestLimit:
    def test_is_kept_exactly(self) -> None:
        assert statuses(Client(), 6) == [200] * 4 + [429] * 2

    def test_is_told_with_each_answer(self) -> None:
        client = Client()

        answers = [client.get(URL) for _ in range(5)]

        assert [answer["RateLimit-Limit"] for answer in answers] == ["4"] * 5
        assert [answer["RateLimit-Remaining"] for answer in answers] == [*"32100"]
        assert 0 < int(answers[0]["RateLimit-Reset"]) <= 86_400
        assert "Retry-After" not in answers[3]

    def test_says_when_to_go_on(self) -> None:
        client = Client()
        statuses(client, 4)

        answer = client.get(URL)

        error = answer.json()["error"]
        assert error["code"] == "throttled"
        assert answer["Retry-After"] == answer["RateLimit-Reset"]
        assert f"{int(answer['Retry-After']):,} s" in error["message"]

    def test_of_an_address_is_not_another_s(self) -> None:
        statuses(Client(), 4)

        assert statuses(Client(REMOTE_ADDR="192.0.2.7"), 1) == [200]

    def test_of_users_and_tokens_is_theirs_and_twice_as_high(
        self, reviewer: User
    ) -> None:
        statuses(Client(), 4)
        signed_in = Client()
        signed_in.force_login(reviewer)

        for _ in range(2):
            headers = bearer(reviewer, "read")
            assert statuses(Client(), 9, headers=headers) == [200] * 8 + [429]
        assert statuses(signed_in, 9) == [200] * 8 + [429]

    @pytest.mark.parametrize(
        ("method", "path", "headers", "refused"),
        [
            ("get", URL, {"Authorization": "Bearer dgs_guessed"}, 401),
            ("post", f"/api/v1/submissions/{UUID(int=0)}/label/", {}, 401),
            ("post", URL, {"Sec-Fetch-Site": "cross-site"}, 403),
        ],
    )
    def test_counts_what_is_refused_as_well(
        self, method: str, path: str, headers: dict[str, str], refused: int
    ) -> None:
        client = Client()

        answers = [
            getattr(client, method)(path, headers=headers).status_code for _ in range(6)
        ]

        assert answers == [refused] * 4 + [429] * 2

    def test_can_be_off(self, settings: LazySettings) -> None:
        settings.THROTTLE = None

        answer = Client().get(URL)

        assert statuses(Client(), 9) == [200] * 9
        assert "RateLimit-Limit" not in answer

    def test_without_redis_is_shared_out_to_the_processes(
        self, settings: LazySettings
    ) -> None:
        settings.WORKERS, settings.REDIS_URL = 2, ""

        assert statuses(Client(), 3) == [200, 200, 429]

    def test_begins_anew_with_the_next_window(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = SimpleNamespace(time=lambda: 100 * 86_400.0)
        monkeypatch.setattr(limits, "time", clock)
        statuses(Client(), 5)

        clock.time = lambda: 101 * 86_400.0

        assert statuses(Client(), 1) == [200]

    def test_is_kept_exactly_by_many_at_once(self, settings: LazySettings) -> None:
        settings.THROTTLE = Rate(50, 86_400)
        request = Request(RequestFactory().get(URL))
        throttle: BaseThrottle = throttles.CallerThrottle()

        def call(_: int) -> bool:
            try:
                return throttle.allow_request(request, SimpleNamespace())  # type: ignore[arg-type]
            except throttles.ThrottledError:
                return False

        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(call, range(200))) == 50

    def test_lets_through_when_the_counter_is_away(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def is_away(*_: Any, **__: Any) -> int:
            raise RedisConnectionError("refused")

        monkeypatch.setattr(limits, "count_one", is_away)

        assert statuses(Client(), 6) == [200] * 6
        assert "Rate limits are off" in caplog.text


class TestAddress:
    def test_is_the_peer_s_without_trusted_proxies(self) -> None:
        forged = [f"198.51.100.{number}" for number in range(6)]

        answers = [
            Client().get(URL, headers={"X-Forwarded-For": one}).status_code
            for one in forged
        ]

        assert answers == [200] * 4 + [429] * 2

    @pytest.mark.parametrize(
        ("proxies", "forwarded", "address"),
        [
            (0, "198.51.100.1", "127.0.0.1"),
            (1, "198.51.100.1", "198.51.100.1"),
            (1, "198.51.100.9, 198.51.100.1", "198.51.100.1"),
            (2, "forged, 198.51.100.1, 203.0.113.2", "198.51.100.1"),
            (3, "198.51.100.1", "198.51.100.1"),
            (1, "", "127.0.0.1"),
        ],
    )
    def test_is_the_one_our_outermost_proxy_saw(
        self, settings: LazySettings, proxies: int, forwarded: str, address: str
    ) -> None:
        settings.TRUSTED_PROXIES = proxies
        request = Request(
            RequestFactory().get(URL, headers={"X-Forwarded-For": forwarded})
        )

        assert client_address(request) == address

    def test_is_kept_as_a_keyed_hash_only(
        self, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept = []

        def count(key: str, **_: Any) -> int:
            kept.append(key)
            return 1

        monkeypatch.setattr(limits, "count_one", count)
        statuses(Client(), 1)
        settings.SECRET_KEY = "another"
        statuses(Client(), 1)

        assert kept[0] != kept[1]
        assert not any("127.0.0" in key for key in kept)

    def test_of_ipv6_is_its_network(self) -> None:
        one, other, far = "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"

        assert hashed_address(one) == hashed_address(other)
        assert hashed_address(one) != hashed_address(far)
