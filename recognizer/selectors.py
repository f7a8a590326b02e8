"""Answers composed for one page or one call."""

from dataclasses import dataclass
from uuid import UUID

from recognizer.models import Submission, SubmissionQuerySet, Visitor


@dataclass(frozen=True)
class SubmissionPage:
    """One page of a visitor's drawings, newest first.

    older_than, newer_than: keys of the neighbouring pages; None where there is none.
    """

    submissions: list[Submission]
    older_than: UUID | None
    newer_than: UUID | None


def owned_submissions(
    *,
    visitor: Visitor | None,
    digit: int | None = None,
    refused: bool | None = None,
    verdict: str | None = None,
) -> SubmissionQuerySet:
    """Select what a visitor drew, by what was shown of it and what they said of that.

    Args:
        verdict: right, wrong or not_a_digit; the empty one where nothing was said.
    """
    if visitor is None:
        return Submission.objects.none()
    owned = Submission.objects.owned_by(visitor)
    if digit is not None:
        owned = owned.filter(shown_digit=digit)
    if refused is not None:
        owned = owned.filter(shown_digit__isnull=refused)
    if verdict is not None:
        owned = owned.filter(verdict=verdict)
    return owned


def submission_page(
    submissions: SubmissionQuerySet,
    *,
    size: int,
    before: UUID | None = None,
    after: UUID | None = None,
) -> SubmissionPage:
    """Return the page next to a known drawing.

    Pages go by key, so none is skipped or shown twice while new ones arrive, and
    nothing is ever counted.

    Args:
        size: drawings a page.
        before: show older ones than this submission.
        after: show newer ones than this submission.
    """
    loaded = submissions.with_shown_prediction()
    newer = loaded.filter(pk__gt=after).order_by("pk") if after else loaded.none()
    found = list(newer[: size + 1])
    if found:
        has_newer, has_older = len(found) > size, True
        shown = found[:size][::-1]
    else:  # from the newest on, also when nothing is newer than `after`
        older = loaded.filter(pk__lt=before) if before else loaded
        found = list(older.order_by("-pk")[: size + 1])
        has_newer, has_older = before is not None, len(found) > size
        shown = found[:size]
    return SubmissionPage(
        submissions=shown,
        older_than=shown[-1].pk if shown and has_older else None,
        newer_than=shown[0].pk if shown and has_newer else None,
    )
