"""A visitor's answer to the shown prediction."""

from recognizer.drawings.idempotency import RequestKey, store_once, stored_under
from recognizer.drawings.priority import review_priority
from recognizer.models import Feedback, Submission, Verdict
from recognizer.reader.drawing import DrawingError


def give_feedback(
    *,
    submission: Submission,
    verdict: str,
    digit: int | None = None,
    once: RequestKey | None = None,
) -> Submission:
    """Add a visitor's answer to the shown prediction; the latest answer counts.

    Args:
        digit: the correct digit; required with the verdict wrong, refused otherwise.
        once: if this request was stored before, nothing is added.

    Raises:
        DrawingError: the answer contradicts itself or what was shown.
    """
    _refuse_nonsense(verdict, digit, shown_digit=submission.shown_digit)

    def store() -> Submission:
        # Locked, so that the derived columns match the latest answer.
        locked = Submission.objects.filter(pk=submission.pk).locked().get()
        Feedback.objects.create(submission=locked, verdict=verdict, digit=digit)
        locked.verdict = "" if verdict == Verdict.WITHDRAWN else verdict
        locked.corrected_digit = digit
        locked.review_priority = review_priority(locked)
        locked.save(update_fields=["verdict", "corrected_digit", "review_priority"])
        return locked

    return stored_under(once) or store_once(store, once=once)


def _refuse_nonsense(
    verdict: str, digit: int | None, *, shown_digit: int | None
) -> None:
    if verdict not in Verdict.values:
        raise _bad(f"verdict must be one of {', '.join(Verdict.values)}.", "verdict")
    if verdict != Verdict.WRONG:
        if digit is not None:
            raise _bad("Only the verdict wrong takes a digit.", "digit")
    elif digit not in range(10):
        raise _bad(
            "wrong needs the correct digit, a whole number from 0 to 9. If it is not "
            "a digit, the verdict is not_a_digit.",
            "digit",
        )
    elif digit == shown_digit:
        raise _bad(f"{digit} is what was read, so the verdict is right.", "digit")


def _bad(message: str, field: str) -> DrawingError:
    return DrawingError("invalid", message, {field: message})
