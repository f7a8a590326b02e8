"""Messages for refused drawings, in the visitor's language."""

from collections.abc import Sequence
from typing import Protocol

from django.utils.translation import gettext as _

from recognizer.models import Doubt, Refusal
from recognizer.reader.numbers import MOST_DIGITS


class Refused(Protocol):
    """A refused reading, new or stored."""

    @property
    def refusal(self) -> str | None:
        """The reason."""

    @property
    def doubt(self) -> str:
        """What a person could do better in a picture."""

    @property
    def number_text(self) -> str:
        """The number that it could be; empty if there is none."""

    @property
    def probabilities(self) -> Sequence[float]:
        """Ten."""


def refusal_message(reading: Refused) -> str:
    """Return a refusal's message; an unsure one names the two likeliest digits."""
    if reading.refusal == Refusal.BLANK:
        return _("There is nothing to read. Draw a digit from 0 to 9.")
    if reading.refusal == Refusal.SEVERAL:
        return _several_message(reading)
    if reading.doubt == Doubt.CUT_OFF:
        return _("The digit is cut off at the edge. Show all of it.")
    if reading.doubt == Doubt.SMALL:
        return _("The digit is very small. Move closer, or crop the picture to it.")
    if reading.refusal == Refusal.NOT_A_DIGIT:
        return _("This does not look like a digit from 0 to 9.")
    probabilities = reading.probabilities
    first, second = sorted(range(10), key=lambda d: -probabilities[d])[:2]
    return _(
        "This could be %(first)s or %(second)s. Draw it a little more clearly."
    ) % {
        "first": first,
        "second": second,
    }


def _several_message(reading: Refused) -> str:
    if reading.doubt == Doubt.LONG:
        return _(
            "That is too much to read at once. Draw one number of at most %(digits)s "
            "digits, or crop the picture to one."
        ) % {"digits": MOST_DIGITS}
    if reading.number_text:
        return _(
            "This could be %(number)s, but that is not sure. Leave gaps between the "
            "digits, and write them clearly."
        ) % {"number": reading.number_text}
    return several_message()


def several_message() -> str:
    """Return what a caller is told who expects one digit, and sent more."""
    return _("There are several shapes: draw one digit, or crop the picture to one.")
