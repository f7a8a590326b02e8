"""The pages of the learning loop: what a training can hope for, and its curves."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from mlcore.reading.specimens import specimens
from recognizer.desk.curves import curve_plots
from recognizer.learning.outlook import outlook_of
from recognizer.learning.snapshots import make_snapshot
from recognizer.learning.training import start_training
from recognizer.models import ModelVersion, Snapshot, TrainingRun, User, Visitor
from recognizer.tests.learning import hands, make_person, submit


def draw(
    person: Visitor, *, digits: set[int], reviewer: User, other: bool = False
) -> int:
    """Draw these digits and label them, or label the next digit; return how many."""
    drawn = [one for one in hands(1)[0] if one.digit in digits]
    for one in drawn:
        label = (one.digit + other) % 10
        submit(person, one.strokes, reviewer=reviewer, digit=label)
    return len(drawn)


@pytest.fixture
def snapshot(active_model: ModelVersion, admin_user: User) -> Snapshot:
    """One person's zeros to nines to learn from, and another's wrong labels."""
    taught, judged = (make_person(), make_person())
    Visitor.objects.filter(pk=taught.pk).update(split="train")
    Visitor.objects.filter(pk=judged.pk).update(split="holdout")
    draw(taught, digits={0, 1, 2}, reviewer=admin_user)
    draw(judged, digits={4}, reviewer=admin_user, other=True)
    return make_snapshot(actor=admin_user)


class TestOutlook:
    def test_counts_labels_mistakes_and_missing_digits(
        self, snapshot: Snapshot
    ) -> None:
        fours = sum(one.digit == 4 for one in specimens())

        outlook = outlook_of(snapshot)

        assert outlook.training.people == outlook.hold_out.people == 1
        assert outlook.training.missing == [3, 4, 5, 6, 7, 8, 9]
        assert outlook.hold_out.missing == [0, 1, 2, 3, 4, 6, 7, 8, 9]
        assert outlook.hold_out.drawings == outlook.hold_out.misread <= fours
        assert outlook.training.misread <= 2
        assert not outlook.has_much_to_learn
        assert outlook.usual_time is None

    def test_knows_how_long_the_last_trainings_took(
        self, snapshot: Snapshot, active_model: ModelVersion
    ) -> None:
        now = timezone.now()
        for minutes in (3, 9, 60):
            run = start_training(snapshot=snapshot, actor=None)
            TrainingRun.objects.filter(pk=run.pk).update(
                state="done",
                version=active_model,
                started_at=now - timedelta(minutes=minutes),
                finished_at=now,
            )

        assert outlook_of(snapshot).usual_time == timedelta(minutes=9)

    def test_is_on_the_page_before_anything_is_queued(
        self, snapshot: Snapshot, admin_client: Client
    ) -> None:
        page = admin_client.get(
            f"/admin/recognizer/snapshot/{snapshot.pk}/change/"
        ).content.decode()

        assert "There is little to learn from" in page
        assert "Digits without a drawing are learnt from MNIST alone." in page
        assert "about ten minutes" in page


class TestCurves:
    HISTORY = (
        {"loss": 0.5, "mnist": 0.99, "mnist_loss": 0.4, "seconds": 60.0},
        {"loss": 0.3, "mnist": 0.995, "mnist_loss": 0.2, "seconds": 60.0},
        {"loss": 0.1, "mnist": 0.997, "mnist_loss": 0.1, "seconds": 60.0},
    )

    def test_go_from_the_highest_value_to_the_lowest(self) -> None:
        loss, accuracy = curve_plots(self.HISTORY)

        assert [(p.x, p.y) for p in loss.curves[0].points] == [
            (0, 0),
            (240, 80),
            (480, 160),
        ]
        assert loss.lines == [(160, "0.100"), (80, "0.300"), (0, "0.500")]
        assert [curve.name for curve in loss.curves] == ["training", "MNIST validation"]
        assert accuracy.curves[0].points[2].title == (
            "MNIST validation, epoch 3: 99.70 %"
        )

    @pytest.mark.parametrize("epochs", [1, 40])
    def test_of_any_number_of_epochs_stay_inside(self, epochs: int) -> None:
        loss, _accuracy = curve_plots([{"loss": 0.5, "mnist": 0.99}] * epochs)

        points = loss.curves[0].points
        assert len(points) == epochs
        assert all(0 <= p.x <= 480 and 0 <= p.y <= 160 for p in points)
        assert len(loss.epochs) <= 10

    def test_of_no_epoch_are_none(self) -> None:
        assert curve_plots([]) == []

    def test_are_on_the_page_while_it_runs(
        self, snapshot: Snapshot, admin_client: Client
    ) -> None:
        run = start_training(snapshot=snapshot, actor=None)
        TrainingRun.objects.filter(pk=run.pk).update(history=list(self.HISTORY))
        path = f"/admin/recognizer/trainingrun/{run.pk}/"

        page = admin_client.get(f"{path}change/").content.decode()
        state = admin_client.get(f"{path}state/").json()

        assert "MNIST validation, epoch 3: 99.70 %" in page
        assert state["epochs"] == 3
