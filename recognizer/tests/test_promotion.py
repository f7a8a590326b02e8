"""Promotion through the gate, rollback, and everybody who reads meanwhile."""

import json
import threading
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils.translation import override

from mlcore.judging.changes import CHANGES
from mlcore.judging.gate import (
    CORNERS,
    Pair,
    must_not_exceed,
    must_not_lose,
    must_win,
)
from mlcore.reading.bundle import Bundle, open_bundle
from mlcore.training.figures import ReadDigits
from recognizer.desk.gate_words import WORDS, in_words
from recognizer.drawings.submitting import submit_drawing
from recognizer.learning import promotion
from recognizer.learning.promotion import GateError, register_model
from recognizer.models import AuditEntry, GateReport, ModelVersion, User
from recognizer.reader import active
from recognizer.tests.conftest import SEVEN, enter_desk
from recognizer.tests.test_services import other_bundle
from tools.server import Server

MODELS = "/admin/recognizer/modelversion/"


@pytest.fixture
def starter(settings: LazySettings) -> Bundle:
    return open_bundle(settings.STARTER_BUNDLE)


@pytest.fixture
def candidate(
    active_model: ModelVersion, starter: Bundle, tmp_path: Path
) -> ModelVersion:
    bundle = other_bundle(starter, tmp_path)
    return register_model(bundle=bundle, origin="trained")


NO_PAIR = Pair(ReadDigits([], np.zeros(0)), ReadDigits([], np.zeros(0)))
CHECK: dict[str, Any] = {
    "name": "new hold-out",
    "figure": "read right",
    "candidate": 0.97,
    "incumbent": 0.95,
    "allowed": "more, beyond chance",
    "has_passed": True,
    "drawings": 280,
    "fixes": 2,
    "breaks": 1,
    "chance": 0.04,
}


def judge(
    candidate: ModelVersion, incumbent: ModelVersion, *, passed: bool, **report: Any
) -> GateReport:
    """Store a gate report."""
    usual = {
        "checks": [{**CHECK, "has_passed": passed}],
        "drawings": [],
        "erased": 0,
        "mnist_test": {"candidate": 0.997, "incumbent": 0.997, "fixes": 1, "breaks": 1},
    }
    return GateReport.objects.create(
        candidate=candidate,
        incumbent=incumbent,
        has_passed=passed,
        report={**usual, **report},
    )


class TestPromote:
    def test_needs_a_gate_that_was_passed(
        self, active_model: ModelVersion, candidate: ModelVersion, admin_user: User
    ) -> None:
        with pytest.raises(GateError, match="not been compared"):
            promotion.promote(version=candidate, actor=admin_user)
        judge(candidate, active_model, passed=False)
        with pytest.raises(GateError, match="has failed its gate"):
            promotion.promote(version=candidate, actor=admin_user)
        judge(candidate, active_model, passed=True)

        promotion.promote(version=candidate, actor=admin_user)

        assert active.active_model() == candidate
        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.action) == (admin_user, "promote")
        assert entry.before == {"reads": active_model.digest}

    def test_against_the_gate_needs_a_reason_that_is_kept(
        self, active_model: ModelVersion, candidate: ModelVersion, admin_user: User
    ) -> None:
        judge(candidate, active_model, passed=False)

        with pytest.raises(GateError):
            promotion.promote(version=candidate, actor=admin_user, reason="  ")
        promotion.promote(version=candidate, actor=admin_user, reason="A trial run.")

        entry = AuditEntry.objects.get()
        assert (entry.action, entry.reason) == ("override", "A trial run.")

    def test_says_if_a_candidate_is_not_proven_rather_than_worse(
        self, active_model: ModelVersion, candidate: ModelVersion
    ) -> None:
        judge(candidate, active_model, passed=False, outcome="not_proven")

        with pytest.raises(GateError, match="is not proven to be better"):
            promotion.promote(version=candidate, actor=None)

    def test_counts_a_gate_against_what_reads_now_only(
        self, active_model: ModelVersion, candidate: ModelVersion, starter: Bundle
    ) -> None:
        judge(candidate, active_model, passed=True)
        promotion.promote(version=candidate, actor=None)
        promotion.roll_back(actor=None)
        ModelVersion.objects.filter(pk=candidate.pk).update(
            stage="candidate", promoted_at=None
        )
        GateReport.objects.update(incumbent=candidate)

        with pytest.raises(GateError, match="not been compared"):
            promotion.promote(version=candidate, actor=None)


