"""The life of a drawing: stored, read, answered, labelled, selected and learnt from."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from recognizer.models import Comment, Prediction, SnapshotItem, Submission, TrainingRun


@dataclass(frozen=True)
class Event:
    """Something that happened to a drawing; link: the page of what did it, if any."""

    at: datetime
    what: str
    link: str = ""


def timeline(submission: Submission) -> list[Event]:
    """Return all that happened to a drawing, oldest first."""
    return sorted(_events(submission), key=lambda event: event.at)


def _events(submission: Submission) -> Iterator[Event]:
    yield Event(
        submission.created_at,
        _("Stored: %(source)s") % {"source": submission.get_source_display()},
    )
    for reading in submission.predictions.select_related("model_version"):
        words = (
            _("Read as %(answer)s by model %(model)s")
            if reading.role == Prediction.Role.SHOWN
            else _("Read again as %(answer)s by model %(model)s")
        )
        told = {
            "answer": reading.get_refusal_display() or reading.answer,
            "model": reading.model_version,
        }
        yield Event(
            reading.created_at,
            words % told,
            _page("modelversion", reading.model_version),
        )
    for answer in submission.feedback.all():
        yield Event(
            answer.created_at,
            _("The author says: %(answer)s")
            % {"answer": _named(answer.get_verdict_display(), answer.digit)},
        )
    for label in submission.labels.select_related("reviewer"):
        said: dict[str, object] = {
            "label": _named(label.get_rejected_display(), label.digit),
            "reviewer": label.reviewer or _("a deleted user"),
        }
        words = (
            _("%(reviewer)s withdrew the label")
            if label.is_withdrawn
            else _("%(reviewer)s labelled it: %(label)s")
        )
        yield Event(label.created_at, words % said)
    for comment in submission.comments.select_related("author"):
        yield Event(
            comment.created_at,
            _("%(author)s commented on it") % {"author": author_of(comment)},
        )
    yield from _learning(submission)


def author_of(comment: Comment) -> str:
    """Name a comment's author."""
    return str(comment.author or _("a deleted user"))


def _learning(submission: Submission) -> Iterator[Event]:
    items = SnapshotItem.objects.filter(submission_id=submission.pk)
    # All digits of a number are on the same side.
    of_each = {item.snapshot_id: item for item in items.select_related("snapshot")}
    for item in of_each.values():
        yield Event(
            item.snapshot.created_at,
            _("Selected for snapshot %(snapshot)s: %(split)s")
            % {"snapshot": item.snapshot, "split": item.get_split_display()},
            _page("snapshot", item.snapshot),
        )
    learnt = TrainingRun.objects.filter(
        snapshot__items__in=items.filter(split="train"), version__isnull=False
    )
    for run in learnt.distinct().select_related("version"):
        yield Event(
            run.finished_at or run.created_at,
            _("Learnt by model %(model)s") % {"model": run.version},
            _page("modelversion", run.version),
        )


def _named(words: str, digit: int | None) -> str:
    return " ".join(str(part) for part in (words, digit) if part not in ("", None))


def _page(model: str, row: Any) -> str:
    return reverse(f"admin:recognizer_{model}_change", args=[row.pk])
