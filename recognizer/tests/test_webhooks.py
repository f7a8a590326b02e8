"""Webhooks: who may register them, what they get, when and how often."""

import json
import logging
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone

from recognizer.api.contract.outgoing import EVENTS
from recognizer.drawings.erasing import delete_submissions
from recognizer.learning.labels import label_submission
from recognizer.learning.promotion import promote_model
from recognizer.management.commands import work
from recognizer.models import (
    Delivery,
    Event,
    ModelVersion,
    Submission,
    User,
    Webhook,
)
from recognizer.people import mail as post
from recognizer.tests.conftest import SEVEN, bearer, enter_desk, post_json
from recognizer.tests.receivers import Receiver, answering, receiving
from recognizer.webhooks import delivering, outbox
from recognizer.webhooks.addresses import may_connect_to
from recognizer.webhooks.delivering import deliver
from recognizer.webhooks.managing import (
    MOST,
    WebhookError,
    disable_webhook,
    enable_webhook,
    register_webhook,
    rotate_secret,
    send_again,
    send_test,
)

pytestmark = pytest.mark.django_db
URL = "/api/v1/webhooks/"
DRAWINGS = "/api/v1/submissions/"
PASSWORD = "correct-horse-battery-staple"
HOOK: dict[str, Any] = {
    "url": "https://example.org/hook",
    "events": ["submission.created"],
}


@pytest.fixture
def grace() -> User:
    return User.objects.create_superuser("grace", "grace@example.org", PASSWORD)


@pytest.fixture
def private_allowed(settings: LazySettings) -> None:
    """Allow receivers on this machine."""
    settings.WEBHOOKS_TO_PRIVATE_ADDRESSES = True


@pytest.fixture
def receiver(private_allowed: None) -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def webhook(receiver: Receiver, grace: User) -> Webhook:
    """A webhook for all events."""
    made, receiver.secret = register_webhook(
        url=receiver.url, events=Event.values, by=grace
    )
    return made


def draw() -> Submission:
    made = post_json(Client(), DRAWINGS, SEVEN).json()["id"]
    return Submission.objects.with_shown_prediction().get(pk=made)


def pass_time(webhook: Webhook, **since: Any) -> None:
    """Let a while pass for a webhook and its messages."""
    gone = timedelta(**since)
    for one in webhook.deliveries.all():
        one.created_at -= gone
        one.queued_at -= gone
        one.due_at -= gone
        one.save()
    webhook.refresh_from_db()
    for name in ("failing_since", "resume_at", "leased_until", "rotated_at"):
        if moment := getattr(webhook, name):
            setattr(webhook, name, moment - gone)
    webhook.save()


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.__dict__["facts"]["event"]
        for record in caplog.records
        if record.name == "digitsite.security"
    ]


