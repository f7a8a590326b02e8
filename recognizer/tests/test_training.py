"""Trainings: whatever becomes of a worker, nothing is lost, stuck or half there."""

import dataclasses
import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from mlcore import paths
from mlcore.judging import gate
from mlcore.training.recipe import TrainConfig
from recognizer import request_ids
from recognizer.learning import claims, snapshots, training
from recognizer.learning import worker as crossing
from recognizer.management.commands import work
from recognizer.models import (
    AuditEntry,
    BundleArchive,
    GateReport,
    ModelVersion,
    Snapshot,
    TrainingRun,
    User,
)
from recognizer.request_ids import RequestIdFilter
from recognizer.tests.conftest import enter_desk, record_figure
from recognizer.tests.learning import fill
from tools.server import Server, data_alone, environment

STAND_IN = [sys.executable, "-m", "recognizer.tests.stand_in"]


@pytest.fixture
def snapshot(
    active_model: ModelVersion, settings: LazySettings, tmp_path: Path
) -> Snapshot:
    """A snapshot of what two people drew; trainings are stand-ins."""
    settings.TRAIN_COMMAND = [*STAND_IN, "train"]
    settings.JUDGE_COMMAND = [*STAND_IN, "judge"]
    settings.RUNS_FOLDER = tmp_path / "runs"
    fill(people=2)
    return snapshots.make_snapshot(actor=None)


@pytest.fixture
def run(snapshot: Snapshot) -> TrainingRun:
    return training.start_training(snapshot=snapshot, actor=None)


def fall_silent() -> None:
    TrainingRun.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=61))


class TestRun:
    def test_ends_with_a_candidate_and_its_gate_report(self, run: TrainingRun) -> None:
        assert crossing.perform(run.pk) == "done"

        run.refresh_from_db()
        assert run.version
        assert run.version.stage == "candidate"
        assert run.version.origin == "trained"
        assert GateReport.objects.get().candidate == run.version
        assert BundleArchive.objects.filter(model_version=run.version).exists()
        assert "step 4" in run.log
        assert run.progress == 1
        assert run.started_at
        assert run.history[4] == {"loss": 0.2, "mnist": 1.0}

    def test_tells_by_whose_request_it_was_started(
        self, snapshot: Snapshot, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.handler.addFilter(RequestIdFilter())
        asked = request_ids.current.set("r-1")
        run = training.start_training(snapshot=snapshot, actor=None)
        request_ids.current.reset(asked)

        with caplog.at_level(logging.INFO):
            crossing.perform(run.pk)

        run.refresh_from_db()
        assert run.log.startswith("Started by request r-1.")
        ids = {
            vars(record)["request_id"]
            for record in caplog.records
            if "attempt 1 begins" in record.getMessage()
        }
        assert ids == {"r-1"}

    def test_leaves_no_copy_of_a_drawing_behind(
        self, run: TrainingRun, settings: LazySettings
    ) -> None:
        crossing.perform(run.pk)

        assert list(settings.RUNS_FOLDER.iterdir()) == []

    def test_that_was_lost_leaves_none_either(
        self, run: TrainingRun, settings: LazySettings
    ) -> None:
        lost = settings.RUNS_FOLDER / str(run.pk)
        by_hand = settings.RUNS_FOLDER / "20261124-120000"
        for folder in (lost / "snapshot", by_hand):
            folder.mkdir(parents=True)

        while_it_may_go_on = crossing.clear_away()
        training.cancel_training(run=run, actor=None)
        when_it_has_ended = crossing.clear_away()

        assert (while_it_may_go_on, when_it_has_ended) == (0, 1)
        assert list(settings.RUNS_FOLDER.iterdir()) == [by_hand]

    def test_that_is_handed_back_leaves_none(
        self,
        run: TrainingRun,
        settings: LazySettings,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def stop(*_: Any, **__: Any) -> None:
            (folder,) = settings.RUNS_FOLDER.iterdir()
            assert (folder / "snapshot").is_dir()
            (folder / "checkpoint").touch()
            raise SystemExit

        monkeypatch.setattr(crossing._Watched, "run", stop)

        with pytest.raises(SystemExit):
            crossing.perform(run.pk)

        (folder,) = settings.RUNS_FOLDER.iterdir()
        names = {path.name for path in folder.iterdir()}
        assert names - {"log"} == {"checkpoint"}

    def test_is_done_once(self, run: TrainingRun) -> None:
        crossing.perform(run.pk)

        assert crossing.perform(run.pk) == "not available"
        assert ModelVersion.objects.count() == 2

    def test_that_fails_says_why(self, snapshot: Snapshot) -> None:
        run = training.start_training(
            snapshot=snapshot, actor=None, options={"epochs": 0}
        )

        assert crossing.perform(run.pk) == "failed"

        run.refresh_from_db()
        assert run.problem.endswith("Last output: There is nothing to train.")
        assert ModelVersion.objects.count() == 1

    def test_without_the_requirements_says_what_to_install(
        self, run: TrainingRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(crossing, "is_installed", lambda: False)

        assert crossing.perform(run.pk) == "failed"

        run.refresh_from_db()
        assert "requirements/train.txt" in run.problem
        with pytest.raises(CommandError, match=r"requirements/train\.txt"):
            call_command("retrain")

    def test_waits_for_a_worker_that_can_train(
        self, run: TrainingRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(crossing, "is_installed", lambda: False)

        call_command("work", "--until-done")

        assert DBTaskResult.objects.ready().get().id == run.task_id

    def test_waits_until_the_worker_that_cannot_train_is_stopped(self) -> None:
        before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
        stopping = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGTERM])

        stopping.start()
        work.until_stopped()  # or SIGTERM would end this process

        stopping.join(timeout=10)
        assert stopping.finished.is_set()
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])

    def test_is_queued_by_a_command(self, snapshot: Snapshot) -> None:
        call_command("retrain", set=["epochs=7", "pen=false"])

        run = TrainingRun.objects.get()
        assert run.options == {"epochs": "7", "pen": False}
        assert DBTaskResult.objects.ready().get().id == run.task_id


