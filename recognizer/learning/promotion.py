"""Promotes a model through the gate, or rolls back to an earlier one; both audited."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from mlcore.reading.bundle import Bundle, BundleError, open_bundle
from recognizer.drawings.events import announce, promoted
from recognizer.models import (
    AuditEntry,
    BundleArchive,
    Event,
    GateReport,
    ModelVersion,
    User,
)
from recognizer.models.learning import outcome_told
from recognizer.people.security_log import note
from recognizer.reader.active import active_model

Stage = ModelVersion.Stage
Action = AuditEntry.Action


class GateError(ValueError):
    """A model may not be made active; the message says why."""


def verdict_on(version: ModelVersion, *, incumbent: ModelVersion) -> GateReport | None:
    """Return a candidate's latest gate report against the incumbent, if any."""
    reports = GateReport.objects.filter(candidate=version, incumbent=incumbent)
    return reports.order_by("-pk").first()


@dataclass(frozen=True)
class Verdict:
    """What a candidate's latest gate report says.

    drawings_to_decide: about how many drawings of held-out people would prove its win;
        None if it does not lead, or if the report is older than this figure.
    """

    outcome: GateReport.Outcome
    drawings_to_decide: int | None


def verdicts_on(versions: Iterable[ModelVersion]) -> dict[UUID, Verdict]:
    """Return the latest verdicts by version, without loading the reports' pictures."""
    rows = GateReport.objects.filter(candidate__in=versions).order_by("pk")
    return {
        candidate: Verdict(outcome_told(has_passed, outcome), needed)
        for candidate, has_passed, outcome, needed in rows.values_list(
            "candidate",
            "has_passed",
            "report__outcome",
            "report__drawings_to_decide",
        )
    }


@transaction.atomic
def promote(
    *, version: ModelVersion, actor: User | None, reason: str = ""
) -> ModelVersion:
    """Make a candidate that passed its gate active, in all processes within 0.25 s.

    Args:
        reason: why to promote it although it has not passed; stored in the audit.

    Raises:
        GateError: it is active already, or it has not passed against the active
            model and no reason is given.
    """
    former = _lock(version)
    if version == former:
        raise GateError(f"Model {version} is already active.")
    verdict = verdict_on(version, incumbent=former)
    has_passed = verdict is not None and verdict.has_passed
    if not has_passed and not reason.strip():
        raise GateError(
            f"Model {version} {_shortfall(verdict)} the active model {former}. Train "
            "on a better snapshot, or give a reason to promote it anyway."
        )
    return _promote(
        version,
        former,
        actor=actor,
        action=Action.PROMOTE if has_passed else Action.OVERRIDE,
        reason="" if has_passed else reason.strip(),
    )


def _shortfall(verdict: GateReport | None) -> str:
    if verdict is None:
        return "has not been compared with"
    if verdict.outcome == GateReport.Outcome.NOT_PROVEN:
        return "is not proven to be better than"
    return "has failed its gate against"


@transaction.atomic
def roll_back(
    *, actor: User | None, to: ModelVersion | None = None, reason: str = ""
) -> ModelVersion:
    """Make a retired version active again; by default the one promoted last.

    Raises:
        GateError: there is none, or the given one is not a retired version.
    """
    retired = ModelVersion.objects.filter(
        stage=Stage.RETIRED, promoted_at__isnull=False
    )
    version = to or retired.order_by("-promoted_at").first()
    if version is None or not retired.filter(pk=version.pk).exists():
        raise GateError("There is no earlier model to roll back to.")
    former = _lock(version)
    return _promote(
        version, former, actor=actor, action=Action.ROLL_BACK, reason=reason.strip()
    )


def _lock(version: ModelVersion) -> ModelVersion:
    """Lock the active version against concurrent promotions, and return it."""
    rows = ModelVersion.objects.select_for_update().order_by("pk")
    list(rows.filter(stage=Stage.ACTIVE))
    version.refresh_from_db()
    return active_model()


