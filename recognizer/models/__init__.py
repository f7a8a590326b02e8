"""The models, one module per noun."""

from recognizer.models.audit import AuditEntry
from recognizer.models.base import new_id
from recognizer.models.drawings import (
    Archived,
    Doubt,
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
from recognizer.models.people import Scope, Split, Token, User, Visitor
