"""Filtered lists of drawings, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from uuid import UUID

from recognizer.models import Submission, SubmissionQuerySet, Visitor


def filtered(
    submissions: SubmissionQuerySet,
    *,
    digit: int | None = None,
    refused: bool | None = None,
    feedback: str | None = None,
) -> SubmissionQuerySet:
    """Keep the submissions that match all given filters.

    Args:
        digit: the digit that was shown.
        refused: whether the drawing was refused.
        feedback: the visitor's latest verdict, or "none".
    """
    if digit is not None:
        submissions = submissions.filter(shown_digit=digit)
    if refused is not None:
        submissions = submissions.filter(shown_digit__isnull=refused)
    if feedback is not None:
        verdict = "" if feedback == "none" else feedback
        submissions = submissions.filter(verdict=verdict)
    return submissions


@dataclass(frozen=True)
class SubmissionPage:
    """One page of a visitor's drawings, newest first.

    older_than, newer_than: keys of the neighbouring pages; None if there is none.
    """

    submissions: list[Submission]
    older_than: UUID | None
    newer_than: UUID | None


def submission_page(
    submissions: SubmissionQuerySet,
    *,
    visitors: Sequence[Visitor],
    size: int,
    before: UUID | None = None,
    after: UUID | None = None,
) -> SubmissionPage:
    """Return the page next to a known drawing.

    Pages are selected by key: no drawing is skipped or shown twice while new ones
    arrive, and nothing has to be counted.

    Args:
        visitors: the owners of the drawings: all visitors of one person.
        size: drawings per page.
        before: show drawings older than this submission.
        after: show drawings newer than this submission.
    """
    loaded = submissions.with_shown_prediction()
    newer = loaded.filter(pk__gt=after) if after else loaded.none()
    found = _first_of_all(newer, visitors, order="pk", count=size + 1)
    if found:
        has_newer, has_older = len(found) > size, True
        shown = found[:size][::-1]
    else:  # older than `before`; without it, the first page
        older = loaded.filter(pk__lt=before) if before else loaded
        found = _first_of_all(older, visitors, order="-pk", count=size + 1)
        has_newer, has_older = before is not None, len(found) > size
        shown = found[:size]
    return SubmissionPage(
        submissions=shown,
        older_than=shown[-1].pk if shown and has_older else None,
        newer_than=shown[0].pk if shown and has_newer else None,
    )


def _first_of_all(
    submissions: SubmissionQuerySet,
    visitors: Sequence[Visitor],
    *,
    order: str,
    count: int,
) -> list[Submission]:
    """Return the first drawings of all visitors, in order.

    It merges the first drawings of each visitor, which an index holds in order. One
    query for all visitors would sort everything they drew.
    """
    of_each = [submissions.owned_by(one).order_by(order)[:count] for one in visitors]
    if len(of_each) == 1:  # nearly always
        return list(of_each[0])
    keys = (own.values_list("pk", flat=True) for own in of_each)
    first = list(islice(merge(*keys, reverse=order == "-pk"), count))
    return list(submissions.filter(pk__in=first).order_by(order))


@dataclass(frozen=True)
class Neighbours:
    """The drawings next to one in a list; None at the ends of the list."""

    newer: UUID | None
    older: UUID | None


def neighbours(
    submissions: SubmissionQuerySet, *, visitors: Sequence[Visitor], of: UUID
) -> Neighbours:
    """Return the neighbours of a drawing, which need not be in the list itself."""
    keys = submissions.only("pk")
    newer = _first_of_all(keys.filter(pk__gt=of), visitors, order="pk", count=1)
    older = _first_of_all(keys.filter(pk__lt=of), visitors, order="-pk", count=1)
    return Neighbours(
        newer=newer[0].pk if newer else None, older=older[0].pk if older else None
    )
