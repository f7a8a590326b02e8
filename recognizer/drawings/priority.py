"""The order in which reviewers get drawings: the most useful decisions first.

Corrected drawings come first, beginning with the most confident mistakes. Next are
drawings between two digits, by margin. Next are those that hardly look like a digit.
All others follow. The column is derived: `manage.py rebuild` rebuilds it.
"""

from recognizer.models import Refusal, Submission, Verdict

CORRECTED, UNCERTAIN, UNLIKE_A_DIGIT, ORDINARY = 3.0, 2.0, 1.0, 0.0
CLOSE_MARGIN = 0.5  # in probability, between the likeliest digit and the second
LOW_DIGITNESS = 0.5


def review_priority(submission: Submission) -> float | None:
    """Return a drawing's priority, largest first; None if it is labelled.

    It needs the shown prediction.
    """
    if submission.is_labelled:
        return None
    shown = submission.shown_prediction
    if submission.verdict in (Verdict.WRONG, Verdict.NOT_A_DIGIT):
        return CORRECTED + shown.confidence
    if shown.refusal == Refusal.BLANK:
        return ORDINARY
    if shown.margin < CLOSE_MARGIN:
        return UNCERTAIN + 1 - shown.margin
    if shown.digitness < LOW_DIGITNESS:
        return UNLIKE_A_DIGIT + 1 - shown.digitness
    return ORDINARY + 1 - shown.margin
