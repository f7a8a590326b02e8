"""A visitor's answer to the shown prediction."""

from recognizer.drawings.events import announce, answered
from recognizer.drawings.idempotency import RequestKey, store_once, stored_under
from recognizer.drawings.priority import review_priority
from recognizer.models import Event, Feedback, Submission, Verdict
from recognizer.reader.drawing import DrawingError
from recognizer.reader.numbers import MOST_DIGITS, is_number


def give_feedback(
    *,
    submission: Submission,
    verdict: str,
    digit: int | None = None,
    number: str = "",
    once: RequestKey | None = None,
) -> Submission:
    """Add a visitor's answer to the shown prediction; the latest answer counts.

    Args:
        digit, number: the correct answer; the verdict wrong requires one of them, all
            others refuse both.
        once: if this request was stored before, nothing is added.

    Raises:
        DrawingError: the answer contradicts itself or what was shown.
    """
    _refuse_nonsense(verdict, digit, number, shown=submission)

    def store() -> Submission:
        # Locked, so that the derived columns match the latest answer.
        locked = Submission.objects.filter(pk=submission.pk).locked().get()
        feedback = Feedback.objects.create(
            submission=locked, verdict=verdict, digit=digit, number=number
        )
        locked.verdict = "" if verdict == Verdict.WITHDRAWN else verdict
        locked.corrected_digit, locked.corrected_number = digit, number
        locked.review_priority = review_priority(locked)
        locked.save(
            update_fields=[
                "verdict",
                "corrected_digit",
                "corrected_number",
                "review_priority",
            ]
        )
        announce(Event.FEEDBACK_CREATED, lambda: [answered(feedback)])
        return locked

    return stored_under(once) or store_once(store, once=once)


def _refuse_nonsense(
    verdict: str, digit: int | None, number: str, *, shown: Submission
) -> None:
    if verdict not in Verdict.values:
        raise _bad(f"verdict must be one of {', '.join(Verdict.values)}.", "verdict")
    if verdict != Verdict.WRONG:
        if digit is not None or number:
            field = "number" if number else "digit"
            raise _bad("Only the verdict wrong takes a digit or a number.", field)
    elif number:
        if digit is not None or not is_number(number):
            raise _bad(
                f"number must be a text of 2 to {MOST_DIGITS} digits, without a digit "
                "beside it.",
                "number",
            )
        if number == shown.shown_number:
            raise _bad(f"{number} is what was read: the verdict is right.", "number")
    elif digit not in range(10):
        raise _bad(
            "wrong needs the correct digit, a whole number from 0 to 9, or a number. "
            "If it is neither, the verdict is not_a_digit.",
            "digit",
        )
    elif digit == shown.shown_digit:
        raise _bad(f"{digit} is what was read, so the verdict is right.", "digit")


def _bad(message: str, field: str) -> DrawingError:
    return DrawingError("invalid", message, {field: message})
