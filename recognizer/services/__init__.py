"""Everything that changes rows: verbs, keyword-only, returning the row they made.

Here: drawings and what is said of them, people, models. The learning loop's verbs are
in the modules beside: `review`, `snapshots`, `training`, `promotion`, `rescoring`.
"""

import hashlib
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.db import IntegrityError, connection, transaction
from django.db.models import Prefetch
from django.utils import timezone

from mlcore.bundle import Bundle
from mlcore.inference import Reading
from recognizer.drawings import tallies
from recognizer.drawings.group_commit import GroupedWrites
from recognizer.drawings.priority import review_priority
from recognizer.metrics import Stage
from recognizer.models import (
    Archived,
    AuditEntry,
    BundleArchive,
    Erasure,
    Feedback,
    IdempotencyKey,
    Label,
    ModelVersion,
    Picture,
    Prediction,
    Scope,
    Submission,
    SubmissionQuerySet,
    Tally,
    Token,
    Verdict,
    Visitor,
)
from recognizer.prepared import PreparedInsert, PreparedLookup, PreparedRow
from recognizer.reader import engine
from recognizer.reader.drawing import Drawing, PictureDrawing, StrokeDrawing

logger = logging.getLogger(__name__)

# --- drawings ----------------------------------------------------------------------


@dataclass(frozen=True)
class RequestKey:
    """The `Idempotency-Key` of a POST: whose, and a digest of what was sent."""

    owner: str
    key: str
    digest: str


class KeyReusedError(ValueError):
    """One key came with two different requests."""


def submit_drawing(
    *,
    drawing: Drawing,
    visitor: Visitor | None,
    source: str,
    user: User | None = None,
    once: RequestKey | None = None,
) -> Submission:
    """Store a drawing together with what the active model reads in it.

    Args:
        visitor: who owns it; None makes a new one, the submission's `visitor`.
        user: whose visitor a new one is.
        once: what was stored under this key before is returned instead.
    """
    if earlier := _stored_under(once):
        return earlier
    version, recogniser = reader()
    reading = engine.read(
        drawing, recogniser=recogniser
    )  # slow: before the transaction
    png = engine.stored_png(drawing) if isinstance(drawing, PictureDrawing) else None

    new_visitor = None if visitor else Visitor(user=user)
    submission = Submission(
        visitor=visitor or new_visitor,
        source=source,
        pointer=drawing.pointer,
        shown_digit=reading.digit,
        refusal=reading.refusal or "",
        **columns_of(drawing),
    )
    shown = prediction_of(
        reading, submission=submission, version=version, role=Prediction.Role.SHOWN
    )
    submission.loaded_shown = [shown]
    submission.review_priority = review_priority(submission)
    try:
        with Stage("store"):
            _new_submissions.write(_prepared(submission, new_visitor, png, once))
    except IntegrityError:
        # The same request came at the same time and was quicker: it stored.
        if earlier := _stored_under(once):
            return earlier
        raise
    return submission


@dataclass(frozen=True)
class _NewSubmission:
    """All that is stored of a new submission, its rows in the database's words."""

    visitor: PreparedRow[Visitor] | None
    submission: PreparedRow[Submission]
    picture: PreparedRow[Picture] | None
    prediction: PreparedRow[Prediction]
    once: RequestKey | None
    counts: Counter[str]


def _prepared(
    submission: Submission,
    visitor: Visitor | None,
    png: bytes | None,
    once: RequestKey | None,
) -> _NewSubmission:
    return _NewSubmission(
        visitor=_visitors.row(visitor) if visitor else None,
        submission=_submissions.row(submission),
        picture=(
            None
            if png is None
            else _pictures.row(Picture(submission=submission, png=png))
        ),
        prediction=_predictions.row(submission.shown_prediction),
        once=once,
        counts=tallies.tallies_of(submission),
    )