class TestCancel:
    def test_of_a_waiting_run_is_at_once(
        self, run: TrainingRun, admin_user: User
    ) -> None:
        training.cancel_training(run=run, actor=admin_user)

        assert crossing.perform(run.pk) == "not available"
        run.refresh_from_db()
        assert run.state == "cancelled"
        entry = AuditEntry.objects.get(action="cancel")
        assert (entry.actor, entry.subject) == (admin_user, str(run.pk))

    def test_stops_a_running_one(self, run: TrainingRun) -> None:
        claim = claims.claim_run(run_id=run.pk)
        assert claim
        training.cancel_training(run=run, actor=None)

        with pytest.raises(claims.CancelledError):
            claim.beat(progress=0.1, doing="step", log="")
        claim.end(TrainingRun.State.CANCELLED, log="")

        run.refresh_from_db()
        assert run.state == "cancelled"


class TestSilence:
    def test_is_taken_up_once_and_then_failed(self, run: TrainingRun) -> None:
        states = []
        for _ in range(2):
            assert claims.claim_run(run_id=run.pk)
            fall_silent()
            assert training.tend_runs() == 1
            run.refresh_from_db()
            states.append(run.state)

        assert states == ["queued", "failed"]
        assert "stopped responding 2 times" in run.problem
        assert training.tend_runs() == 0

    def test_of_a_living_worker_is_none(self, run: TrainingRun) -> None:
        claims.claim_run(run_id=run.pk)

        assert training.tend_runs() == 0

    def test_leaves_the_former_worker_without_a_row(self, run: TrainingRun) -> None:
        former = claims.claim_run(run_id=run.pk)
        fall_silent()
        training.tend_runs()
        latter = claims.claim_run(run_id=run.pk)
        assert former
        assert latter

        with pytest.raises(claims.RunLostError):
            former.beat(progress=1, doing="late", log="")
        latter.beat(progress=0.5, doing="mine", log="")

        run.refresh_from_db()
        assert run.doing == "mine"

    def test_of_a_run_nobody_has_taken_is_waiting(self, run: TrainingRun) -> None:
        fall_silent()

        assert training.tend_runs() == 0

    def test_between_task_and_run_loses_nothing(self, run: TrainingRun) -> None:
        """The worker took the task and died before it had claimed the run."""
        DBTaskResult.objects.update(status="RUNNING")
        fall_silent()

        assert training.tend_runs() == 1

        run.refresh_from_db()
        assert (run.state, run.times_lost) == ("queued", 0)
        assert DBTaskResult.objects.ready().get().id == run.task_id

    def test_is_seen_by_the_admin(self, run: TrainingRun, admin_client: Client) -> None:
        claims.claim_run(run_id=run.pk)
        fall_silent()

        page = admin_client.get(f"/admin/recognizer/trainingrun/{run.pk}/change/")

        assert "waiting for another" in page.content.decode()

    def test_told_to_stop_is_handed_back(self, run: TrainingRun) -> None:
        claim = claims.claim_run(run_id=run.pk)
        assert claim

        crossing.hand_back(claim, log="")

        run.refresh_from_db()
        assert (run.state, run.times_lost) == ("queued", 0)
        assert claims.claim_run(run_id=run.pk)


