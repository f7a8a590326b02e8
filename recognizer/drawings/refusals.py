"""Messages for refused drawings, in the visitor's language."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from recognizer.models import Refusal


def refusal_message(code: str, probabilities: Sequence[float]) -> str:
    """Return a refusal's message; an unsure one names the two likeliest digits."""
    if code == Refusal.BLANK:
        return _("There is nothing to read. Draw a digit from 0 to 9.")
    if code == Refusal.SEVERAL:
        return _("This looks like several shapes. Draw one digit at a time.")
    if code == Refusal.NOT_A_DIGIT:
        return _("This does not look like a digit from 0 to 9.")
    first, second = sorted(range(10), key=lambda d: -probabilities[d])[:2]
    return _(
        "This could be %(first)s or %(second)s. Draw it a little more clearly."
    ) % {
        "first": first,
        "second": second,
    }
