"""What a reading says to a person."""

from django import template

from recognizer.drawings import refusals
from recognizer.models import Prediction

register = template.Library()


@register.filter
def refusal_message(reading: Prediction) -> str:
    """Say why a drawing was refused; empty for a digit."""
    if not reading.refusal:
        return ""
    return refusals.refusal_message(reading.refusal, reading.probabilities)