def _store_all(new: Sequence[_NewSubmission]) -> None:
    """Store submissions in one transaction."""
    counts: Counter[str] = Counter()
    for one in new:
        counts.update(one.counts)
    with transaction.atomic():
        _visitors.all([one.visitor for one in new if one.visitor])
        _submissions.all([one.submission for one in new])
        _pictures.all([one.picture for one in new if one.picture])
        _predictions.all([one.prediction for one in new])
        # Made here: rows of an attempt that failed know keys that are gone with it.
        keys = [_key_row(one.once, one.submission.model) for one in new if one.once]
        if keys:
            IdempotencyKey.objects.bulk_create(keys)
        tallies.add(counts)


_visitors = PreparedInsert(Visitor)
_submissions = PreparedInsert(Submission)
_pictures = PreparedInsert(Picture)
_predictions = PreparedInsert(Prediction)
_new_submissions = GroupedWrites(_store_all)


def _key_row(once: RequestKey, submission: Submission) -> IdempotencyKey:
    return IdempotencyKey(
        owner=once.owner, key=once.key, digest=once.digest, submission=submission
    )


def prediction_of(
    reading: Reading, *, submission: Submission, version: ModelVersion, role: str
) -> Prediction:
    """Make the row of a reading, not stored yet."""
    return Prediction(
        submission=submission,
        model_version=version,
        role=role,
        digit=reading.digit,
        refusal=reading.refusal or "",
        probabilities=list(reading.probabilities),
        confidence=reading.confidence,
        second=reading.second,
        digitness=reading.digitness,
        ink=None if reading.image is None else float(reading.image.mean()),
    )


def columns_of(drawing: Drawing) -> dict[str, object]:
    """Return what a submission's row holds of its drawing."""
    if isinstance(drawing, StrokeDrawing):
        return {
            "form": Submission.Form.STROKES,
            "strokes": drawing.strokes,
            "width": drawing.width,
            "height": drawing.height,
            "pen_width": drawing.pen_width,
        }
    form = Submission.Form.PIXELS if drawing.is_ink else Submission.Form.PICTURE
    return {"form": form}


def give_feedback(
    *,
    submission: Submission,
    verdict: str,
    digit: int | None = None,
    once: RequestKey | None = None,
) -> Submission:
    """Add a visitor's answer to the shown prediction; all are kept, this one counts.

    Args:
        digit: the true one, exactly where the verdict is wrong.
        once: under a key of before nothing is added.
    """

    def store() -> Submission:
        # Two answers at once: the latest fact and the derived columns are one's.
        locked = lock_submissions(Submission.objects.filter(pk=submission.pk)).get()
        Feedback.objects.create(submission=locked, verdict=verdict, digit=digit)
        locked.verdict = "" if verdict == Verdict.WITHDRAWN else verdict
        locked.corrected_digit = digit
        locked.review_priority = review_priority(locked)
        locked.save(update_fields=["verdict", "corrected_digit", "review_priority"])
        return locked

    return _stored_under(once) or _store(store, once=once)


def label_submission(
    *,
    submission: Submission,
    reviewer: User,
    digit: int | None = None,
    rejected: str = "",
    once: RequestKey | None = None,
) -> Submission:
    """Add what a reviewer decided; all are kept, this one counts.

    Args:
        digit, rejected: exactly one of them.
        once: under a key of before nothing is added.
    """

    def store() -> Submission:
        # Two reviewers at once: the second takes away what the first has added.
        locked = lock_submissions(Submission.objects.filter(pk=submission.pk)).get()
        return add_label(
            locked, Label(reviewer=reviewer, digit=digit, rejected=rejected)
        )

    return _stored_under(once) or _store(store, once=once)


def add_label(submission: Submission, label: Label) -> Submission:
    """Add a decision to a locked submission with all that follows from it."""
    before = tallies.label_tallies_of(submission)
    AuditEntry.objects.create(
        actor=label.reviewer,
        action=(
            AuditEntry.Action.UNDO if label.is_withdrawn else AuditEntry.Action.LABEL
        ),
        subject=str(submission.pk),
        before=_decision(submission.label_digit, submission.rejection),
        after=_decision(label.digit, label.rejected),
    )
    label.submission = submission
    label.save()
    submission.label_digit, submission.rejection = label.digit, label.rejected
    submission.review_priority = review_priority(submission)
    submission.leased_by = submission.leased_until = None
    submission.save(
        update_fields=[
            "label_digit",
            "rejection",
            "review_priority",
            "leased_by",
            "leased_until",
        ]
    )
    change = tallies.label_tallies_of(submission)
    change.subtract(before)
    tallies.add(change)
    return submission


