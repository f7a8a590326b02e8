"""How many calls are let through: exactly as many as were promised."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory
from PIL import Image
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from digitsite.env import Rate
from recognizer.api import throttles
from recognizer.models import Submission, User
from recognizer.people import limits
from recognizer.people.limits import client_address, hashed_address
from recognizer.reader.pictures import as_data_url
from recognizer.tests.conftest import bearer, post_json
from recognizer.tests.drawings import SEVEN

URL = "/api/v1/stats/"
READINGS, SUBMISSIONS = "/api/v1/readings/", "/api/v1/submissions/"


@pytest.fixture(autouse=True)
def _four_calls_a_day(db: None, settings: LazySettings) -> None:
    settings.THROTTLE = Rate(4, 86_400)
    settings.WORKERS = 1


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

    def test_is_kept_over_a_clock_that_jumps(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = SimpleNamespace(time=lambda: 101 * 86_400.0)
        monkeypatch.setattr(limits, "time", clock)
        now = statuses(Client(), 5)

        clock.time = lambda: 100 * 86_400.0
        before = statuses(Client(), 5)
        clock.time = lambda: 101 * 86_400.0 + 1

        assert now == before == [200] * 4 + [429]
        assert statuses(Client(), 1) == [429]

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


def picture(width: int, height: int) -> bytes:
    file = BytesIO()
    Image.new("L", (width, height), 255).save(file, "PNG")
    return file.getvalue()


@pytest.mark.usefixtures("active_model")
class TestCost:
    def test_of_large_pictures_counts_as_calls(self) -> None:
        large = {"image": as_data_url(picture(2000, 500))}

        answer = post_json(Client(), READINGS, {"drawings": [large] * 6})

        codes = [
            reading.get("error", {}).get("code")
            for reading in answer.json()["readings"]
        ]
        assert answer.status_code == 200
        assert codes == [None] * 3 + ["throttled"] * 3
        assert answer["RateLimit-Remaining"] == "0"
        assert statuses(Client(), 1) == [429]

    def test_of_small_pictures_is_the_call_s(self) -> None:
        small = {"image": as_data_url(picture(100, 100))}

        answer = post_json(Client(), READINGS, {"drawings": [small] * 50})

        assert answer["RateLimit-Remaining"] == "3"

    def test_of_a_damaged_picture_is_paid_too(self) -> None:
        damaged = picture(2000, 1000)[:-500]

        answer = Client().post(SUBMISSIONS, damaged, content_type="image/png")

        assert answer.status_code == 400
        assert answer["RateLimit-Remaining"] == "1"

    def test_of_a_stored_picture_beyond_the_limit_is_refused(self) -> None:
        answer = Client().post(
            SUBMISSIONS, picture(5000, 1000), content_type="image/png"
        )

        assert answer.status_code == 429
        assert not Submission.objects.exists()

    def test_of_pictures_counts_on_the_page(self) -> None:
        page = Client()
        sent = []

        for _ in range(3):
            file = SimpleUploadedFile("x.png", picture(2000, 1000), "image/png")
            sent.append(page.post("/upload/", {"picture": file}))

        assert [answer.status_code for answer in sent] == [302, 302, 429]
        assert b"You have sent many pictures" in sent[-1].content
        assert int(sent[-1]["Retry-After"]) > 0

    def test_of_a_caller_s_storage_is_limited(self, settings: LazySettings) -> None:
        settings.STORED_BYTES_PER_DAY = 2_500
        program = Client()

        answers = [post_json(program, SUBMISSIONS, SEVEN) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [201, 201, 429]
        assert answers[2].json()["error"]["code"] == "quota_exceeded"
        assert "readings" in answers[2].json()["error"]["message"]
        assert int(answers[2]["Retry-After"]) > 0
        assert Submission.objects.count() == 2


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
            (1, ", 198.51.100.1", "198.51.100.1"),
            (1, ",, ,198.51.100.1,", "198.51.100.1"),
            (1, " , ", "127.0.0.1"),
            (1, "198.51.100.1:4711", "198.51.100.1"),
            (1, "[2001:db8::1]:4711", "2001:db8::1"),
            (1, "[2001:db8::1]", "2001:db8::1"),
            (1, "2001:db8::1", "2001:db8::1"),
            (1, "unknown", "unknown"),
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

    def test_of_ipv4_is_the_same_in_ipv6(self) -> None:
        assert hashed_address("::ffff:198.51.100.1") == hashed_address("198.51.100.1")
        assert hashed_address("::ffff:198.51.100.2") != hashed_address("198.51.100.1")

    def test_of_ipv6_is_its_network(self) -> None:
        one, other, far = "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"

        assert hashed_address(one) == hashed_address(other)
        assert hashed_address(one) != hashed_address(far)