class TestRegistering:
    def test_shows_the_secret_once(self, grace: User) -> None:
        headers = bearer(grace, "read", "write")

        made = post_json(Client(), URL, HOOK, **headers)

        assert made.status_code == 201
        assert made.json()["secret"].startswith("whsec_")
        listed = Client().get(URL, headers=headers)
        (one,) = listed.json()["results"]
        assert one == {k: v for k, v in made.json().items() if k != "secret"}
        assert one["state"] == "enabled"

    def test_by_session_needs_the_password(self, grace: User) -> None:
        browser = Client()
        browser.force_login(grace)

        without = post_json(browser, URL, HOOK)
        wrong = post_json(browser, URL, {**HOOK, "password": "wrong"})
        right = post_json(browser, URL, {**HOOK, "password": PASSWORD})

        assert [without.status_code, wrong.status_code] == [403, 403]
        assert "password" in wrong.json()["error"]["message"]
        assert right.status_code == 201

    def test_counts_tries_of_the_password(
        self, grace: User, settings: LazySettings
    ) -> None:
        settings.TRIES = {"sign-up": (9, 10**9), "own-password": (2, 10**9)}
        browser = Client()
        browser.force_login(grace)
        for _ in range(2):
            post_json(browser, URL, {**HOOK, "password": "wrong"})

        answer = post_json(browser, URL, {**HOOK, "password": PASSWORD})

        assert answer.status_code == 429
        assert answer["Retry-After"]

    def test_is_for_administrators(self, reviewer: User) -> None:
        answer = post_json(Client(), URL, HOOK, **bearer(reviewer, "write"))

        assert answer.status_code == 403
        assert "administrators" in answer.json()["error"]["message"]
        assert not Webhook.objects.exists()

    def test_needs_the_second_factor_where_staff_need_one(
        self, grace: User, settings: LazySettings
    ) -> None:
        settings.STAFF_NEED_FACTOR = True
        browser = Client()
        browser.force_login(grace)

        answer = post_json(browser, URL, {**HOOK, "password": PASSWORD})

        assert answer.status_code == 403
        assert "second factor" in answer.json()["error"]["message"]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({**HOOK, "events": []}, "events"),
            ({**HOOK, "events": ["submission.deleted"]}, "events"),
            ({**HOOK, "events": "submission.created"}, "events"),
            ({"url": HOOK["url"]}, "events"),
            ({"events": HOOK["events"]}, "url"),
            ({**HOOK, "url": "example.org"}, "url"),
            ({**HOOK, "url": "ftp://example.org/"}, "url"),
            ({**HOOK, "url": "https://ada:secret@example.org/"}, "url"),
            ({**HOOK, "url": "https://example.org/#here"}, "url"),
            ({**HOOK, "url": "https://example.org:99999/"}, "url"),
            ({**HOOK, "url": "https://example.org/\nHost: evil"}, "url"),
            ({**HOOK, "url": f"https://example.org/{'x' * 500}"}, "url"),
        ],
    )
    def test_refuses_nonsense_in_a_sentence(
        self, grace: User, body: Any, field: str
    ) -> None:
        answer = post_json(Client(), URL, body, **bearer(grace, "write"))

        assert answer.status_code == 400
        error = answer.json()["error"]
        assert error["message"].endswith(".")
        assert [*error["fields"]] == [field]
        assert not Webhook.objects.exists()

    @pytest.mark.parametrize(
        "host",
        [
            *("127.0.0.1", "10.0.0.7", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
            *("0.0.0.1", "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
            *("[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[ff02::1]", "localhost"),
            *("[::ffff:127.0.0.1]", "[64:ff9b::10.0.0.1]", "[2002:7f00:1::]"),
        ],
    )
    def test_refuses_what_is_not_public(self, grace: User, host: str) -> None:
        body = {**HOOK, "url": f"https://{host}/hook"}

        answer = post_json(Client(), URL, body, **bearer(grace, "write"))

        assert answer.status_code == 400
        assert list(answer.json()["error"]["fields"]) == ["url"]

    @pytest.mark.parametrize(
        "address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
    )
    def test_takes_what_is_public(self, address: str) -> None:
        assert may_connect_to(address)

    def test_refuses_a_name_that_leads_to_a_private_address(
        self, grace: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", resolving("8.8.8.8", "10.0.0.1"))

        with pytest.raises(WebhookError, match="not public"):
            register_webhook(**HOOK, by=grace)

    def test_takes_no_plain_http_in_production(
        self, grace: User, settings: LazySettings
    ) -> None:
        settings.PRODUCTION = True

        with pytest.raises(WebhookError, match="https://"):
            register_webhook(url="http://example.org/", events=Event.values, by=grace)

    def test_refuses_one_above_the_limit(self, grace: User) -> None:
        Webhook.objects.bulk_create(
            Webhook(url=HOOK["url"], secret="x") for _ in range(MOST)
        )

        answer = post_json(Client(), URL, HOOK, **bearer(grace, "write"))

        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "too_many_webhooks"
        assert Webhook.objects.count() == MOST

    def test_and_deleting_are_in_the_security_log(
        self, grace: User, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        headers = bearer(grace, "write")
        made = post_json(Client(), URL, HOOK, **headers).json()

        gone = Client().delete(f"{URL}{made['id']}/", headers=headers)

        assert gone.status_code == 204
        assert not Webhook.objects.exists()
        assert events(caplog)[-2:] == ["webhook registered", "webhook deleted"]
        assert made["secret"] not in caplog.text
        assert (
            Client().delete(f"{URL}{made['id']}/", headers=headers).status_code == 404
        )


def resolving(*addresses: str) -> Any:
    """Return a `getaddrinfo` that knows one answer to all names."""

    def resolve(host: Any, port: Any, *args: Any, **more: Any) -> list[Any]:
        kind = socket.SOCK_STREAM
        return [
            (socket.AF_INET, kind, socket.IPPROTO_TCP, "", (one, int(port or 0)))
            for one in addresses
        ]

    return resolve


@pytest.mark.usefixtures("active_model")
class TestEvents:
    def test_tell_of_drawings_answers_labels_and_models(
        self, webhook: Webhook, receiver: Receiver, reviewer: User
    ) -> None:
        drawing = draw()
        post_json(Client(), DRAWINGS, SEVEN)
        browser = Client()
        mine = post_json(browser, DRAWINGS, SEVEN).json()["id"]
        post_json(browser, f"{DRAWINGS}{mine}/feedback/", {"verdict": "right"})
        label_submission(submission=drawing, reviewer=reviewer, digit=7)
        active = ModelVersion.objects.active()
        promote_model(version=ModelVersion.objects.create(digest="a" * 64, manifest={}))

        deliver(until_idle=True)

        assert sorted(receiver.types) == sorted(
            [
                *["submission.created"] * 3,
                *("feedback.created", "label.created", "model.promoted"),
            ]
        )
        for message in receiver.messages:
            EVENTS[Event(message["type"])].model_validate_json(json.dumps(message))
        by_type = {one["type"]: one["data"] for one in receiver.messages}
        assert by_type["feedback.created"] == {
            "submission": mine,
            "verdict": "right",
            "digit": None,
            "number": None,
        }
        assert by_type["label.created"]["digit"] == 7
        assert by_type["model.promoted"] == {"model": "a" * 64, "former": active.digest}

    def test_are_sent_only_to_those_who_want_them(
        self, webhook: Webhook, receiver: Receiver
    ) -> None:
        Webhook.objects.update(events=["feedback.created"])

        draw()

        assert not Delivery.objects.exists()

    def test_are_written_with_what_they_tell_of_or_not_at_all(
        self, webhook: Webhook
    ) -> None:
        with transaction.atomic():
            draw()
            written = Delivery.objects.count()
            transaction.set_rollback(True)

        assert written == 1
        assert not Delivery.objects.exists()
        assert not Submission.objects.exists()

    def test_of_a_disabled_webhook_are_not_kept(
        self, webhook: Webhook, grace: User
    ) -> None:
        disable_webhook(webhook=webhook, by=grace)

        draw()

        assert not Delivery.objects.exists()

    def test_of_a_deleted_drawing_are_deleted(
        self, webhook: Webhook, receiver: Receiver
    ) -> None:
        told, untold = draw(), draw()
        Delivery.objects.filter(submission=untold).update(
            due_at=timezone.now() + timedelta(hours=1)
        )
        deliver(until_idle=True)
        assert Delivery.objects.count() == 2

        delete_submissions(submissions=Submission.objects.all())
        deliver(until_idle=True)

        assert not Delivery.objects.exists()
        assert [one["data"]["submission"] for one in receiver.messages] == [
            str(told.pk)
        ]

    def test_of_a_repeated_request_are_told_once(self, webhook: Webhook) -> None:
        browser = Client()
        browser.post("/api/v1/me/")

        for _ in range(2):
            post_json(browser, DRAWINGS, SEVEN, **{"Idempotency-Key": "once"})

        assert Delivery.objects.count() == 1

    def test_are_forgotten_after_a_week(self, webhook: Webhook) -> None:
        for _ in range(2):
            draw()
        old = Delivery.objects.earliest("pk")
        long_ago = timezone.now() - timedelta(days=8)
        Delivery.objects.filter(pk=old.pk).update(
            created_at=long_ago, queued_at=long_ago
        )

        call_command("expire")

        assert not Delivery.objects.filter(pk=old.pk).exists()
        assert Delivery.objects.count() == 1

    def test_are_kept_and_young_while_they_wait_again(
        self, webhook: Webhook, receiver: Receiver, grace: User
    ) -> None:
        receiver.answer = lambda number: 410
        draw()
        deliver(until_idle=True)
        pass_time(webhook, days=8)

        enable_webhook(webhook=webhook, by=grace)
        call_command("expire")

        assert Delivery.objects.waiting().count() == 1
        assert outbox.numbers()["oldest_s"] < 60


@pytest.mark.usefixtures("active_model")
class TestDelivering:
    def test_signs_as_standard_webhooks(
        self, webhook: Webhook, receiver: Receiver
    ) -> None:
        draw()

        deliver(until_idle=True)

        assert receiver.types == ["submission.created"]  # verified by the receiver
        (headers,) = receiver.headers
        assert headers["webhook-id"].startswith("msg_")
        assert headers["content-type"] == "application/json"
        done = Delivery.objects.get()
        assert (done.state, done.status, done.attempts) == ("delivered", 204, 1)

    def test_signs_with_both_secrets_for_a_day_after_a_rotation(
        self, webhook: Webhook, receiver: Receiver, grace: User
    ) -> None:
        former, receiver.secret = (
            receiver.secret,
            rotate_secret(webhook=webhook, by=grace),
        )
        for secret in (former, receiver.secret):
            receiver.secret = secret
            send_test(webhook=webhook)
            deliver(until_idle=True)

        pass_time(webhook, days=1)
        send_test(webhook=webhook)
        deliver(until_idle=True)

        assert receiver.types == ["webhook.test"] * 3
        assert receiver.headers[0]["webhook-signature"].count("v1,") == 2
        assert receiver.headers[-1]["webhook-signature"].count("v1,") == 1

    def test_keeps_the_order_of_a_drawing(
        self, webhook: Webhook, receiver: Receiver, reviewer: User
    ) -> None:
        drawing = draw()
        for digit in range(10):
            label_submission(submission=drawing, reviewer=reviewer, digit=digit)

        deliver(until_idle=True)

        assert receiver.types[0] == "submission.created"
        assert [one["data"]["digit"] for one in receiver.messages[1:]] == [*range(10)]

    def test_waits_for_a_message_before_the_next_of_its_drawing(
        self, webhook: Webhook, receiver: Receiver, reviewer: User
    ) -> None:
        receiver.answer = lambda number: 500 if number == 1 else 204
        drawing = draw()
        label_submission(submission=drawing, reviewer=reviewer, digit=7)
        deliver(until_idle=True)
        assert receiver.calls == 1

        pass_time(webhook, seconds=5)
        deliver(until_idle=True)

        assert receiver.types == ["submission.created", "label.created"]

    def test_repeats_a_message_under_its_id_until_it_is_taken(
        self, webhook: Webhook, receiver: Receiver
    ) -> None:
        receiver.answer = lambda number: 204 if number == 4 else 503
        draw()
        first = Delivery.objects.get()

        for _ in range(4):
            deliver(until_idle=True)
            pass_time(webhook, minutes=30)

        assert receiver.calls == 4
        assert receiver.headers[0]["webhook-id"] == f"msg_{first.message_id.hex}"
        webhook.refresh_from_db()
        assert webhook.failing_since is None
        assert Delivery.objects.get().attempts == 4

    def test_probes_a_receiver_that_is_down_with_one_message(
        self, webhook: Webhook, receiver: Receiver
    ) -> None:
        receiver.answer = lambda number: 503
        for _ in range(5):
            draw()
        deliver(until_idle=True)
        assert receiver.calls == 5

        pass_time(webhook, seconds=3)
        deliver(until_idle=True)
        assert receiver.calls == 6

        receiver.answer = lambda number: 204
        pass_time(webhook, seconds=6)
        deliver(until_idle=True)
        assert len(receiver.messages) == 5

    def test_goes_on_beside_a_message_that_always_fails(
        self, webhook: Webhook, receiver: Receiver
    ) -> None:
        receiver.answer = lambda number: 500 if number in (1, 3) else 204
        draw()
        deliver(until_idle=True)
        draw()
        pass_time(webhook, seconds=3)

        deliver(until_idle=True)

        assert len(receiver.messages) == 1  # the second; the first is tried once more
        assert receiver.calls == 3

    @pytest.mark.parametrize("is_deleted", [True, False])
    def test_forgets_failures_of_a_message_that_waits_no_more(
        self, webhook: Webhook, receiver: Receiver, is_deleted: bool
    ) -> None:
        receiver.answer = lambda number: 503
        drawing = draw()
        deliver(until_idle=True)
        webhook.refresh_from_db()
        assert webhook.failing_since
        if is_deleted:
            delete_submissions(submissions=Submission.objects.filter(pk=drawing.pk))
        else:
            Delivery.objects.update(queued_at=timezone.now() - timedelta(days=3))

        for _ in range(2):
            pass_time(webhook, minutes=20)
            deliver(until_idle=True)

        webhook.refresh_from_db()
        assert not Delivery.objects.waiting().exists()
        assert webhook.is_enabled
        assert webhook.failing_since is None

    def test_disables_after_three_days_without_success(
        self,
        webhook: Webhook,
        receiver: Receiver,
        settings: LazySettings,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        caplog.set_level(logging.INFO)
        settings.SENDS_MAIL = True
        monkeypatch.setattr(post, "send_later", lambda message: message.send())
        receiver.answer = lambda number: 500
        draw()
        deliver(until_idle=True)
        pass_time(webhook, days=3)

        with django_capture_on_commit_callbacks(execute=True):
            deliver(until_idle=True)

        webhook.refresh_from_db()
        assert webhook.state == Webhook.State.FAILED
        assert Delivery.objects.get().state == Delivery.State.GIVEN_UP
        assert events(caplog)[-1] == "webhook disabled"
        (notice,) = mail.outbox
        assert notice.to == ["grace@example.org"]
        assert webhook.url in notice.body
        assert "while it is disabled are not kept" in notice.body

    def test_disables_at_once_after_410(
        self, webhook: Webhook, receiver: Receiver
    ) -> None:
        receiver.answer = lambda number: 410
        draw()
        draw()

        deliver(until_idle=True)

        webhook.refresh_from_db()
        assert webhook.state == Webhook.State.GONE
        deliver(until_idle=True)
        assert receiver.calls == 2

    def test_sends_what_waited_once_enabled_again(
        self, webhook: Webhook, receiver: Receiver, grace: User
    ) -> None:
        receiver.answer = lambda number: 410 if number == 1 else 204
        draw()
        deliver(until_idle=True)
        webhook.refresh_from_db()

        enable_webhook(webhook=webhook, by=grace)
        deliver(until_idle=True)

        assert len(receiver.messages) == 1

    def test_leaves_a_webhook_to_the_worker_that_has_it(
        self, webhook: Webhook, receiver: Receiver
    ) -> None:
        draw()
        found = outbox.next_round(webhook.pk, worker="one, which is killed")
        assert found

        deliver(until_idle=True)
        assert receiver.calls == 0

        pass_time(webhook, seconds=31)
        deliver(until_idle=True)
        assert len(receiver.messages) == 1

    def test_ignores_a_worker_that_lost_its_lease(
        self, webhook: Webhook, receiver: Receiver
    ) -> None:
        draw()
        found = outbox.next_round(webhook.pk, worker="a slow one")
        assert found
        pass_time(webhook, seconds=31)
        deliver(until_idle=True)

        late = [outbox.Attempt(one, 503, "status", 9) for one in found.deliveries]
        outbox.next_round(webhook.pk, worker="a slow one", sent=late)

        webhook.refresh_from_db()
        assert Delivery.objects.get().state == Delivery.State.DELIVERED
        assert webhook.failing_since is None

    def test_stores_later_what_the_database_does_not_take(
        self, webhook: Webhook, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delivering, "LOOK_EVERY_S", 0.01)
        judge, failures = outbox._judge, [OperationalError("locked")] * 2

        def fail_twice(*args: Any, **more: Any) -> None:
            judge(*args, **more)
            if failures:
                raise failures.pop()

        monkeypatch.setattr(outbox, "_judge", fail_twice)
        draw()

        deliver(until_idle=True)

        done = Delivery.objects.get()
        assert receiver.calls == 1
        assert (done.state, done.attempts) == (Delivery.State.DELIVERED, 1)

    def test_ends_once_what_is_being_sent_is_stored(
        self,
        webhook: Webhook,
        receiver: Receiver,
        reviewer: User,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(delivering, "LOOK_EVERY_S", 0.01)
        stop = threading.Event()

        def answer(number: int) -> int:
            stop.set()
            time.sleep(0.1)
            return 204

        receiver.answer = answer
        label_submission(submission=draw(), reviewer=reviewer, digit=7)

        deliver(stop)

        webhook.refresh_from_db()
        states = Delivery.objects.order_by("pk").values_list("state", flat=True)
        assert [*states] == ["delivered", "waiting"]
        assert webhook.leased_until is None

    def test_looks_a_name_up_once_for_a_round(
        self,
        webhook: Webhook,
        receiver: Receiver,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        asked = []

        def resolve(host: Any, *args: Any, **more: Any) -> Any:
            asked.append(host)
            return resolving("127.0.0.1")(host, *args, **more)

        webhook.url = receiver.url.replace("127.0.0.1", "receiver.example.org")
        webhook.save()
        for _ in range(5):
            send_test(webhook=webhook)
        monkeypatch.setattr(socket, "getaddrinfo", resolve)

        deliver(until_idle=True)

        assert len(receiver.messages) == 5
        assert asked == ["receiver.example.org"]

    def test_sends_no_other_headers_and_keeps_no_cookie(
        self, webhook: Webhook, receiver: Receiver
    ) -> None:
        for _ in range(2):
            send_test(webhook=webhook)
            deliver(until_idle=True)

        assert {*receiver.headers[1]} == {
            *("host", "accept", "accept-encoding", "content-length", "content-type"),
            *("user-agent", "webhook-id", "webhook-timestamp", "webhook-signature"),
        }


@pytest.mark.usefixtures("prepared_again")
@pytest.mark.django_db(transaction=True)  # the worker closes connections
class TestWorker:
    def test_delivers_before_it_ends(
        self, webhook: Webhook, receiver: Receiver
    ) -> None:
        send_test(webhook=webhook)

        call_command("work", "--until-done")

        assert receiver.types == ["webhook.test"]


class TestKeepDelivering:
    def test_goes_on_after_any_error(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        begun = []

        def fail_once(stop: threading.Event) -> None:
            begun.append(stop)
            if len(begun) == 1:
                raise OSError("no room for writing.lock")
            stop.set()

        monkeypatch.setattr(work, "deliver", fail_once)
        monkeypatch.setattr(work, "LOOK_EVERY_S", 0)

        with work.meanwhile(work.keep_delivering, join_s=5):
            begin = time.monotonic()
            while len(begun) < 2 and time.monotonic() < begin + 5:
                time.sleep(0.01)

        assert len(begun) == 2
        assert "no room for writing.lock" in caplog.text


class TestReplaying:
    def test_sends_again_under_the_same_id(
        self, webhook: Webhook, receiver: Receiver
    ) -> None:
        send_test(webhook=webhook)
        deliver(until_idle=True)

        again = send_again(webhook=webhook, since=timedelta(hours=1))
        deliver(until_idle=True)

        first, second = receiver.headers
        assert again == 1
        assert first["webhook-id"] == second["webhook-id"]

    def test_is_a_command(
        self,
        webhook: Webhook,
        receiver: Receiver,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        send_test(webhook=webhook)
        deliver(until_idle=True)

        call_command("replay_webhook", str(webhook.pk), "--hours=1")
        call_command("replay_webhook")
        deliver(until_idle=True)

        said = capsys.readouterr().out
        assert "1 messages" in said
        assert f"{webhook.pk} {webhook.url}" in said
        assert len(receiver.messages) == 2

    def test_needs_an_enabled_webhook(self, webhook: Webhook, grace: User) -> None:
        disable_webhook(webhook=webhook, by=grace)

        with pytest.raises(CommandError, match=r"disabled\. Enable it"):
            call_command("replay_webhook", str(webhook.pk))

    @pytest.mark.parametrize("arguments", [["nothing"], ["ID", "--hours=0"]])
    def test_names_the_way_out(self, webhook: Webhook, arguments: list[str]) -> None:
        filled = [one.replace("ID", str(webhook.pk)) for one in arguments]

        with pytest.raises(CommandError, match=r"\. \S|must be"):
            call_command("replay_webhook", *filled)


class TestHostileReceivers:
    def of(self, url: str, grace: User) -> Webhook:
        return Webhook.objects.create(
            url=url, events=Event.values, secret=f"whsec_{'A' * 43}="
        )

    def trouble_with(self, url: str, grace: User) -> str:
        webhook = self.of(url, grace)
        send_test(webhook=webhook)
        deliver(until_idle=True)
        one = webhook.deliveries.get()
        assert one.state == Delivery.State.WAITING
        return one.trouble

    @pytest.mark.parametrize(
        ("host", "trouble"),
        [
            ("127.0.0.1", "private"),
            ("[::1]", "private"),
            ("2130706433", "no_http"),
            ("0x7f.1", "private"),
        ],
    )
    def test_at_a_private_address_are_not_called(
        self, grace: User, host: str, trouble: str
    ) -> None:
        with receiving() as receiver:
            url = receiver.url.replace("127.0.0.1", host)

            assert self.trouble_with(url, grace) == trouble
        assert receiver.calls == 0

    def test_whose_name_turns_private_are_not_called(
        self, grace: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with receiving() as receiver:
            url = receiver.url.replace("127.0.0.1", "rebound.example.org")
            monkeypatch.setattr(socket, "getaddrinfo", resolving("8.8.8.8"))
            webhook, _ = register_webhook(url=url, events=Event.values, by=grace)
            monkeypatch.setattr(socket, "getaddrinfo", resolving("127.0.0.1"))
            send_test(webhook=webhook)

            deliver(until_idle=True)

        assert receiver.calls == 0
        assert webhook.deliveries.get().trouble == "private"

    def test_that_redirect_are_not_followed(
        self, grace: User, private_allowed: None
    ) -> None:
        with receiving() as inner:
            outer = Receiver(answer=lambda number: 307)
            with receiving(outer, Location=inner.url):
                trouble = self.trouble_with(outer.url, grace)

        assert (trouble, outer.calls, inner.calls) == ("status", 1, 0)

    @pytest.mark.parametrize(
        ("piece", "timeout_s", "trouble"),
        [
            (b"", 0.5, "no_answer"),
            (b"H", 15, "no_http"),
            (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000, 15, "no_http"),
        ],
    )
    def test_that_never_answer_or_for_ever_are_left(
        self,
        grace: User,
        settings: LazySettings,
        private_allowed: None,
        piece: bytes,
        timeout_s: float,
        trouble: str,
    ) -> None:
        settings.WEBHOOK_TIMEOUT_S = timeout_s
        with answering(piece) as url:
            assert self.trouble_with(url, grace) == trouble

    def test_that_drip_headers_are_left_in_time(
        self, grace: User, settings: LazySettings, private_allowed: None
    ) -> None:
        settings.WEBHOOK_TIMEOUT_S = 0.5
        first = b"HTTP/1.1 200 OK\r\n"
        with answering(b"A: 1\r\n", first=first, every_s=0.2) as url:
            assert self.trouble_with(url, grace) == "no_answer"

    def test_with_an_endless_body_have_answered(
        self, grace: User, private_allowed: None
    ) -> None:
        endless = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n" + b"x" * 999
        with answering(endless) as url:
            webhook = self.of(url, grace)
            send_test(webhook=webhook)

            deliver(until_idle=True)

        assert webhook.deliveries.get().state == Delivery.State.DELIVERED

    def test_that_are_not_there_are_named(
        self, grace: User, private_allowed: None
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as door:
            port = door.getsockname()[1]

        url = f"http://127.0.0.1:{port}/"
        assert self.trouble_with(url, grace) == "no_connection"
        unknown = "http://no-such-host.invalid/"
        assert self.trouble_with(unknown, grace) == "no_name"

    def test_with_another_certificate_get_nothing(
        self, grace: User, tmp_path: Path, private_allowed: None
    ) -> None:
        with unknown_tls_server(tmp_path) as port:
            url = f"https://127.0.0.1:{port}/"

            assert self.trouble_with(url, grace) == "certificate"

    def test_that_are_slow_delay_nobody_else(
        self,
        webhook: Webhook,
        receiver: Receiver,
        grace: User,
        settings: LazySettings,
    ) -> None:
        settings.WEBHOOK_TIMEOUT_S = 3
        with answering(b"") as url:
            slow = self.of(url, grace)
            send_test(webhook=slow)
            for _ in range(3):
                send_test(webhook=webhook)

            deliver(until_idle=True)

        latest = slow.deliveries.get().tried_at
        assert latest
        assert all(
            one.tried_at and one.tried_at < latest for one in webhook.deliveries.all()
        )


class unknown_tls_server:  # noqa: N801  # used as a function
    """A TLS server whose certificate nobody has signed; gives its port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> int:
        key, certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
                *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)

        class Quiet(HTTPServer):
            def handle_error(self, *args: object) -> None:
                """Say nothing."""

        self.server = Quiet(("127.0.0.1", 0), BaseHTTPRequestHandler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        return self.server.server_port

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class TestDesk:
    PAGE = "/admin/recognizer/webhook/"

    @pytest.fixture
    def desk(self, grace: User) -> Client:
        client = Client()
        enter_desk(client, grace)
        return client

    def test_registers_and_shows_the_secret_once(self, desk: Client) -> None:
        page = desk.post(f"{self.PAGE}add/", HOOK, follow=True)

        made = Webhook.objects.get()
        assert made.events == HOOK["events"]
        assert made.secret in page.content.decode()
        again = desk.get(f"{self.PAGE}{made.pk}/change/").content.decode()
        assert made.secret not in again

    def test_looks_the_address_up_outside_of_a_transaction(
        self, desk: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        depth = len(connection.savepoint_ids)  # of the test's own transaction
        depths = []

        def resolve(*args: Any, **more: Any) -> Any:
            depths.append(len(connection.savepoint_ids))
            return resolving("8.8.8.8")(*args, **more)

        monkeypatch.setattr(socket, "getaddrinfo", resolve)

        desk.post(f"{self.PAGE}add/", HOOK)

        assert depths == [depth]
        assert Webhook.objects.exists()

    def test_sends_nothing_again_while_disabled(
        self, desk: Client, webhook: Webhook, grace: User
    ) -> None:
        disable_webhook(webhook=webhook, by=grace)

        answer = desk.post(f"{self.PAGE}{webhook.pk}/replay/", follow=True)

        assert "Enable it" in answer.content.decode()

    def test_names_what_is_wrong(self, desk: Client) -> None:
        private = {**HOOK, "url": "https://10.0.0.1/"}

        page = desk.post(f"{self.PAGE}add/", private).content.decode()

        assert "is not public" in page
        assert not Webhook.objects.exists()

    def test_tries_watches_and_sends_again(
        self, desk: Client, webhook: Webhook, receiver: Receiver
    ) -> None:
        at = f"{self.PAGE}{webhook.pk}/"
        desk.post(f"{at}test/")
        deliver(until_idle=True)

        desk.post(f"{at}replay/")
        deliver(until_idle=True)

        page = desk.get(f"{at}change/").content.decode()
        assert receiver.types == ["webhook.test"] * 2
        assert "webhook.test" in page
        assert "204" in page

    def test_changes_the_secret(self, desk: Client, webhook: Webhook) -> None:
        answer = desk.post(f"{self.PAGE}{webhook.pk}/rotate/", follow=True)

        former = webhook.secret
        webhook.refresh_from_db()
        assert webhook.secret != former == webhook.former_secret
        assert webhook.secret in answer.content.decode()

    def test_disables_enables_and_deletes(self, desk: Client, webhook: Webhook) -> None:
        at = f"{self.PAGE}{webhook.pk}/"
        states = []
        for action in ("disable", "enable"):
            desk.post(f"{at}{action}/")
            webhook.refresh_from_db()
            states.append(webhook.state)
        desk.post(f"{at}delete/", {"post": "yes"})

        assert states == ["disabled", "enabled"]
        assert not Webhook.objects.exists()

    def test_begins_with_the_webhooks_that_were_disabled(
        self, desk: Client, active_model: object
    ) -> None:
        Webhook.objects.create(url=HOOK["url"], secret="x", state="gone")

        assert "Disabled webhooks" in desk.get("/admin/").content.decode()
