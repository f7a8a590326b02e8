"""Submissions with their predictions, feedback and labels.

Rows of Submission, Picture, Prediction, Feedback and Label are facts: they are added,
never edited. A new model can therefore read old drawings again, and each figure can be
traced to its drawing and model. The exceptions are Submission's lease and its derived
columns. Derived columns are written in the transaction of their facts; lists and queues
use them instead of joining for the latest row.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Self

import numpy as np
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from numpy.typing import NDArray

from recognizer.models.base import BaseModel
from recognizer.models.learning import ModelVersion
from recognizer.models.people import User, Visitor
from recognizer.models.strokes import StrokesField


class Refusal(models.TextChoices):
    """Why a drawing was not read as a digit; checked in this order."""

    BLANK = "blank", _("blank")
    SEVERAL = "several", _("several shapes")
    NOT_A_DIGIT = "not_a_digit", _("not a digit")
    UNSURE = "unsure", _("unsure")


class Doubt(models.TextChoices):
    """Why a picture is doubted, where the person who took it can help."""

    CUT_OFF = "cut_off", _("cut off at an edge")
    SMALL = "small", _("very small")


class Verdict(models.TextChoices):
    """A visitor's verdict on the shown prediction."""

    RIGHT = "right", _("right")
    WRONG = "wrong", _("wrong")
    NOT_A_DIGIT = "not_a_digit", _("not a digit")
    WITHDRAWN = "withdrawn", _("withdrawn")


class Rejection(models.TextChoices):
    """Why a reviewer did not name a digit."""

    AMBIGUOUS = "ambiguous", _("ambiguous")
    SEVERAL = "several", _("several digits")
    NOT_A_DIGIT = "not_a_digit", _("not a digit")
    UNREADABLE = "unreadable", _("unreadable")
    OFFENSIVE = "offensive", _("offensive")


def digit_xor_reason(digit: str, reason: str, reasons: Sequence[str]) -> Q:
    """Require either a digit from 0 to 9 or a reason for none."""
    return (is_digit(digit) & Q(**{reason: ""})) | Q(
        **{f"{digit}__isnull": True, f"{reason}__in": reasons}
    )


def digit_where_wrong(digit: str) -> Q:
    """Require a true digit if the verdict is wrong, and none otherwise."""
    others = ["", *(verdict for verdict in Verdict.values if verdict != "wrong")]
    return (is_digit(digit) & Q(verdict="wrong")) | Q(
        **{f"{digit}__isnull": True}, verdict__in=others
    )


def is_digit(name: str) -> Q:
    """Require a digit from 0 to 9 in a column."""
    # NULL needs its own test: a check whose result is NULL passes.
    return Q(**{f"{name}__isnull": False, f"{name}__range": (0, 9)})


class SubmissionQuerySet(models.QuerySet["Submission"]):
    """Filters of submissions."""

    def awaiting_review(self) -> Self:
        """Keep submissions that wait for a reviewer."""
        return self.filter(review_priority__isnull=False)

    def free_for(self, reviewer: User, *, now: datetime) -> Self:
        """Drop submissions leased to another reviewer or skipped by this one."""
        skipped = ReviewSkip.objects.filter(
            submission=models.OuterRef("pk"), reviewer=reviewer
        )
        return self.filter(
            Q(leased_until__isnull=True)
            | Q(leased_until__lte=now)
            | Q(leased_by=reviewer),
            ~models.Exists(skipped),
        )

    def owned_by(self, *visitors: Visitor) -> Self:
        """Keep the submissions of these visitors."""
        return self.filter(visitor__in=visitors)

    def locked(self) -> Self:
        """Lock rows against changes; on SQLite, the transaction does that."""
        return self.with_shown_prediction().select_for_update()

    def with_shown_prediction(self) -> Self:
        """Also load the predictions that `shown_prediction` returns."""
        shown = Prediction.objects.filter(role=Prediction.Role.SHOWN).select_related(
            "model_version"
        )
        return self.prefetch_related(
            models.Prefetch("predictions", shown, to_attr="loaded_shown")
        )