def _decision(digit: int | None, rejected: str) -> dict[str, object]:
    if digit is None and not rejected:
        return {}
    return {"rejected": rejected} if rejected else {"digit": digit}


def _stored_under(once: RequestKey | None) -> Submission | None:
    """Return what this request stored before.

    Raises:
        KeyReusedError: the key was another request's.
    """
    if once is None:
        return None
    earlier = IdempotencyKey.objects.filter(owner=once.owner, key=once.key).first()
    if earlier is None:
        return None
    if earlier.digest != once.digest:
        raise KeyReusedError(once.key)
    found = Submission.objects.with_shown_prediction()
    return found.filter(pk=earlier.submission_id).first()


def _store(store: Callable[[], Submission], *, once: RequestKey | None) -> Submission:
    """Store in one transaction, and where a key was given only once under it."""
    try:
        with Stage("store"), transaction.atomic():
            submission = store()
            if once is not None:
                _key_row(once, submission).save(force_insert=True)
            return submission
    except IntegrityError:
        # The same request came at the same time and was quicker: it stored.
        if earlier := _stored_under(once):
            return earlier
        raise


_DELETED_AT_ONCE = 200


def delete_submissions(
    *, submissions: SubmissionQuerySet, is_for_good: bool = True
) -> int:
    """Remove drawings with all that was said of them; return how many there were.

    In transactions of some hundred, so that others get their turn; broken off, it has
    deleted the oldest. What arrives meanwhile stays.

    Args:
        is_for_good: whether no backup may bring them back; not so what is archived.
    """
    newest = submissions.order_by("-pk").values_list("pk", flat=True).first()
    if newest is None:
        return 0
    chunk = submissions.filter(pk__lte=newest).order_by("pk")
    total = 0
    while True:
        with transaction.atomic():
            gone = list(lock_submissions(chunk).defer("strokes")[:_DELETED_AT_ONCE])
            counts: Counter[str] = Counter()
            for submission in gone:
                counts.update(tallies.tallies_of(submission))
            tallies.take_away(counts)
            ids = [one.pk for one in gone]
            if is_for_good:
                _list_as_erased(ids)
            AuditEntry.objects.filter(subject__in=map(str, ids)).update(
                before={"erased": True}, after={"erased": True}
            )
            Submission.objects.filter(pk__in=ids).delete()
        total += len(gone)
        if len(gone) < _DELETED_AT_ONCE:
            return total


def erase_again(*, ids: Iterable[UUID]) -> int:
    """Delete what was deleted once and is back, from a backup; return how many were."""
    erased = 0
    ids = iter(ids)
    while some := list(islice(ids, _DELETED_AT_ONCE)):
        erased += delete_submissions(submissions=Submission.objects.filter(pk__in=some))
        _erase_archived(some)
    return erased


def delete_all(*, visitors: Sequence[Visitor]) -> int:
    """Remove all that visitors drew, one after the other; return how many there were.

    What was archived of it goes from the archives the next time `expire` runs.
    """
    archived = Archived.objects.filter(visitor__in=visitors)
    _erase_archived(archived.values_list("pk", flat=True))
    return sum(
        delete_submissions(submissions=Submission.objects.owned_by(visitor))
        for visitor in visitors
    )


def _erase_archived(ids: Iterable[UUID]) -> None:
    """List drawings as erased that are no rows, and drop them from the archives."""
    ids = iter(ids)
    while some := list(islice(ids, _DELETED_AT_ONCE)):
        with transaction.atomic():
            _list_as_erased(some)
            Archived.objects.filter(pk__in=some).delete()


def _list_as_erased(ids: Iterable[UUID]) -> None:
    Erasure.objects.bulk_create(
        [Erasure(submission_id=pk) for pk in ids], ignore_conflicts=True
    )


def lock_submissions(submissions: SubmissionQuerySet) -> SubmissionQuerySet:
    """Lock rows against changes; SQLite has locked them with the transaction."""
    return submissions.with_shown_prediction().select_for_update()


