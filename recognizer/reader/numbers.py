"""A number as the API answers it and as a prediction stores it."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlcore.reading.inference import Box, Number, Reading
from mlcore.reading.numbers import MOST_DIGITS as MOST_DIGITS

NUMBER = f"^[0-9_]{{2,{MOST_DIGITS}}}$"
"""Pattern of a number as people give it; _ is an empty box."""


def is_number(text: str) -> bool:
    """Return whether a text is a number, and not a single digit."""
    return re.fullmatch(NUMBER, text, re.ASCII) is not None


def number_json(number: Number) -> dict[str, Any]:
    """Return a number with its digits; boxes are x, y, width and height."""
    return {
        "text": number.text,
        "confidence": number.confidence,
        "digits": [
            {
                "digit": digit.digit,
                "confidence": digit.confidence,
                "probabilities": [round(share, 6) for share in digit.probabilities],
                "second": digit.second,
                "box": _sides(digit.box),
                "strokes": list(digit.pieces),
            }
            for digit in number.digits
        ],
        "ignored": [_sides(box) for box in number.ignored],
    }


def stored_number(reading: Reading) -> dict[str, Any] | None:
    """Return the number that is stored; a digit is not stored as a number too."""
    if reading.number is None or reading.digit is not None:
        return None
    return number_json(reading.number)


def shown_number_of(reading: Reading) -> str:
    """Return the number that was answered; empty if none was."""
    is_number = reading.digit is None and reading.refusal is None
    return reading.number_text if is_number else ""


def images_of(number: Number) -> Sequence[np.ndarray | None]:
    """Return the digit image of each digit."""
    return [digit.image for digit in number.digits]


def _sides(box: Box) -> list[float]:
    left, top, right, bottom = box
    sides = left, top, right - left, bottom - top
    return [round(side, 2) for side in sides]
