"""Which model reads: promoted through the gate, rolled back at once, all audited."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from mlcore.reading.bundle import Bundle, BundleError, open_bundle
from recognizer.models import AuditEntry, BundleArchive, GateReport, ModelVersion, User
from recognizer.reader.active import active_model

Stage = ModelVersion.Stage
Action = AuditEntry.Action


class GateError(ValueError):
    """A candidate that may not read yet: why not, and the way out."""


def verdict_on(version: ModelVersion, *, incumbent: ModelVersion) -> GateReport | None:
    """Return the latest comparison of a candidate with what reads now, if any."""
    reports = GateReport.objects.filter(candidate=version, incumbent=incumbent)
    return reports.order_by("-pk").first()


@transaction.atomic
def promote(
    *, version: ModelVersion, actor: User | None, reason: str = ""
) -> ModelVersion:
    """Let a candidate that has passed its gate read, in all processes within 0.25 s.

    Args:
        reason: why it may read although it has not passed; goes into the audit.

    Raises:
        GateError: it has not passed against what reads now, and no reason is given.
    """
    former = _lock(version)
    if version == former:
        raise GateError(f"Model {version} is already active.")
    verdict = verdict_on(version, incumbent=former)
    has_passed = verdict is not None and verdict.has_passed
    if not has_passed and not reason.strip():
        what = "has failed its gate" if verdict else "has not been compared"
        raise GateError(
            f"Model {version} {what} against the active model {former}. Train on a "
            "better snapshot, or give a reason to promote it anyway."
        )
    return _promote(
        version,
        former,
        actor=actor,
        action=Action.PROMOTE if has_passed else Action.OVERRIDE,
        reason="" if has_passed else reason.strip(),
    )


@transaction.atomic
def roll_back(
    *, actor: User | None, to: ModelVersion | None = None, reason: str = ""
) -> ModelVersion:
    """Let a version that has read before read again: the former one if none is named.

    Raises:
        GateError: there is none, or the named one has never read.
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
    """Let nobody else change what reads meanwhile; return what reads."""
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
    promoted = promote_model(version=version)
    AuditEntry.objects.create(
        actor=actor,
        action=action,
        subject=version.digest,
        before={"reads": former.digest},
        after={"reads": version.digest},
        reason=reason,
    )
    return promoted


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


def prepare_configured_models() -> ModelVersion:
    """Let the shipped bundle read, or the one that BUNDLE names.

    Raises:
        ImproperlyConfigured: it is no bundle that this code can use.
    """
    try:
        starter = open_bundle(settings.STARTER_BUNDLE)
        named = open_bundle(settings.NAMED_BUNDLE) if settings.NAMED_BUNDLE else None
    except BundleError as error:
        raise ImproperlyConfigured(str(error)) from error
    return prepare_models(starter=starter, named=named)


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