def rebuild_derived() -> int:
    """Write all derived columns and numbers anew from the facts; return the mended.

    For an operator who has mended rows by hand, and to prove that they agree.
    """
    mended = 0
    counts: Counter[str] = Counter()
    with transaction.atomic():
        everything = lock_submissions(Submission.objects.all()).prefetch_related(
            Prefetch(
                "feedback", Feedback.objects.order_by("created_at"), to_attr="said"
            ),
            Prefetch("labels", Label.objects.order_by("created_at"), to_attr="decided"),
        )
        for submission in everything.iterator(chunk_size=200):
            mended += _rederive(submission)
            counts += tallies.tallies_of(submission)
        Tally.objects.all().delete()
        Tally.objects.bulk_create(
            [Tally(name=name, count=count) for name, count in counts.items()],
            batch_size=500,
        )
    tallies.forget_old_minutes()
    return mended


def _rederive(submission: Any) -> bool:
    """Derive a submission's columns from its facts; say whether one was wrong."""
    shown = submission.shown_prediction
    said = submission.said[-1] if submission.said else None
    decided = submission.decided[-1] if submission.decided else None
    if said is not None and said.verdict == Verdict.WITHDRAWN:
        said = None
    derived: dict[str, Any] = {
        "shown_digit": shown.digit,
        "refusal": shown.refusal,
        "verdict": said.verdict if said else "",
        "corrected_digit": said.digit if said else None,
        "label_digit": decided.digit if decided else None,
        "rejection": decided.rejected if decided else "",
    }
    stored = {name: getattr(submission, name) for name in derived}
    stored["review_priority"] = submission.review_priority
    for name, value in derived.items():
        setattr(submission, name, value)
    derived["review_priority"] = review_priority(submission)
    wrong = {name: value for name, value in derived.items() if stored[name] != value}
    if wrong:
        Submission.objects.filter(pk=submission.pk).update(**wrong)
    return bool(wrong)


# --- people --------------------------------------------------------------------------

_LAST_USE_PRECISION = timedelta(minutes=1)
TOKEN_START = "dgs_"  # so that searches for leaked secrets find it  # noqa: S105


def adopt_visitor(*, visitor: Visitor, user: User) -> None:
    """Give a browser's visitor its user; one that has a user keeps that."""
    Visitor.objects.filter(pk=visitor.pk, user=None).update(user=user)


def set_consent(
    *, visitors: Sequence[Visitor], user: User | None, may_train: bool
) -> None:
    """Note whether drawings may train models, for all visitors of a person."""
    if not visitors and user is not None:
        Visitor.objects.create(user=user, may_train=may_train)
    Visitor.objects.filter(pk__in=[visitor.pk for visitor in visitors]).update(
        may_train=may_train
    )


def set_email(*, user: User, email: str) -> None:
    """Note where a user gets mail; empty for nowhere."""
    user.email = User.objects.normalize_email(email)
    user.save(update_fields=["email"])


