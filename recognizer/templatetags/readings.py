"""Template filters for readings."""

from django import template

from recognizer.drawings import refusals
from recognizer.models import Prediction

register = template.Library()


@register.filter
def refusal_message(reading: Prediction) -> str:
    """Return why a drawing was refused; empty if it was not."""
    if not reading.refusal:
        return ""
    return refusals.refusal_message(reading)
