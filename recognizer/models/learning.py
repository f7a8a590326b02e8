"""Model versions, snapshots, training runs and gate reports."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
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

    digest = models.CharField(max_length=64, unique=True)
    origin = models.CharField(max_length=10, choices=Origin)
    stage = models.CharField(max_length=10, choices=Stage, default=Stage.CANDIDATE)
    manifest = models.JSONField()
    # When it last became active; rollback picks the latest of the retired versions.
    promoted_at = models.DateTimeField(null=True, editable=False)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
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

    digest = models.CharField(max_length=64, unique=True)
    datasheet = models.JSONField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, related_name="+", null=True
    )

    def __str__(self) -> str:
        return self.short_digest

    @property
    def short_digest(self) -> str:
        """Enough of the digest to tell snapshots apart."""
        return self.digest[:12]


class SnapshotItem(models.Model):
    """One drawing of a snapshot, with its label at that time.

    submission_id: the submission may have been deleted since. content: sha256 of the
    drawing.
    """

    class Kind(models.TextChoices):
        DIGIT = "digit", _("digit")
        SEVERAL = "several", _("several digits")
        NOT_A_DIGIT = "not_a_digit", _("not a digit")

    snapshot = models.ForeignKey(Snapshot, models.CASCADE, related_name="items")
    submission_id = models.UUIDField(db_index=True)
    content = models.CharField(max_length=64)
    kind = models.CharField(max_length=11, choices=Kind)
    digit = models.PositiveSmallIntegerField(null=True)
    split = models.CharField(max_length=7, choices=Split)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["snapshot", "submission_id"], name="once_in_a_snapshot"
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
    in [0, 1].
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting for a worker")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    snapshot = models.ForeignKey(Snapshot, models.PROTECT, related_name="runs")
    incumbent = models.ForeignKey(ModelVersion, models.PROTECT, related_name="+")
    options = models.JSONField(default=dict)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, related_name="+", null=True
    )
    state = models.CharField(max_length=9, choices=State, default=State.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    times_lost = models.PositiveSmallIntegerField(default=0)
    task_id = models.UUIDField(null=True)
    # The id of the request that started it; the worker adds it to each log line. The
    # database default serves older code that does not know the column.
    request_id = models.CharField(
        max_length=request_ids.MOST_CHARACTERS, blank=True, default="", db_default=""
    )
    heartbeat_at = models.DateTimeField(null=True)
    is_cancel_wanted = models.BooleanField(default=False)
    progress = models.FloatField(default=0.0)
    doing = models.CharField(max_length=200, blank=True, default="")
    log = models.TextField(blank=True, default="")
    problem = models.TextField(blank=True, default="")
    version = models.ForeignKey(
        ModelVersion, models.PROTECT, related_name="runs", null=True
    )
    finished_at = models.DateTimeField(null=True)

    class Meta:
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
        return f"training on {self.snapshot_id}, {self.state}"

    @property
    def is_under_way(self) -> bool:
        """Whether it is running or waiting for a worker."""
        return self.state in (self.State.QUEUED, self.State.RUNNING)


class GateReport(BaseModel):
    """The result of comparing a candidate with the version active at the time."""

    candidate = models.ForeignKey(
        ModelVersion, models.CASCADE, related_name="gate_reports"
    )
    incumbent = models.ForeignKey(ModelVersion, models.CASCADE, related_name="+")
    snapshot = models.ForeignKey(
        Snapshot, models.PROTECT, related_name="gate_reports", null=True
    )
    has_passed = models.BooleanField()
    report = models.JSONField()

    def __str__(self) -> str:
        return f"{self.candidate_id} {'passed' if self.has_passed else 'failed'}"


class Rescoring(models.Model):
    """How far a version has got in reading all stored drawings again."""

    model_version = models.OneToOneField(
        ModelVersion, models.CASCADE, primary_key=True, related_name="rescoring"
    )
    done_up_to = models.UUIDField(null=True)
    read = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.model_version_id}: {self.read}"
