"""Submissions with their predictions, feedback and labels.

Rows of Submission, Picture, Prediction, Feedback and Label are facts: they are added,
never edited. A new model can therefore read old drawings again, and each figure can be
traced to its drawing and model. The exceptions are Submission's lease and its derived
columns. Derived columns are written in the transaction of their facts; lists and queues
use them instead of joining for the latest row.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Self

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
    LONG = "long", _("too many digits")


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


def digit_number_or_reason(
    digit: str, number: str, reason: str, reasons: Sequence[str]
) -> Q:
    """Require exactly one of a digit, a number and a reason for neither."""
    return (named(digit, number) & Q(**{reason: ""})) | Q(
        **{f"{digit}__isnull": True, number: "", f"{reason}__in": reasons}
    )


def one_answer(digit: str, number: Q, no_number: Q) -> Q:
    """Require exactly one of a digit, a number and a refusal."""
    refused = Q(**{f"{digit}__isnull": True}, refusal__in=Refusal.values)
    return (
        (is_digit(digit) & Q(refusal="") & no_number)
        | (Q(**{f"{digit}__isnull": True}, refusal="") & number)
        | refused
    )


def named_where_wrong(digit: str, number: str) -> Q:
    """Require the true digit or number if the verdict is wrong, and none otherwise."""
    others = ["", *(verdict for verdict in Verdict.values if verdict != "wrong")]
    return (named(digit, number) & Q(verdict="wrong")) | Q(
        **{f"{digit}__isnull": True, number: ""}, verdict__in=others
    )


def named(digit: str, number: str) -> Q:
    """Require either a digit from 0 to 9 or a number."""
    return (is_digit(digit) & Q(**{number: ""})) | (
        Q(**{f"{digit}__isnull": True}) & ~Q(**{number: ""})
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

    def with_number(self, number: str) -> Self:
        """Keep the submissions that were read or labelled as this number."""
        # A partial index serves only a query that repeats its condition.
        read, labelled = (
            Submission.objects.filter(**{column: number}).exclude(**{column: ""})
            for column in ("shown_number", "label_number")
        )
        return self.filter(pk__in=read.values("pk").union(labelled.values("pk")))

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
        IMPORT = "import", _("imported with a label")

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
        Visitor,
        models.CASCADE,
        related_name="submissions",
        db_index=False,
        verbose_name=_("visitor"),
    )
    source = models.CharField(max_length=6, choices=Source, verbose_name=_("source"))
    form = models.CharField(max_length=7, choices=Form, verbose_name=_("form"))
    pointer = models.CharField(
        max_length=8, choices=Pointer, blank=True, default="", verbose_name=_("pointer")
    )
    # The drawing, if it was sent as strokes; Picture holds all others.
    strokes = StrokesField(null=True)
    width = models.FloatField(null=True)
    height = models.FloatField(null=True)
    pen_width = models.FloatField(null=True)
    # Derived from the shown prediction, in the same transaction.
    shown_digit = models.PositiveSmallIntegerField(null=True, verbose_name=_("digit"))
    shown_number = models.CharField(
        max_length=20, blank=True, default="", db_default=""
    )
    refusal = models.CharField(
        max_length=11,
        choices=Refusal,
        blank=True,
        default="",
        verbose_name=_("refusal"),
    )
    # Derived from the latest feedback, in the same transaction; empty if withdrawn.
    verdict = models.CharField(
        max_length=11,
        choices=Verdict,
        blank=True,
        default="",
        verbose_name=_("feedback"),
    )
    corrected_digit = models.PositiveSmallIntegerField(null=True)
    corrected_number = models.CharField(
        max_length=20, blank=True, default="", db_default=""
    )
    # Derived from the latest label, in the same transaction.
    label_digit = models.PositiveSmallIntegerField(null=True, verbose_name=_("label"))
    label_number = models.CharField(
        max_length=20, blank=True, default="", db_default=""
    )
    rejection = models.CharField(
        max_length=11,
        choices=Rejection,
        blank=True,
        default="",
        verbose_name=_("reason for no label"),
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
    # The number of a new reading, with the image of each digit.
    number_just_read: Any = None
    objects = SubmissionQuerySet.as_manager()

    class Meta:
        verbose_name = _("submission")
        verbose_name_plural = _("submissions")
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
                fields=["id"],
                condition=Q(review_priority__isnull=False),
                name="submission_waiting_longest",
            ),
            models.Index(
                fields=["shown_digit", "id"],
                condition=Q(review_priority__isnull=False, verdict="right"),
                name="submission_to_approve",
            ),
            models.Index(
                fields=["shown_number", "id"],
                condition=~Q(shown_number=""),
                name="submission_by_number",
            ),
            models.Index(
                fields=["label_number", "id"],
                condition=~Q(label_number=""),
                name="submission_by_label_number",
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
                condition=one_answer(
                    "shown_digit", ~Q(shown_number=""), Q(shown_number="")
                )
                & (Q(refusal="") | Q(shown_number="")),
                name="submission_digit_number_or_refusal",
            ),
            models.CheckConstraint(
                condition=named_where_wrong("corrected_digit", "corrected_number"),
                name="submission_answer_where_corrected",
            ),
            models.CheckConstraint(
                condition=Q(label_digit__isnull=True, label_number="", rejection="")
                | digit_number_or_reason(
                    "label_digit", "label_number", "rejection", Rejection.values
                ),
                name="submission_digit_number_or_rejection",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_labelled(self) -> bool:
        """Whether a reviewer has decided."""
        is_named = self.label_digit is not None or self.label_number != ""
        return is_named or bool(self.rejection)

    @property
    def correction(self) -> str:
        """The digit or number that the visitor gave instead; empty if there is none."""
        digit = self.corrected_digit
        return self.corrected_number if digit is None else str(digit)

    @property
    def labelled_as(self) -> str:
        """The digit or number that reviewers named; empty if there is none."""
        return self.label_number if self.label_digit is None else str(self.label_digit)

    @property
    def known_digit(self) -> int | None:
        """The digit named by a reviewer, or else by the visitor; None if by nobody."""
        if self.is_labelled:
            return self.label_digit
        if self.verdict == Verdict.RIGHT:
            return self.shown_digit
        return self.corrected_digit

    @property
    def known_number(self) -> str:
        """The number named by a reviewer, or else by the visitor; empty if none is."""
        if self.is_labelled:
            return self.label_number
        if self.verdict == Verdict.RIGHT:
            return self.shown_number
        return self.corrected_number

    @property
    def known_reason(self) -> str:
        """Why a reviewer, or else the visitor, says that it shows no digit."""
        if self.is_labelled:
            return self.rejection
        is_none = self.verdict == Verdict.NOT_A_DIGIT
        return Rejection.NOT_A_DIGIT.value if is_none else ""

    @property
    def shown_prediction(self) -> "Prediction":
        """The prediction the visitor was shown; needs `with_shown_prediction`."""
        return self.loaded_shown[0]


class Erasure(models.Model):
    """The id of a deleted drawing, visitor or account; nothing else is kept.

    `manage.py restore` removes these from any older backup it restores. An account is
    listed by its `User.erasure_id`.
    """

    # The column keeps the name it had when the list held only drawings.
    subject_id = models.UUIDField(
        primary_key=True, editable=False, db_column="submission_id"
    )
    erased_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.subject_id)


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
    # As the API answers it; see `reader.numbers`.
    number = models.JSONField(null=True)

    class Meta:
        verbose_name = _("reading")
        verbose_name_plural = _("readings")
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
                # Beside a refusal, a number is the best guess.
                condition=one_answer(
                    "digit", Q(number__isnull=False), Q(number__isnull=True)
                ),
                name="prediction_digit_number_or_refusal",
            ),
            models.CheckConstraint(
                condition=Q(confidence__range=(0, 1), digitness__range=(0, 1)),
                name="prediction_shares_within_0_and_1",
            ),
        ]

    def __str__(self) -> str:
        answer = self.get_refusal_display() or self.answer
        return f"{self.get_role_display()}: {answer}"

    @property
    def number_text(self) -> str:
        """The number that was read or guessed; empty if there is none."""
        return "" if self.number is None else str(self.number["text"])

    @property
    def answer(self) -> str:
        """The digit or number that was answered; empty if it was refused."""
        if self.refusal:
            return ""
        return self.number_text if self.digit is None else str(self.digit)

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
    number = models.CharField(max_length=20, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("feedback")
        verbose_name_plural = _("feedback")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(verdict__in=Verdict.values)
                & named_where_wrong("digit", "number"),
                name="feedback_answer_where_wrong",
            ),
        ]

    def __str__(self) -> str:
        answer = self.number if self.digit is None else self.digit
        return f"{self.verdict} {answer}".strip()


class Label(BaseModel):
    """What a reviewer decided about one submission; the latest counts.

    Withdrawing a label adds a row with `is_withdrawn`.
    """

    submission = models.ForeignKey(Submission, models.CASCADE, related_name="labels")
    # Meta has an index on reviewer and id, which also serves look-ups by reviewer.
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="labels",
        null=True,
        db_index=False,
    )
    digit = models.PositiveSmallIntegerField(null=True)
    number = models.CharField(max_length=20, blank=True, default="", db_default="")
    rejected = models.CharField(
        max_length=11, choices=Rejection, blank=True, default=""
    )
    is_withdrawn = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("label")
        verbose_name_plural = _("labels")
        indexes: ClassVar = [
            models.Index(fields=["reviewer", "id"], name="label_by_reviewer"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=digit_number_or_reason(
                    "digit", "number", "rejected", Rejection.values
                )
                & Q(is_withdrawn=False)
                | Q(digit__isnull=True, number="", rejected="", is_withdrawn=True),
                name="label_digit_number_or_rejection",
            ),
        ]

    def __str__(self) -> str:
        if self.is_withdrawn:
            return "withdrawn"
        return self.rejected or self.number or str(self.digit)


class Comment(BaseModel):
    """What a member of staff notes about a drawing, for other staff."""

    MOST_CHARACTERS = 2_000

    submission = models.ForeignKey(Submission, models.CASCADE, related_name="comments")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, related_name="+", null=True
    )
    text = models.TextField(max_length=MOST_CHARACTERS)

    class Meta:
        verbose_name = _("comment")
        verbose_name_plural = _("comments")
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(text=""), name="comment_says_something")
        ]

    def __str__(self) -> str:
        return self.text


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
    """A count updated with each change, so that no table has to be counted.

    On PostgreSQL several rows make up a count; see `drawings.tallies`.
    """

    name = models.CharField(max_length=36, primary_key=True)
    count = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name}: {self.count}"
