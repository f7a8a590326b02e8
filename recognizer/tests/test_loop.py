"""The whole loop, small and real: corrections, review, training, gate, promotion."""

from pathlib import Path
from typing import Any

import keras
import pytest
from django.conf import LazySettings

from mlcore.reading.bundle import (
    KERAS_WEIGHTS,
    SERVED_WEIGHTS,
    Bundle,
    open_bundle,
    write_bundle,
)
from mlcore.tests.making import KERAS_3_ON_NUMPY_2
from mlcore.training.train import keras_weights, served_weights
from recognizer.drawings.feedback import give_feedback
from recognizer.learning import promotion, review, snapshots, training
from recognizer.learning import worker as crossing
from recognizer.learning.promotion import promote_model, register_model
from recognizer.learning.review import Decision
from recognizer.models import GateReport, ModelVersion, Submission, User
from recognizer.reader import active, engine
from recognizer.reader.recognisers import recogniser_for
from recognizer.tests.learning import as_drawing, hands, make_person, submit

# Little of everything: it runs in half a minute on a free core.
OPTIONS: dict[str, Any] = {
    "digits": 60,
    "non_digits": 30,
    "batch_size": 32,
    "epochs": 6,
    "learning_rate": 0.006,
    "ema_momentum": 0.8,  # the usual mean is over more steps than these few
    "pen": False,
}


@pytest.fixture
def confused(
    active_model: ModelVersion, settings: LazySettings, tmp_path: Path
) -> ModelVersion:
    """A model that takes each 1 for a 7 and each 7 for a 1; it reads."""
    starter = open_bundle(settings.STARTER_BUNDLE)
    bundle = register_model(bundle=confuse(starter, tmp_path), origin="trained")
    return promote_model(version=bundle)


def confuse(starter: Bundle, parent: Path) -> Bundle:
    """Swap what the starter's network says of 1 and 7."""
    network = keras.models.load_model(starter.folder / KERAS_WEIGHTS)
    logits = network.get_layer("logits")
    kernel, bias = logits.get_weights()
    kernel[:, [1, 7]], bias[[1, 7]] = kernel[:, [7, 1]], bias[[7, 1]]
    logits.set_weights([kernel, bias])
    return write_bundle(
        parent,
        files={
            SERVED_WEIGHTS: served_weights(network),
            KERAS_WEIGHTS: keras_weights(network),
        },
        calibration=starter.calibration,
        metrics={},
        provenance={},
    )


def share_right(version: ModelVersion, drawn: list[Any]) -> float:
    """Read specimens by a version."""
    recogniser = recogniser_for(version)
    right = [
        max(
            range(10),
            key=engine.read(
                as_drawing(one.strokes), recogniser=recogniser
            ).probabilities.__getitem__,
        )
        == one.digit
        for one in drawn
    ]
    return float(sum(right) / len(right))


@pytest.mark.database
@pytest.mark.filterwarnings(KERAS_3_ON_NUMPY_2)
class TestLoop:
    def test_learns_from_corrections(
        self,
        confused: ModelVersion,
        active_model: ModelVersion,
        reviewer: User,
        settings: LazySettings,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.delenv("PEN_DIR", raising=False)
        settings.RUNS_FOLDER = tmp_path / "runs"
        truth = {}
        for drawn in hands(6):
            person = make_person()
            for one in drawn:
                submission = submit(person, one.strokes)
                truth[submission.pk] = one.digit
                if submission.shown_digit != one.digit:
                    give_feedback(
                        submission=submission, verdict="wrong", digit=one.digit
                    )
        corrected = Submission.objects.filter(verdict="wrong").count()
        for submission in review.claim_next(reviewer=reviewer, count=200):
            decision = Decision(digit=truth[submission.pk])
            review.decide(
                submission_id=submission.pk, reviewer=reviewer, decision=decision
            )
        others = [one for drawn in hands(3, seed=5) for one in drawn]

        run = training.start_training(
            snapshot=snapshots.make_snapshot(actor=None), actor=None, options=OPTIONS
        )
        ended = crossing.perform(run.pk)

        run.refresh_from_db()
        assert (ended, run.problem) == ("done", "")
        assert run.version
        gate = GateReport.objects.get()
        failed = [c["name"] for c in gate.report["checks"] if not c["has_passed"]]
        win = gate.report["checks"][0]
        before, after = (share_right(v, others) for v in (confused, run.version))
        assert corrected >= 20  # each 1 and each 7
        assert win["has_passed"], gate.report["checks"]
        assert before < 0.85
        assert after > before + 0.1
        promotion.promote(
            version=run.version,
            actor=reviewer,
            reason="a trial on few digits" if failed else "",
        )
        assert active.active_model() == run.version
        assert promotion.roll_back(actor=reviewer) == confused