class Submission(BaseModel):
    """A drawing that was sent; derived columns hold its latest state."""

    class Source(models.TextChoices):
        PAGE = "page", _("drawn on the page")
        UPLOAD = "upload", _("picture uploaded on the page")
        API = "api", _("sent by a program")

    class Form(models.TextChoices):
        STROKES = "strokes", _("strokes")
        PICTURE = "picture", _("picture")
        PIXELS = "pixels", _("28x28 pixels")

    class Pointer(models.TextChoices):
        UNKNOWN = "", _("unknown")
        MOUSE = "mouse", _("mouse")
        TOUCH = "touch", _("touch")
        PEN = "pen", _("pen")
        KEYBOARD = "keyboard", _("keyboard")

    # Meta has an index on visitor and id, which also serves look-ups by visitor.
    visitor = models.ForeignKey(
        Visitor, models.CASCADE, related_name="submissions", db_index=False
    )
    source = models.CharField(max_length=6, choices=Source)
    form = models.CharField(max_length=7, choices=Form)
    pointer = models.CharField(max_length=8, choices=Pointer, blank=True, default="")
    # The drawing, if it was sent as strokes; Picture holds all others.
    strokes = StrokesField(null=True)
    width = models.FloatField(null=True)
    height = models.FloatField(null=True)
    pen_width = models.FloatField(null=True)
    # Derived from the shown prediction, in the same transaction.
    shown_digit = models.PositiveSmallIntegerField(null=True)
    refusal = models.CharField(max_length=11, choices=Refusal, blank=True, default="")
    # Derived from the latest feedback, in the same transaction; empty if withdrawn.
    verdict = models.CharField(max_length=11, choices=Verdict, blank=True, default="")
    corrected_digit = models.PositiveSmallIntegerField(null=True)
    # Derived from the latest label, in the same transaction.
    label_digit = models.PositiveSmallIntegerField(null=True)
    rejection = models.CharField(
        max_length=11, choices=Rejection, blank=True, default=""
    )
    # Computed by `recognizer.drawings.priority`; null once a reviewer has decided.
    review_priority = models.FloatField(null=True)
    # The reviewer who has a lease on it, and when the lease expires.
    leased_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="+",
        null=True,
        db_index=False,
    )
    leased_until = models.DateTimeField(null=True)

    loaded_shown: "list[Prediction]"  # filled by `with_shown_prediction`
    # The digit image of a new reading; None for a loaded row or a blank drawing.
    image_just_read: NDArray[np.float32] | None = None
    objects = SubmissionQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["visitor", "id"], name="submission_by_visitor"),
            models.Index(
                fields=["visitor", "shown_digit", "id"], name="submission_by_digit"
            ),
            models.Index(
                fields=["visitor", "verdict", "id"], name="submission_by_verdict"
            ),
            models.Index(
                fields=["-review_priority", "id"],
                condition=Q(review_priority__isnull=False),
                name="submission_to_review",
            ),
            models.Index(
                fields=["shown_digit", "id"],
                condition=Q(review_priority__isnull=False, verdict="right"),
                name="submission_to_approve",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    form="strokes",
                    strokes__isnull=False,
                    width__isnull=False,
                    height__isnull=False,
                    pen_width__isnull=False,
                )
                | Q(
                    form__in=["picture", "pixels"],
                    strokes__isnull=True,
                    width__isnull=True,
                    height__isnull=True,
                    pen_width__isnull=True,
                ),
                name="submission_strokes_or_picture",
            ),
            models.CheckConstraint(
                condition=digit_xor_reason("shown_digit", "refusal", Refusal.values),
                name="submission_digit_xor_refusal",
            ),
            models.CheckConstraint(
                condition=digit_where_wrong("corrected_digit"),
                name="submission_digit_where_corrected",
            ),
            models.CheckConstraint(
                condition=Q(label_digit__isnull=True, rejection="")
                | digit_xor_reason("label_digit", "rejection", Rejection.values),
                name="submission_label_or_rejection",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_labelled(self) -> bool:
        """Whether a reviewer has decided."""
        return self.label_digit is not None or bool(self.rejection)

    @property
    def known_digit(self) -> int | None:
        """The digit named by a reviewer, or else by the visitor; None if by nobody."""
        if self.is_labelled:
            return self.label_digit
        if self.verdict == Verdict.RIGHT:
            return self.shown_digit
        return self.corrected_digit

    @property
    def shown_prediction(self) -> "Prediction":
        """The prediction the visitor was shown; needs `with_shown_prediction`."""
        return self.loaded_shown[0]


class Erasure(models.Model):
    """The id of a drawing that its owner deleted; nothing else is kept.

    `manage.py restore` removes these drawings from any older backup it restores.
    """

    submission_id = models.UUIDField(primary_key=True, editable=False)
    erased_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.submission_id)


class Picture(models.Model):
    """The PNG of a submission that was not sent as strokes, without metadata.

    It has its own table so that lists never load it.
    """

    submission = models.OneToOneField(
        Submission, models.CASCADE, primary_key=True, related_name="picture"
    )
    png = models.BinaryField()

    def __str__(self) -> str:
        return f"picture {self.submission_id}"


