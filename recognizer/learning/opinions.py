"""The opinions of authors and reviewers on drawings."""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from recognizer.models import Label, Rejection, Submission, Verdict

What = tuple[int | None, str]
"""An opinion on a drawing: a digit, or None and a number or rejection."""


def voices(
    submissions: Iterable[Submission],
) -> defaultdict[tuple[UUID, What], set[object]]:
    """Return who holds each opinion on these drawings: reviewers and authors.

    Authors are identified by user, or by browser without one: nobody counts twice.
    """
    found: defaultdict[tuple[UUID, What], set[object]] = defaultdict(set)
    drawn = list(submissions)
    for submission in drawn:
        owner = submission.visitor.user_id or submission.visitor_id
        if submission.verdict == Verdict.NOT_A_DIGIT:
            for rejection in (Rejection.NOT_A_DIGIT, Rejection.SEVERAL):
                found[submission.pk, (None, rejection.value)].add(owner)
        elif submission.verdict in (Verdict.RIGHT, Verdict.WRONG):
            is_right = submission.verdict == Verdict.RIGHT
            opinion = (
                (submission.shown_digit, submission.shown_number)
                if is_right
                else (submission.corrected_digit, submission.corrected_number)
            )
            found[submission.pk, opinion].add(owner)
    labels = Label.objects.filter(submission__in=drawn, is_withdrawn=False)
    for pk, digit, number, rejected, reviewer in labels.values_list(
        "submission", "digit", "number", "rejected", "reviewer"
    ):
        found[pk, (digit, number or rejected)].add(reviewer)
    return found