def make_token(
    *,
    user: User,
    name: str,
    scopes: Collection[str],
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """Make a token; its text is returned here and can never be had again."""
    text = TOKEN_START + secrets.token_urlsafe(32)
    token = Token.objects.create(
        user=user,
        name=name,
        prefix=text[:12],
        digest=digest_of(text),
        expires_at=expires_at,
        may_read=Scope.READ in scopes,
        may_write=Scope.WRITE in scopes,
        may_review=Scope.REVIEW in scopes,
    )
    return token, text


def digest_of(token_text: str) -> str:
    """Return what is kept of a token: 256 random bits need no slow hash."""
    return hashlib.sha256(token_text.encode()).hexdigest()


def note_use(*, token: Token) -> None:
    """Keep when a token was last used, to the minute: not one write a call."""
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > _LAST_USE_PRECISION:
        Token.objects.filter(pk=token.pk).update(last_used_at=now)


def revoke_token(*, token: Token) -> None:
    """Make a token worthless from now on."""
    token.delete()


ROLES = {
    "Reviewers": ("add_label", "view_submission"),
    "Administrators": (
        "add_label",
        "view_submission",
        "view_snapshot",
        "add_snapshot",
        "view_trainingrun",
        "add_trainingrun",
        "change_trainingrun",
        "view_modelversion",
        "change_modelversion",
        "view_gatereport",
        "view_auditentry",
    ),
}
"""The groups to put users into, with what their members may do."""


def prepare_reviewers() -> None:
    """See to it that the groups are there; who has changed one keeps the change."""
    for name, codenames in ROLES.items():
        group, is_new = Group.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set(
                Permission.objects.filter(
                    content_type__app_label="recognizer", codename__in=codenames
                )
            )


# --- models --------------------------------------------------------------------------


def active_model() -> ModelVersion:
    """Return the version that reads now.

    Raises:
        ReaderUnavailableError: none was registered yet.
    """
    version = _of_stage.first(ModelVersion.Stage.ACTIVE)
    if version is None:
        raise engine.ReaderUnavailableError(
            "No model is active: run manage.py prepare."
        )
    return version


# What few calls need of a version, its manifest, is loaded by those.
_of_stage = PreparedLookup(
    lambda stage: ModelVersion.objects.filter(stage=stage).defer("manifest")
)


_asked: tuple[float, ModelVersion] | None = None  # when, and what was answered


def _lately_active() -> ModelVersion:
    """Return the version that reads, asked for again after ACTIVE_MODEL_KEPT_S.

    No process sees a promotion later than that; a transaction sees its own at once.
    """
    global _asked
    if connection.in_atomic_block:
        return active_model()
    now, asked = time.monotonic(), _asked
    if asked is None or now - asked[0] >= settings.ACTIVE_MODEL_KEPT_S:
        _asked = asked = now, active_model()
    return asked[1]


def reader() -> tuple[ModelVersion, engine.Recogniser]:
    """Return the version that reads now, loaded; see `_lately_active` for how lately.

    Where it cannot be loaded the former one reads on, and what it reads is stored as
    its own; each call tries the active one again, so no restart is needed.

    Raises:
        ReaderUnavailableError: none can be loaded.
    """
    version = _lately_active()
    try:
        return version, engine.recogniser_for(version)
    except engine.ReaderUnavailableError as error:
        retired = ModelVersion.objects.filter(stage=ModelVersion.Stage.RETIRED)
        former = retired.order_by("-promoted_at", "-pk").first()
        if former is None:
            raise
        logger.error("%s Model %s reads on.", error, former.short_digest)
        return former, engine.recogniser_for(former)


@transaction.atomic
def register_model(*, bundle: Bundle, origin: str) -> ModelVersion:
    """Make a bundle known as a candidate, its bytes kept beside it; once per digest."""
    version, is_new = ModelVersion.objects.get_or_create(
        digest=bundle.digest,
        defaults={"origin": origin, "manifest": dict(bundle.manifest)},
    )
    if is_new:
        BundleArchive.objects.create(model_version=version, packed=bundle.packed())
    return version


@transaction.atomic
def promote_model(*, version: ModelVersion) -> ModelVersion:
    """Let this version read from now on and retire the former one."""
    ModelVersion.objects.filter(stage=ModelVersion.Stage.ACTIVE).exclude(
        pk=version.pk
    ).update(stage=ModelVersion.Stage.RETIRED)
    version.stage = ModelVersion.Stage.ACTIVE
    version.promoted_at = timezone.now()
    version.save(update_fields=["stage", "promoted_at"])
    return version


def prepare_models(*, starter: Bundle, named: Bundle | None = None) -> ModelVersion:
    """See to it that a model is active, and return it.

    A bundle the operator names reads as long as it is named. A starter that came with
    newer code replaces an older starter, never a model that was trained here.
    """
    if named is not None:
        version = register_model(bundle=named, origin=ModelVersion.Origin.NAMED)
        return promote_model(version=version)
    version = register_model(bundle=starter, origin=ModelVersion.Origin.STARTER)
    active = ModelVersion.objects.filter(stage=ModelVersion.Stage.ACTIVE).first()
    if (
        active is None
        or active.origin == ModelVersion.Origin.NAMED
        or (
            active.origin == ModelVersion.Origin.STARTER
            and version.stage == ModelVersion.Stage.CANDIDATE
        )
    ):
        return promote_model(version=version)
    return active
