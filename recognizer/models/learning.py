"""Model versions, snapshots, training runs and gate reports."""

from typing import ClassVar, Self

from django.conf import settings
from django.contrib import admin
from django.db import models
from django.db.models import Q, Value
from django.utils.translation import gettext_lazy as _

from recognizer import request_ids
from recognizer.models.base import BaseModel
from recognizer.models.people import Split


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    """Queries for model versions."""

    def active(self) -> "ModelVersion":
        """Return the active version; raises ModelVersion.DoesNotExist."""
        return self.get(stage=ModelVersion.Stage.ACTIVE)

    def newest_first(self) -> Self:
        """Order all versions by registration time, newest first."""
        return self.order_by("-pk")


class ModelVersion(BaseModel):
    """A bundle the site knows. Promotion and rollback change one row's stage."""

    class Stage(models.TextChoices):
        CANDIDATE = "candidate", _("candidate")
        ACTIVE = "active", _("active")
        RETIRED = "retired", _("retired")

    class Origin(models.TextChoices):
        STARTER = "starter", _("shipped with the code")
        NAMED = "named", _("set by the operator in BUNDLE")
        TRAINED = "trained", _("trained here")

    digest = models.CharField(max_length=64, unique=True, verbose_name=_("digest"))
    origin = models.CharField(max_length=10, choices=Origin, verbose_name=_("origin"))
    stage = models.CharField(
        max_length=10, choices=Stage, default=Stage.CANDIDATE, verbose_name=_("stage")
    )
    manifest = models.JSONField()
    # When it last became active; rollback picks the latest of the retired versions.
    promoted_at = models.DateTimeField(
        null=True, editable=False, verbose_name=_("promoted")
    )

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("model version")
        verbose_name_plural = _("model versions")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["stage"],
                condition=Q(stage="active"),
                name="at_most_one_active_model",
            ),
        ]

    def __str__(self) -> str:
        return self.short_digest

    @property
    @admin.display(description=_("digest"))
    def short_digest(self) -> str:
        """Enough of the digest to tell versions apart."""
        return self.digest[:12]


class BundleArchive(models.Model):
    """The bytes of a version's bundle, in a table that lists never load."""

    model_version = models.OneToOneField(
        ModelVersion, models.CASCADE, primary_key=True, related_name="archive"
    )
    packed = models.BinaryField()

    def __str__(self) -> str:
        return f"bundle {self.model_version_id}"


class Snapshot(BaseModel):
    """An immutable, digest-named selection of labels for training.

    The digest covers ids, content hashes, labels and splits. The drawings are not
    copied, so their owners can still delete them.
    """

    digest = models.CharField(max_length=64, unique=True, verbose_name=_("digest"))
    datasheet = models.JSONField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="+",
        null=True,
        verbose_name=_("created by"),
    )

    class Meta:
        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")

    def __str__(self) -> str:
        return self.short_digest

    @property
    @admin.display(description=_("digest"))
    def short_digest(self) -> str:
        """Enough of the digest to tell snapshots apart."""
        return self.digest[:12]


class SnapshotItem(models.Model):
    """One drawing of a snapshot, or one digit of a number, with its label at that time.

    submission_id: the submission may have been deleted since. place: which digit of a
    number it is, from 1; 0 for a whole drawing. content: sha256 of the drawing.
    """

    class Kind(models.TextChoices):
        DIGIT = "digit", _("digit")
        SEVERAL = "several", _("several digits")
        NOT_A_DIGIT = "not_a_digit", _("not a digit")

    snapshot = models.ForeignKey(Snapshot, models.CASCADE, related_name="items")
    submission_id = models.UUIDField(db_index=True)
    place = models.PositiveSmallIntegerField(default=0, db_default=0)
    content = models.CharField(max_length=64)
    kind = models.CharField(max_length=11, choices=Kind)
    digit = models.PositiveSmallIntegerField(null=True)
    split = models.CharField(max_length=7, choices=Split)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["snapshot", "submission_id", "place"],
                name="each_digit_once_in_a_snapshot",
            ),
            models.CheckConstraint(
                condition=Q(kind="digit", digit__isnull=False, digit__range=(0, 9))
                | Q(kind__in=["several", "not_a_digit"], digit__isnull=True),
                name="snapshot_digit_where_digit",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.submission_id} {self.kind}"


