"""Many events, a receiver that is down for a while, and a worker that is killed.

1,000 events, and 10,000 with `--full`; on PostgreSQL where DATABASE_URL names one.
"""

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mlcore import paths
from recognizer.tests.conftest import record_figure
from recognizer.tests.receivers import Receiver, receiving
from tools.server import Server, environment, serving

REGISTER = """
from recognizer.models import Event, User
from recognizer.webhooks.managing import register_webhook
user = User.objects.create_superuser("root")
print(register_webhook(url={url!r}, events=Event.values, by=user)[1])
"""
# A stored drawing and answers to it: events that must stay in order.
EVENTS = """
from django.db import transaction
from recognizer.drawings.feedback import give_feedback
from recognizer.tests.learning import make_person, submit
from mlcore.reading.specimens import specimens
person, strokes = make_person(), specimens()[0].strokes
for _ in range({drawings}):
    with transaction.atomic():
        one = submit(person, strokes)
        for _ in range({answers}):
            give_feedback(submission=one, verdict="withdrawn")
"""
LEFT = """
from recognizer.models import Delivery
print(Delivery.objects.exclude(state="delivered").count())
"""
ORDER = """
import json
from recognizer.models import Delivery
rows = Delivery.objects.order_by("pk").values_list("submission_id", "message_id")
print(json.dumps([[str(drawing), name.hex] for drawing, name in rows]))
"""
ANSWERS = 9  # to each drawing


def work(server: Server) -> "subprocess.Popen[bytes]":
    """Start a worker."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "work"],
        cwd=paths.REPOSITORY,
        env=environment(server.var, dict(server.variables)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_until(is_so: Callable[[], bool], *, within_s: float) -> None:
    give_up_at = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < give_up_at
        time.sleep(0.2)


def wait_for(receiver: Receiver, number: int) -> None:
    wait_until(lambda: len(receiver.messages) >= number, within_s=300)


def shell(server: Server, code: str) -> str:
    return server.manage("shell", "--no-imports", "-c", code)


@pytest.mark.long
class TestStorm:
    def test_loses_nothing(self, tmp_path: Path, is_full: bool) -> None:
        drawings = 1_000 if is_full else 100
        total = drawings * (1 + ANSWERS)
        receiver = Receiver()
        with serving(tmp_path / "var", WEBHOOKS_TO_PRIVATE_ADDRESSES="1") as server:
            with receiving(receiver):
                port = urlsplit(receiver.url).port or 0
                receiver.secret = shell(server, REGISTER.format(url=receiver.url))
            shell(server, EVENTS.format(drawings=drawings, answers=ANSWERS))
            began = time.monotonic()
            worker = work(server)  # the receiver is down
            try:
                time.sleep(10)
                with receiving(receiver, port=port):
                    for share in (0.2, 0.5):
                        wait_for(receiver, round(total * share))
                        worker.kill()
                        worker.wait()
                        worker = work(server)
                    # Half of the rest is refused at first.
                    receiver.answer = lambda number: 503 if number % 2 else 204
                    time.sleep(35)
                    receiver.answer = lambda number: 204
                    wait_until(lambda: shell(server, LEFT) == "0", within_s=600)
                took_s = time.monotonic() - began
            finally:
                worker.kill()
                worker.wait()
            sent = json.loads(shell(server, ORDER))

        got: dict[str, list[str]] = defaultdict(list)
        ids = [one["webhook-id"].removeprefix("msg_") for one in receiver.headers]
        for name, message in zip(ids, receiver.messages, strict=True):
            of_drawing = got[message["data"]["submission"]]
            if name not in of_drawing:  # else a repeat, which receivers drop
                of_drawing.append(name)
        wanted_order: dict[str, list[str]] = defaultdict(list)
        for drawing, name in sent:
            wanted_order[drawing].append(name)
        assert len(sent) == total
        assert got == wanted_order
        record_figure(
            f"webhooks: {total:,} events, receiver down for 10 s and refusing every "
            f"other call for 35 s, worker killed twice: {len(set(ids)):,} delivered in "
            f"order, {len(ids) - len(set(ids))} repeated, {took_s:.0f} s"
        )
