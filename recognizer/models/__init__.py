"""The models, one module per noun."""

from recognizer.models.audit import AuditEntry
from recognizer.models.base import new_id
from recognizer.models.drawings import (
    Archived,
    Comment,
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
from recognizer.models.imports import Import, ImportedFile, ImportedPerson
from recognizer.models.learning import (
    BundleArchive,
    GateReport,
    ModelVersion,
    ModelVersionQuerySet,
    RescoringRange,
    Snapshot,
    SnapshotItem,
    TrainingRun,
)
from recognizer.models.people import (
    BrowserSession,
    InBenchmark,
    Scope,
    Split,
    Token,
    User,
    Visitor,
)
from recognizer.models.webhooks import (
    TEST_EVENT,
    Delivery,
    Event,
    Webhook,
    WebhookQuerySet,
)