class TestPages:
    def test_make_a_snapshot_train_and_cancel(
        self, snapshot: Snapshot, admin_client: Client
    ) -> None:
        made = admin_client.post("/admin/recognizer/snapshot/make/", follow=True)
        begun = admin_client.post(
            f"/admin/recognizer/snapshot/{snapshot.pk}/train/", follow=True
        )
        run = TrainingRun.objects.get()
        state = admin_client.get(f"/admin/recognizer/trainingrun/{run.pk}/state/")
        ended = admin_client.post(
            f"/admin/recognizer/trainingrun/{run.pk}/cancel/", follow=True
        )

        assert "most of one person" in made.content.decode()
        assert "Cancel training" in begun.content.decode()
        assert state.json()["state"] == "queued"
        run.refresh_from_db()
        assert run.state == "cancelled"
        for page in (made, begun, ended):
            assert b" style=" not in page.content
            assert b"<script>" not in page.content

    def test_are_for_who_may(self, snapshot: Snapshot, client: Client) -> None:
        enter_desk(client, User.objects.create_user("clerk", is_staff=True))

        for path in ("snapshot/make", f"snapshot/{snapshot.pk}/train"):
            assert client.post(f"/admin/recognizer/{path}/").status_code == 403
        assert not TrainingRun.objects.exists()


# --- workers that are killed -------------------------------------------------------

_FILL = """
from recognizer.tests.learning import fill
from recognizer.learning import snapshots
fill(people=2)
print(snapshots.make_snapshot(actor=None).digest)
"""
_STATE = """
import json, tempfile, time
from pathlib import Path
from django.conf import settings
from mlcore.reading.bundle import unpack_bundle
from recognizer.models import BundleArchive, GateReport, ModelVersion, TrainingRun
under_way = TrainingRun.objects.filter(state__in=["queued", "running"])
stop_at = time.monotonic() + {patience_s}
while under_way.exists() and time.monotonic() < stop_at:
    time.sleep(0.5)
runs = [[r.state, r.problem, r.times_lost] for r in TrainingRun.objects.order_by("pk")]
whole = 0
with tempfile.TemporaryDirectory() as scratch:
    for archive in BundleArchive.objects.select_related("model_version"):
        made = unpack_bundle(bytes(archive.packed), parent=Path(scratch))
        whole += made.digest == archive.model_version.digest
print(json.dumps({{"runs": runs, "whole": whole, "gates": GateReport.objects.count(),
    "trained": ModelVersion.objects.filter(origin="trained").count()}}))
"""
_NEXT = """
from django.core.management import call_command
from recognizer.models import TrainingRun
if not TrainingRun.objects.filter(state__in=["queued", "running"]).exists():
    call_command("retrain", set={options!r})
"""