class TestRollBack:
    def test_goes_to_the_former_and_forth_again(
        self, active_model: ModelVersion, candidate: ModelVersion
    ) -> None:
        promotion.promote(version=candidate, actor=None, reason="a trial")

        assert promotion.roll_back(actor=None) == active_model
        assert active.active_model() == active_model
        assert promotion.roll_back(actor=None) == candidate

    def test_to_what_has_never_read_is_refused(
        self, active_model: ModelVersion, candidate: ModelVersion
    ) -> None:
        with pytest.raises(GateError, match="no earlier model"):
            promotion.roll_back(actor=None)
        with pytest.raises(GateError, match="no earlier model"):
            promotion.roll_back(actor=None, to=candidate)


class TestCommands:
    def test_promote_and_roll_back(
        self,
        active_model: ModelVersion,
        candidate: ModelVersion,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        with pytest.raises(CommandError, match="--because"):
            call_command("promote", candidate.digest[:10])
        with pytest.raises(CommandError, match="0 models begin"):
            call_command("promote", "xyz")

        call_command("promote", candidate.digest[:10], because="a trial")
        call_command("rollback")

        said = capsys.readouterr().out
        assert said == (
            f"Model {candidate} is now active.\nModel {active_model} is active again.\n"
        )


class TestWords:
    @pytest.mark.parametrize(
        "text",
        [
            *WORDS,
            "MNIST validation, the digit it minds most: 9",
            *(f"the change it minds most: {change}" for change in CHANGES),
            *(f"the blot it minds most: 14 px in the {corner}" for corner in CORNERS),
            must_not_lose("set", NO_PAIR, tolerance=0.01).allowed,
            must_win("set", NO_PAIR, []).allowed,
            must_not_exceed("set", "refused", 0, 0, by=0.005, n=1).allowed,
            "11 (1%) by the incumbent",
            "1.25 times as long",
        ],
    )
    def test_of_a_report_are_translated(self, text: str) -> None:
        with override("de"):
            assert in_words(text) != text

    def test_that_are_unknown_stay_as_they_are(self) -> None:
        assert in_words("phase of the moon") == "phase of the moon"


class TestPages:
    def test_show_all_changes_and_their_reasons(
        self,
        active_model: ModelVersion,
        candidate: ModelVersion,
        admin_user: User,
        admin_client: Client,
    ) -> None:
        judge(candidate, active_model, passed=False, outcome="not_proven")
        promotion.promote(version=candidate, actor=admin_user, reason="Better on tens.")
        admin_client.post(
            f"{MODELS}{active_model.pk}/roll-back/", {"reason": "Worse on sevens."}
        )

        page = admin_client.get(f"{MODELS}history/").content.decode()
        rows = page.split("<tbody>")[1].split("<tr>")[1:]

        assert len(rows) == 2
        assert "Worse on sevens." in rows[0]
        assert "rolled back to an earlier model" in rows[0]
        assert "Better on tens." in rows[1]
        assert "not proven" in rows[1]
        for row in rows:
            assert f"/{active_model.pk}/change/" in row
            assert f"/{candidate.pk}/change/" in row

    def test_show_changes_of_models_that_are_gone(
        self, active_model: ModelVersion, admin_client: Client
    ) -> None:
        AuditEntry.objects.create(
            action="promote",
            subject="gone",
            before={"reads": "x"},
            after={"reads": "y"},
        )

        page = admin_client.get(f"{MODELS}history/").content.decode()

        assert "promoted a model" in page
        assert "command line" in page

    def test_keep_changes_from_those_who_may_not_see_them(
        self, active_model: ModelVersion, client: Client
    ) -> None:
        rita = User.objects.create_user("rita", is_staff=True)
        enter_desk(client, rita)

        assert client.get(f"{MODELS}history/").status_code == 403

    @pytest.mark.parametrize(
        ("needed", "words"),
        [(320, "about 320 drawings"), (None, "more drawings alone would not decide")],
    )
    def test_say_how_many_drawings_would_decide(
        self,
        active_model: ModelVersion,
        candidate: ModelVersion,
        admin_client: Client,
        needed: int | None,
        words: str,
    ) -> None:
        report = judge(
            candidate,
            active_model,
            passed=False,
            outcome="not_proven",
            drawings_to_decide=needed,
        )

        shown, listed, model = (
            admin_client.get(path).content.decode()
            for path in (
                f"/admin/recognizer/gatereport/{report.pk}/change/",
                "/admin/recognizer/gatereport/",
                f"/admin/recognizer/modelversion/{candidate.pk}/change/",
            )
        )

        assert words in shown
        assert "not proven" in listed
        assert "This model is not proven to be better" in model

    def test_promote_by_a_click_and_back(
        self, active_model: ModelVersion, candidate: ModelVersion, admin_client: Client
    ) -> None:
        judge(candidate, active_model, passed=True)
        before = admin_client.get(f"{MODELS}{candidate.pk}/change/").content.decode()

        promoted = admin_client.post(f"{MODELS}{candidate.pk}/promote/", follow=True)
        back = admin_client.post(f"{MODELS}{active_model.pk}/roll-back/", follow=True)

        assert "Promote to active model" in before
        assert "Why" not in before
        assert "is now active" in promoted.content.decode()
        assert "This is the active model" in promoted.content.decode()
        assert "is active again" in back.content.decode()
        assert active.active_model() == active_model

    def test_ask_why_where_the_gate_failed(
        self, active_model: ModelVersion, candidate: ModelVersion, admin_client: Client
    ) -> None:
        judge(candidate, active_model, passed=False)
        page = admin_client.get(f"{MODELS}{candidate.pk}/change/").content.decode()
        url = f"{MODELS}{candidate.pk}/promote/"

        without = admin_client.post(url, follow=True).content.decode()
        with_one = admin_client.post(url, {"reason": "Because."}, follow=True)

        assert 'name="reason"' in page
        assert "give a reason" in without
        assert "is now active" in with_one.content.decode()

    def test_show_the_gate_with_pictures(
        self, active_model: ModelVersion, candidate: ModelVersion, admin_client: Client
    ) -> None:
        ours = submit_drawing(drawing=seven(), visitor=None, source="page")
        shown = {"set": "new hold-out", "truth": 7, "candidate": 7, "incumbent": 1}
        gate = judge(
            candidate,
            active_model,
            passed=True,
            drawings=[
                {**shown, "what": "fixed", "submission": str(ours.pk), "picture": None},
                {
                    **shown,
                    "what": "broken",
                    "submission": None,
                    "picture": "data:image/png;base64,xyz",
                },
            ],
            doubted=[
                {
                    "submission": str(ours.pk),
                    "truth": 1,
                    "kind": "digit",
                    "incumbent": 7,
                }
            ],
        )

        page = admin_client.get(f"/admin/recognizer/gatereport/{gate.pk}/change/")

        content = page.content.decode()
        assert "new hold-out: 2 fixed, 1 broken" in content
        assert "labelled 1, read as 7" in content
        assert f"/review/second/{gate.pk}/" in content
        assert f"/{ours.pk}/drawing.svg" in content
        assert "data:image/png;base64,xyz" in content
        assert " style=" not in content

    def test_are_for_who_may(
        self, active_model: ModelVersion, candidate: ModelVersion, client: Client
    ) -> None:
        enter_desk(client, User.objects.create_user("clerk", is_staff=True))

        for what in ("promote", "roll-back"):
            assert client.post(f"{MODELS}{candidate.pk}/{what}/").status_code == 403
        assert active.active_model() == active_model


def seven() -> Any:
    from recognizer.reader.drawing import StrokeDrawing

    return StrokeDrawing(SEVEN["strokes"], 280, 280, 18)


_CANDIDATE = """
import sys
from pathlib import Path
from django.conf import settings
from mlcore.reading.bundle import open_bundle
from recognizer.learning.promotion import register_model
from recognizer.tests.test_services import other_bundle
bundle = other_bundle(open_bundle(settings.STARTER_BUNDLE), Path({scratch!r}))
print(register_model(bundle=bundle, origin="trained").digest)
"""


@pytest.mark.database
class TestUnderLoad:
    def test_every_process_changes_at_once_and_no_request_fails(
        self, server: Server, tmp_path: Path
    ) -> None:
        code = _CANDIDATE.format(scratch=str(tmp_path))
        digest = server.manage("shell", "--no-imports", "-c", code).splitlines()[-1]
        answers: list[tuple[int, str]] = []
        is_over = threading.Event()

        def read_on() -> None:
            while not is_over.is_set():
                answers.append(read(server))

        readers = [threading.Thread(target=read_on) for _ in range(4)]
        for reader in readers:
            reader.start()
        after = []
        for command in (["promote", digest, "--because=a trial"], ["rollback"]):
            server.manage(*command)
            # Eight readings reach both processes; all are the new one's.
            after.append({read(server)[1] for _ in range(8)})
        is_over.set()
        for reader in readers:
            reader.join()

        assert len(after[0]) == len(after[1]) == 1
        assert after[0] == {digest} != after[1]
        assert {status for status, _ in answers} == {200}
        assert {model for _, model in answers} == after[0] | after[1]


def read(server: Server) -> tuple[int, str]:
    request = urllib.request.Request(
        f"{server.url}/api/v1/readings/",
        data=json.dumps({"drawings": [SEVEN]}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status, json.load(answer)["model"]
