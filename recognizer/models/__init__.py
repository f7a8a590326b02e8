"""The rows, one module per noun."""

from recognizer.models.audit import (
    AuditEntry,
)
from recognizer.models.drawings import (
    Archived,
    Erasure,
    Feedback,
    IdempotencyKey,
    Label,
    Picture,
    Prediction,
    Refusal,
    Rejection,
    ReviewSkip,
    Submission,
    SubmissionQuerySet,
    Tally,
    Verdict,
)
from recognizer.models.ids import (
    new_id,
)
from recognizer.models.learning import (
    BundleArchive,
    GateReport,
    ModelVersion,
    ModelVersionQuerySet,
    Rescoring,
    Snapshot,
    SnapshotItem,
    TrainingRun,
)
from recognizer.models.people import (
    Scope,
    Split,
    Token,
    User,
    Visitor,
)

__all__ = [
    "Archived",
    "AuditEntry",
    "BundleArchive",
    "Erasure",
    "Feedback",
    "GateReport",
    "IdempotencyKey",
    "Label",
    "ModelVersion",
    "ModelVersionQuerySet",
    "Picture",
    "Prediction",
    "Refusal",
    "Rejection",
    "Rescoring",
    "ReviewSkip",
    "Scope",
    "Snapshot",
    "SnapshotItem",
    "Split",
    "Submission",
    "SubmissionQuerySet",
    "Tally",
    "Token",
    "TrainingRun",
    "User",
    "Verdict",
    "Visitor",
    "new_id",
]