class Archived(models.Model):
    """A drawing that was moved into an archive file; see `ops.retention`.

    A line of an archive is valid only while it has a row here. The row is deleted with
    its owner, or when the owner deletes all drawings.
    """

    submission_id = models.UUIDField(primary_key=True)
    visitor = models.ForeignKey(Visitor, models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"archived {self.submission_id}"


class Prediction(BaseModel):
    """A stored reading of one submission by one model version."""

    class Role(models.TextChoices):
        SHOWN = "shown", _("shown to the visitor")
        SHADOW = "shadow", _("shadow reading by a candidate")
        RESCORE = "rescore", _("read again later")

    submission = models.ForeignKey(
        Submission, models.CASCADE, related_name="predictions"
    )
    # No index: no query looks for all predictions of a version.
    model_version = models.ForeignKey(
        ModelVersion, models.PROTECT, related_name="predictions", db_index=False
    )
    role = models.CharField(max_length=7, choices=Role)
    digit = models.PositiveSmallIntegerField(null=True)
    refusal = models.CharField(max_length=11, choices=Refusal, blank=True, default="")
    probabilities = models.JSONField()
    confidence = models.FloatField()
    second = models.PositiveSmallIntegerField(null=True)
    digitness = models.FloatField()
    doubt = models.CharField(max_length=7, choices=Doubt, blank=True, default="")
    # Mean of the digit image in [0, 1]; null for a blank.
    ink = models.FloatField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["submission"],
                condition=Q(role="shown"),
                name="one_shown_prediction",
            ),
            models.UniqueConstraint(
                fields=["submission", "model_version"],
                condition=~Q(role="shown"),
                name="one_other_prediction_per_version",
            ),
            models.CheckConstraint(
                condition=digit_xor_reason("digit", "refusal", Refusal.values),
                name="prediction_digit_xor_refusal",
            ),
            models.CheckConstraint(
                condition=Q(confidence__range=(0, 1), digitness__range=(0, 1)),
                name="prediction_shares_within_0_and_1",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.refusal or self.digit}"

    @property
    def likeliest(self) -> int:
        """The digit with the largest probability, refused or not."""
        return max(range(10), key=self.probabilities.__getitem__)

    @property
    def margin(self) -> float:
        """The largest probability minus the second largest, in [0, 1]."""
        second, first = sorted(self.probabilities)[-2:]
        return float(first - second)


class Feedback(BaseModel):
    """A visitor's feedback on the shown prediction; the latest counts."""

    submission = models.ForeignKey(Submission, models.CASCADE, related_name="feedback")
    verdict = models.CharField(max_length=11, choices=Verdict)
    digit = models.PositiveSmallIntegerField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(verdict__in=Verdict.values) & digit_where_wrong("digit"),
                name="feedback_digit_where_wrong",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {'' if self.digit is None else self.digit}".strip()


class Label(BaseModel):
    """What a reviewer decided about one submission; the latest counts.

    Withdrawing a label adds a row with `is_withdrawn`.
    """

    submission = models.ForeignKey(Submission, models.CASCADE, related_name="labels")
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, related_name="labels", null=True
    )
    digit = models.PositiveSmallIntegerField(null=True)
    rejected = models.CharField(
        max_length=11, choices=Rejection, blank=True, default=""
    )
    is_withdrawn = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=digit_xor_reason("digit", "rejected", Rejection.values)
                & Q(is_withdrawn=False)
                | Q(digit__isnull=True, rejected="", is_withdrawn=True),
                name="label_digit_xor_rejection",
            ),
        ]

    def __str__(self) -> str:
        if self.is_withdrawn:
            return "withdrawn"
        return self.rejected or str(self.digit)


class ReviewSkip(models.Model):
    """A reviewer skipped this submission."""

    submission = models.ForeignKey(Submission, models.CASCADE, related_name="+")
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["submission", "reviewer"], name="one_skip_per_reviewer"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reviewer_id} skipped {self.submission_id}"


class IdempotencyKey(models.Model):
    """The key of a processed POST; it is deleted with its submission.

    owner: token, user or visitor, such as "user:7". digest: sha256 of the request.
    """

    owner = models.CharField(max_length=44)
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    submission = models.ForeignKey(Submission, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["owner", "key"], name="one_request_per_owner_and_key"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.owner} {self.key}"


class Tally(models.Model):
    """A count updated with each change, so that no table has to be counted."""

    name = models.CharField(max_length=32, primary_key=True)
    count = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {self.count}"