def _promote(
    version: ModelVersion,
    former: ModelVersion,
    *,
    actor: User | None,
    action: Action,
    reason: str,
) -> ModelVersion:
    active = promote_model(version=version)
    AuditEntry.objects.create(
        actor=actor,
        action=action,
        subject=version.digest,
        before={"reads": former.digest},
        after={"reads": version.digest},
        reason=reason,
    )
    by = actor.pk if actor else None
    note("model promoted", user=by, action=action.value, model=version.digest)
    return active


@dataclass(frozen=True)
class Change:
    """A promotion or a rollback.

    before, after: the versions; None if the site does not know one any more. verdict:
        the outcome of the gate between them, if they had been compared by then.
    """

    entry: AuditEntry
    before: ModelVersion | None
    after: ModelVersion | None
    verdict: GateReport.Outcome | None


def history(*, count: int) -> list[Change]:
    """Return the last promotions and rollbacks, newest first."""
    entries = AuditEntry.objects.filter(
        action__in=[Action.PROMOTE, Action.OVERRIDE, Action.ROLL_BACK]
    )
    found = list(entries.select_related("actor").order_by("-pk")[:count])
    digests = {told["reads"] for one in found for told in (one.before, one.after)}
    versions = {
        version.digest: version
        for version in ModelVersion.objects.filter(digest__in=digests)
    }
    judged = GateReport.objects.filter(candidate__in=versions.values()).order_by("pk")
    reports = list(
        judged.values_list(
            "candidate", "incumbent", "created_at", "has_passed", "report__outcome"
        )
    )

    def change(entry: AuditEntry) -> Change:
        before, after = (
            versions.get(told["reads"]) for told in (entry.before, entry.after)
        )
        outcomes = [
            outcome_told(has_passed, outcome)
            for candidate, incumbent, at, has_passed, outcome in reports
            if (candidate, incumbent) == (after and after.pk, before and before.pk)
            and at <= entry.created_at
        ]
        return Change(entry, before, after, outcomes[-1] if outcomes else None)

    return [change(entry) for entry in found]


@transaction.atomic
def register_model(*, bundle: Bundle, origin: str) -> ModelVersion:
    """Register a bundle as a candidate and store its bytes, once per digest."""
    version, is_new = ModelVersion.objects.get_or_create(
        digest=bundle.digest,
        defaults={"origin": origin, "manifest": dict(bundle.manifest)},
    )
    if is_new:
        BundleArchive.objects.create(model_version=version, packed=bundle.packed())
    return version


@transaction.atomic
def promote_model(*, version: ModelVersion) -> ModelVersion:
    """Make this version active and retire the one that was."""
    others = ModelVersion.objects.filter(stage=ModelVersion.Stage.ACTIVE).exclude(
        pk=version.pk
    )
    former = others.first()
    others.update(stage=ModelVersion.Stage.RETIRED)
    version.stage = ModelVersion.Stage.ACTIVE
    version.promoted_at = timezone.now()
    version.save(update_fields=["stage", "promoted_at"])
    if former is not None:
        announce(Event.MODEL_PROMOTED, lambda: [promoted(version, former)])
    return version


def prepare_configured_models() -> ModelVersion:
    """Make sure that a model is active, given the shipped bundle and BUNDLE.

    Raises:
        ImproperlyConfigured: this code cannot use one of the bundles.
    """
    try:
        starter = open_bundle(settings.STARTER_BUNDLE)
        named = open_bundle(settings.NAMED_BUNDLE) if settings.NAMED_BUNDLE else None
    except BundleError as error:
        raise ImproperlyConfigured(str(error)) from error
    return prepare_models(starter=starter, named=named)


def prepare_models(*, starter: Bundle, named: Bundle | None = None) -> ModelVersion:
    """Make sure that a model is active, and return it.

    A bundle that the operator names is active as long as it is named. A starter bundle
    from newer code replaces an older starter, but never a model that was trained here.
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
