"""Acknowledged means stored: web processes are killed at random moments under load.

A few kills by `make test-services`, 40 by `make test-all`, 200 with `ARGS=--full`; on
PostgreSQL where DATABASE_URL names one.
"""

import json
import os
import random
import signal
import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from recognizer.tests.conftest import SEVEN, record_figure
from tools.server import Server, serving

SENDERS, WORKERS = 6, 2
COUNT = """
import json
from recognizer.models import Submission, Prediction, IdempotencyKey
from recognizer.drawings.statistics import stats
stored = [str(pk) for pk in Submission.objects.values_list("pk", flat=True)]
halves = Submission.objects.exclude(predictions__role="shown").count()
print(json.dumps({
    "stored": stored,
    "halves": halves,
    "shown": Prediction.objects.filter(role="shown").count(),
    "keys": IdempotencyKey.objects.count(),
    "tally": stats().submissions,
}))
"""


class Sender(threading.Thread):
    """Sends drawings under keys, one after the other, each until it is acknowledged."""

    def __init__(self, server: Server, token: str, name: str) -> None:
        super().__init__(name=name)
        self.server, self.token = server, token
        self.acknowledged: list[str] = []
        self.cut_off = 0
        self.wanted = threading.Event()
        self.wanted.set()
        self.odd: list[str] = []

    def run(self) -> None:
        number = 0
        while self.wanted.is_set():
            number += 1
            self._send(f"{self.name}-{number}")

    def _send(self, key: str) -> None:
        while True:
            request = urllib.request.Request(
                f"{self.server.url}/api/v1/submissions/",
                data=json.dumps(SEVEN).encode(),
                headers={
                    "Content-Type": "application/json",
                    "Authorization": f"Bearer {self.token}",
                    "Idempotency-Key": key,
                },
            )
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    self.acknowledged.append(json.load(answer)["id"])
                    return
            except urllib.error.HTTPError as error:
                with error:
                    if error.code != 503:
                        self.odd.append(f"{error.code}: {error.read()[:200]!r}")
                        return
            except (OSError, HTTPException, ValueError):
                # The connection broke: sent again under its key, as the page does.
                self.cut_off += 1
            if not self.wanted.is_set():
                return
            time.sleep(0.02)


def kill_under_load(var: Path, *, kills: int, seed: int) -> dict[str, Any]:
    """Kill web processes under load; return what was acknowledged and stored."""
    chance = random.Random(seed)
    with serving(var) as server:
        server.make_user("sender")
        token = server.make_token("sender", "read,write")
        senders = [Sender(server, token, f"sender{i}") for i in range(SENDERS)]
        for sender in senders:
            sender.start()
        killed = 0
        while killed < kills:
            time.sleep(chance.uniform(0.1, 0.7))
            # The oldest: the server ends, for its supervisor to start it anew, where
            # one process dies twice within seconds.
            if len(victims := server.workers()) == WORKERS:
                os.kill(victims[0], signal.SIGKILL)
                killed += 1
        time.sleep(1)
        for sender in senders:
            sender.wanted.clear()
        for sender in senders:
            sender.join(timeout=60)
            assert not sender.is_alive()
        counted = json.loads(server.manage("shell", "--no-imports", "-c", COUNT))
    return {
        **counted,
        "killed": killed,
        "acknowledged": [one for sender in senders for one in sender.acknowledged],
        "cut_off": sum(sender.cut_off for sender in senders),
        "odd": [one for sender in senders for one in sender.odd],
    }


def hold(found: dict[str, Any]) -> None:
    """Hold what must be: nothing acknowledged is lost, nothing is there by half."""
    stored, acknowledged = set(found["stored"]), set(found["acknowledged"])
    lost = acknowledged - stored
    kind = (
        "PostgreSQL" if os.environ.get("DATABASE_URL", "").startswith("p") else "SQLite"
    )
    record_figure(
        f"kill -9 on {kind}: {found['killed']} kills, {found['cut_off']} requests cut "
        f"off, {len(acknowledged)} acknowledged, {len(lost)} lost, "
        f"{found['halves']} by half, {len(stored) - len(acknowledged)} stored whose "
        "answer was lost"
    )
    assert lost == set()
    assert found["halves"] == 0
    assert found["shown"] == len(stored) == found["keys"] == found["tally"]
    assert len(found["acknowledged"]) == len(acknowledged)  # each key stored once
    assert found["odd"] == []
    assert found["cut_off"] > 0  # the kills met requests
    assert len(acknowledged) > found["killed"]


@pytest.mark.database
class TestKill:
    def test_loses_nothing_that_was_acknowledged(self, tmp_path: Path) -> None:
        hold(kill_under_load(tmp_path / "var", kills=6, seed=1))

    @pytest.mark.long
    def test_many_times_loses_nothing(self, tmp_path: Path, is_full: bool) -> None:
        kills = 200 if is_full else 40
        hold(kill_under_load(tmp_path / "var", kills=kills, seed=2))


@pytest.mark.database
class TestGracefulStop:
    def test_finishes_the_requests_that_run(self, tmp_path: Path) -> None:
        batch = json.dumps({"drawings": [SEVEN] * 256}).encode()
        answers: list[Any] = []

        def read(url: str) -> None:
            request = urllib.request.Request(
                f"{url}/api/v1/readings/",
                data=batch,
                headers={"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                answers.append(len(json.load(answer)["readings"]))

        with serving(tmp_path / "var") as server:
            readers = [
                threading.Thread(target=read, args=(server.url,)) for _ in range(4)
            ]
            for reader in readers:
                reader.start()
            time.sleep(0.3)  # they run
        for reader in readers:
            reader.join(timeout=60)

        assert answers == [256] * 4
