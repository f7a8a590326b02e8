"""A number's digits at their places on its drawing, and the buttons to correct one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recognizer.models import Submission, Verdict
from recognizer.reader.drawing import StrokeDrawing
from recognizer.reader.engine import drawing_of

PADDING = 1 / 28
"""Around the ink of a digit, in heights of the drawing."""


@dataclass(frozen=True)
class Mark:
    """One digit. text: what was read; _ in an empty box.

    x, y, width, height: of its ink and of the text below the drawing.
    """

    text: str
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Return where the text is centred."""
        return self.x + self.width / 2


@dataclass(frozen=True)
class Marks:
    """All digits, in the units of the drawing.

    size: of the text. base: its base line. image_size: of a picture; None for strokes.
    """

    digits: list[Mark]
    size: float
    base: float
    view_box: str
    image_size: tuple[float, float] | None


def marks_on(submission: Submission, number: Mapping[str, Any] | None) -> Marks | None:
    """Place a number's digits below their ink; None without a number."""
    if number is None:
        return None
    drawing = drawing_of(submission)
    image_size = None
    if isinstance(drawing, StrokeDrawing):
        left, top, width, height = drawing.frame()
    else:
        left, top = 0.0, 0.0
        height, width = map(float, drawing.shown().shape[:2])
        image_size = width, height
    size = max(height / 8, width / 16)  # can be read on a phone
    padding = PADDING * height
    digits = []
    for text, digit in zip(number["text"], number["digits"], strict=True):
        x, y, across, _ = digit["box"]
        edge = max(y - padding, top)
        digits.append(
            Mark(
                text=text,
                x=round(x - padding, 2),
                y=round(edge, 2),
                width=round(across + 2 * padding, 2),
                height=round(top + height + size - edge, 2),
            )
        )
    return Marks(
        digits=digits,
        size=size,
        base=top + height + size * 0.8,
        view_box=f"{left:g} {top:g} {width:g} {height + size:g}",
        image_size=image_size,
    )


@dataclass(frozen=True)
class Choice:
    """A button that says what a drawing shows. name, value: what it sends."""

    digit: int
    name: str
    value: str
    is_pressed: bool


def choices_of(submission: Submission, *, text: str, place: int | None) -> list[Choice]:
    """Return a button for each digit that was not read.

    Args:
        text: the number that was read or guessed; empty if there is none.
        place: of its digit to be corrected, from 0; None if the drawing is one digit.
    """
    if place is None:
        return [
            Choice(digit, "digit", str(digit), submission.corrected_digit == digit)
            for digit in range(10)
            if digit != submission.shown_digit
        ]
    corrected = submission.corrected_number
    if len(corrected) == len(text):
        text = corrected
    choices = []
    for digit in range(10):
        if str(digit) == text[place]:
            continue
        number = f"{text[:place]}{digit}{text[place + 1 :]}"
        is_read = number == submission.shown_number
        name, value = ("verdict", Verdict.RIGHT) if is_read else ("digit", number)
        choices.append(Choice(digit, name, str(value), is_pressed=False))
    return choices