class TrainingRun(BaseModel):
    """A training run and its state, which outlives its worker.

    A worker that takes the run increments `attempt`. It may change the row only while
    `attempt` has that value, so a worker that was replaced cannot change it. progress:
    in [0, 1]. history: the figures of each epoch. started_at: when the latest attempt
    began.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting for a worker")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    snapshot = models.ForeignKey(
        Snapshot, models.PROTECT, related_name="runs", verbose_name=_("snapshot")
    )
    incumbent = models.ForeignKey(
        ModelVersion, models.PROTECT, related_name="+", verbose_name=_("active model")
    )
    options = models.JSONField(default=dict, verbose_name=_("options"))
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="+",
        null=True,
        verbose_name=_("started by"),
    )
    state = models.CharField(
        max_length=9, choices=State, default=State.QUEUED, verbose_name=_("state")
    )
    attempt = models.PositiveSmallIntegerField(default=0, verbose_name=_("attempt"))
    times_lost = models.PositiveSmallIntegerField(default=0)
    task_id = models.UUIDField(null=True)
    # The id of the request that started it; the worker adds it to each log line. The
    # database default serves older code that does not know the column.
    request_id = models.CharField(
        max_length=request_ids.MOST_CHARACTERS, blank=True, default="", db_default=""
    )
    heartbeat_at = models.DateTimeField(null=True, verbose_name=_("last sign of life"))
    is_cancel_wanted = models.BooleanField(default=False)
    progress = models.FloatField(default=0.0)
    doing = models.CharField(
        max_length=200, blank=True, default="", verbose_name=_("step")
    )
    history = models.JSONField(
        default=list, db_default=Value([], models.JSONField()), editable=False
    )
    log = models.TextField(blank=True, default="")
    problem = models.TextField(blank=True, default="", verbose_name=_("problem"))
    version = models.ForeignKey(
        ModelVersion,
        models.PROTECT,
        related_name="runs",
        null=True,
        verbose_name=_("model"),
    )
    started_at = models.DateTimeField(null=True, verbose_name=_("started"))
    finished_at = models.DateTimeField(null=True, verbose_name=_("finished"))

    class Meta:
        verbose_name = _("training run")
        verbose_name_plural = _("training runs")
        indexes: ClassVar = [
            models.Index(
                fields=["heartbeat_at"],
                condition=Q(state__in=["queued", "running"]),
                name="training_under_way",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state="done", version__isnull=False)
                | Q(
                    state__in=["queued", "running", "failed", "cancelled"],
                    version__isnull=True,
                ),
                name="training_has_a_version_where_done",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.snapshot}: {self.get_state_display()}"

    @property
    def is_under_way(self) -> bool:
        """Whether it is running or waiting for a worker."""
        return self.state in (self.State.QUEUED, self.State.RUNNING)


class GateReport(BaseModel):
    """The result of comparing a candidate with the version active at the time."""

    class Outcome(models.TextChoices):
        PASSED = "passed", _("passed")
        FAILED = "failed", _("failed")
        NOT_PROVEN = "not_proven", _("not proven")

    candidate = models.ForeignKey(
        ModelVersion,
        models.CASCADE,
        related_name="gate_reports",
        verbose_name=_("candidate"),
    )
    incumbent = models.ForeignKey(
        ModelVersion, models.CASCADE, related_name="+", verbose_name=_("active model")
    )
    snapshot = models.ForeignKey(
        Snapshot,
        models.PROTECT,
        related_name="gate_reports",
        null=True,
        verbose_name=_("snapshot"),
    )
    has_passed = models.BooleanField(verbose_name=_("passed"))
    report = models.JSONField()

    class Meta:
        verbose_name = _("gate report")
        verbose_name_plural = _("gate reports")

    def __str__(self) -> str:
        return f"{self.candidate}: {self.outcome.label}"

    @property
    def outcome(self) -> Outcome:
        """The outcome; reports from before it was written only passed or failed."""
        return outcome_told(self.has_passed, self.report.get("outcome"))

    @property
    def drawings_to_decide(self) -> int | None:
        """About how many drawings of held-out people would prove the win, if known."""
        needed: int | None = self.report.get("drawings_to_decide")
        return needed


def outcome_told(has_passed: bool, outcome: str | None) -> GateReport.Outcome:
    """Return the outcome that a report names, else the one of its other column."""
    return GateReport.Outcome(outcome or ("passed" if has_passed else "failed"))


class RescoringRange(models.Model):
    """A range of submission ids that a version reads again; see `learning.rescoring`.

    after: the id before the first. up_to: the last id. size: submissions in it when it
    was planned. claimed_at: when a worker last stored something in it.
    """

    model_version = models.ForeignKey(
        ModelVersion, models.CASCADE, related_name="+", db_index=False
    )
    after = models.UUIDField()
    up_to = models.UUIDField()
    size = models.PositiveIntegerField()
    claimed_at = models.DateTimeField(null=True)
    is_done = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["model_version", "after"], name="one_rescoring_range_from_an_id"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_version_id}: up to {self.up_to}"