@contextmanager
def worker(site: Server, command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a worker until the block ends, then kill it as a power cut would."""
    process = subprocess.Popen(
        command,
        cwd=paths.REPOSITORY,
        env=environment(site.var, dict(site.variables)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def children_of(var: Path) -> list[str]:
    """Return the commands that still work in a data folder."""
    listed = subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    )
    return [line for line in listed.stdout.splitlines() if f"={var}/runs/" in line]


def kill_workers(
    site: Server,
    command: list[str],
    *,
    kills: int,
    longest_s: float,
    options: list[str],
) -> dict[str, Any]:
    """Kill workers at random moments of trainings; return what is there at last."""
    rng = random.Random(1)
    site.manage("prepare")
    site.manage("shell", "--no-imports", "-c", _FILL)

    def shell(code: str) -> str:
        return site.manage("shell", "--no-imports", "-c", code)

    for _ in range(kills):
        shell(_NEXT.format(options=options))
        with worker(site, command):
            time.sleep(rng.uniform(0.3, longest_s))
    with worker(site, command):
        said = shell(_STATE.format(patience_s=60 + 10 * longest_s))
    time.sleep(1)  # for children to notice
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def assert_nothing_lost(site: Server, found: dict[str, Any]) -> None:
    states = [state for state, *_ in found["runs"]]
    assert set(states) <= {"done", "failed"}, found["runs"]
    for state, problem, lost in found["runs"]:
        assert lost == 2 if state == "failed" else lost < 2
        assert "stopped responding" in problem if state == "failed" else problem == ""
    assert found["trained"] == found["gates"] == states.count("done")
    assert found["whole"] == found["trained"] + 1  # and the starter
    assert children_of(site.var) == []
    bundles = site.var / "bundles"
    assert not [p for p in bundles.iterdir() if p.name.startswith(".")]
    assert site.manage("rebuild").startswith("0 submissions")


class TestKilledWorkers:
    @pytest.mark.database
    def test_lose_nothing_and_leave_nothing_half(self, tmp_path: Path) -> None:
        with data_alone(tmp_path) as site:
            found = kill_workers(
                site, [*STAND_IN, "work"], kills=3, longest_s=4.0, options=[]
            )

            assert_nothing_lost(site, found)

    @pytest.mark.long
    def test_many_times_lose_nothing_either(
        self, tmp_path: Path, is_full: bool
    ) -> None:
        kills = 20 if is_full else 6
        with data_alone(tmp_path) as site:
            found = kill_workers(
                site, [*STAND_IN, "work"], kills=kills, longest_s=8.0, options=[]
            )

            assert_nothing_lost(site, found)
            record_figure(f"{kills} kills of a worker: {_by_state(found)}")

    @pytest.mark.long
    def test_in_real_trainings_lose_nothing(
        self, tmp_path: Path, is_full: bool
    ) -> None:
        """A training of 400 digits, killed at random moments."""
        kills = 20 if is_full else 3
        code = (
            "import django; django.setup(); from django.conf import settings;"
            "settings.SILENT_AFTER_S = 5;"
            "from recognizer.management.commands import work; work.TEND_EVERY_S = 1;"
            "from django.core.management import call_command; call_command('work')"
        )
        options = ["digits=400", "non_digits=50", "pen=false"]
        with data_alone(tmp_path, DJANGO_SETTINGS_MODULE="digitsite.settings") as site:
            found = kill_workers(
                site,
                [sys.executable, "-c", code],
                kills=kills,
                longest_s=45.0,
                options=options,
            )

            assert_nothing_lost(site, found)
            record_figure(f"{kills} kills in real trainings: {_by_state(found)}")


def _by_state(found: dict[str, Any]) -> str:
    states = Counter(state for state, *_ in found["runs"])
    return ", ".join(f"{number} runs {state}" for state, number in states.items())


class TestRealChildren:
    def test_know_each_flag_that_the_site_gives(self) -> None:
        fields = {field.name for field in dataclasses.fields(TrainConfig)}
        flags = {action.dest for action in gate.parser()._actions}

        assert {"start_from", "snapshot", "checkpoint", "out", "watched"} <= fields
        assert crossing.USUAL_OPTIONS.keys() <= fields
        assert {
            *("candidate", "incumbent", "snapshot", "earlier", "progress", "out"),
            *("digits", "watched"),
        } <= flags
