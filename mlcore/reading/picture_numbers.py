"""Read a number in a picture: one number on paper, or digits in printed boxes.

`pieces` cuts the ink into pieces, and `numbers` groups them as it groups strokes.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np

from mlcore.reading.boxes import is_empty, row_of_boxes
from mlcore.reading.inference import (
    BLANK,
    Box,
    Number,
    NumberDigit,
    Reading,
    Recogniser,
)
from mlcore.reading.numbers import (
    MOST_DIGITS,
    SURE_IN_BOXES,
    SURE_IN_PICTURE,
    Evidence,
    Expected,
    Pieces,
    best_of_pieces,
    of_list,
    of_pieces,
    with_number,
    with_one_digit,
)
from mlcore.reading.paper import Page, pages, sample
from mlcore.reading.parts import FAINTEST, mask_with_lines, row_mask
from mlcore.reading.pictures import Picture
from mlcore.reading.pieces import ink_of
from mlcore.reading.preprocess import Bitmap

CLEAR = 0.95
"""A part whose digitness times confidence is higher is not cut."""
MARGIN = 0.08
"""What is read around the inside of a box, as a share of its shorter side."""
MOST_INK = 0.3
"""Greatest share of a picture that is ink; more is a shadow."""
MOST_PIECES = 60
"""Of so much ink no number is made."""


def read_number_in_picture(
    recogniser: Recogniser,
    picture: Picture,
    *,
    expect: Expected,
    allowed: Sequence[str] = (),
) -> Reading:
    """Read a picture as a digit, else as a number.

    The digit is what `Recogniser.read_picture` answers; see `numbers.read_number`.

    Args:
        picture: (H, W, 3) RGB or (H, W) grey levels.
        expect: "auto" if it may be anything: then a digit comes first. Else a number
            that is sure does.
        allowed: if given, only these numbers are answered.
    """
    if picture.ndim == 2:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), np.uint8)
    reading = recogniser.read_picture(picture, stops_at_several=True)
    is_digit = expect == "auto" and not allowed and reading.digit is not None
    if is_digit or reading.refusal == "blank":
        return reading
    page = _page_of(picture)
    row = _number_in_boxes(recogniser, picture, page, allowed=allowed)
    if row is not None:
        return with_number(
            replace(reading, digit=None, refusal="several"),
            row,
            expect="number",
            is_from_list=bool(allowed),
            sure=SURE_IN_BOXES,
        )
    if allowed or expect == "number" or reading.refusal != "unsure":
        number = _number_in(recogniser, picture, page, allowed=allowed)
        told = with_number(
            reading,
            number,
            expect=expect,
            is_from_list=bool(allowed),
            sure=SURE_IN_PICTURE,
        )
        if told.refusal == "several" and not allowed:
            # The reading stopped early. See what it is if it is no number.
            whole = recogniser.read_picture(picture)
            told = (
                with_number(
                    whole,
                    number,
                    expect=expect,
                    is_from_list=False,
                    sure=SURE_IN_PICTURE,
                )
                if whole.refusal in ("several", "not_a_digit")
                else whole
            )
        reading = told
    if expect == "auto":
        return reading
    height, width = picture.shape[:2]
    return with_one_digit(reading, box=(0.0, 0.0, float(width), float(height)))


def _number_in_boxes(
    recogniser: Recogniser, picture: Picture, page: Page, *, allowed: Sequence[str]
) -> Number | None:
    """Read a row of printed boxes, each with a digit or empty.

    Returns:
        None if there is no such row, or nothing is written in it. The confidence is 0
        if a digit was refused.
    """
    mask = mask_with_lines(page)
    boxes = [] if mask is None else row_of_boxes(mask)
    if mask is None or not 2 <= len(boxes) <= MOST_DIGITS:
        return None
    scale = max(picture.shape) / max(mask.shape)
    digits: list[NumberDigit] = []
    is_sure = True
    for box in boxes:
        reach = MARGIN * min(box[2] - box[0], box[3] - box[1])
        left, top = (max(0.0, (side - reach) * scale) for side in box[:2])
        right, bottom = ((side + reach) * scale for side in box[2:])
        cell = picture[round(top) : round(bottom), round(left) : round(right)]
        is_written = not is_empty(box, mask)
        reading = recogniser.read_picture(cell) if is_written else BLANK
        first = second = None
        likely = reading.probabilities
        if is_written:
            is_sure &= reading.refusal in (None, "unsure")
        if reading.image is not None:
            likely = recogniser.digit_probabilities(reading.image)
            first, second = sorted(range(10), key=lambda digit: -likely[digit])[:2]
        digits.append(
            NumberDigit(
                digit=first,
                second=second,
                probabilities=likely,
                digitness=reading.digitness,
                box=(left, top, right, bottom),
                pieces=(),
                image=reading.image,
            )
        )
    if all(digit.digit is None for digit in digits):
        return None
    confidence = math.prod(digit.confidence for digit in digits) if is_sure else 0.0
    number = Number(tuple(digits), (), confidence)
    return of_list(number, allowed) if allowed else number


def _number_in(
    recogniser: Recogniser, picture: Picture, page: Page, *, allowed: Sequence[str]
) -> Number | None:
    """Read the ink of a picture as a number of one digit or more.

    Boxes are in pixels of the picture.

    Returns:
        None if there is none: too much ink, or too many digits.
    """
    pieces = _pieces_in(recogniser, picture, page)
    if pieces is None:
        return None
    number = of_pieces(recogniser, pieces, allowed=allowed)
    if number is None or _is_in_line(number):
        return number
    return replace(number, confidence=0.0)


def _is_in_line(number: Number) -> bool:
    """Return whether each digit lies beside the next, and neither above nor below."""
    return all(
        min(one.box[3], other.box[3]) - max(one.box[1], other.box[1]) > 0
        for one, other in pairwise(number.digits)
    )


def best_in(recogniser: Recogniser, picture: Picture) -> tuple[Number, Evidence] | None:
    """Return the best number without its confidence, and what speaks for it."""
    pieces = _pieces_in(recogniser, picture, _page_of(picture))
    return None if pieces is None else best_of_pieces(recogniser, pieces)


def _page_of(picture: Picture) -> Page:
    """Return a way to tell ink from paper in which shadows are no ink.

    It is the likeliest one if most of it is paper, else the one with the least ink.
    """
    found = pages(picture)
    likeliest = next(found)
    if _inked(likeliest) <= MOST_INK:
        return likeliest
    return min((likeliest, *found), key=_inked)


def _inked(page: Page) -> float:
    """Return the share of a page that differs from paper."""
    return float((sample(page.distance) > FAINTEST // 2).mean())


def _pieces_in(recogniser: Recogniser, picture: Picture, page: Page) -> Pieces | None:
    """Return the pieces of the ink; None if there are none, or too many."""

    def is_digit(bitmap: Bitmap) -> bool:
        reading = recogniser.read(bitmap)
        return (
            reading.refusal is None and reading.digitness * reading.confidence > CLEAR
        )

    mask = row_mask(page)
    ink = None if mask is None else ink_of(mask, page, is_digit=is_digit)
    if ink is None or len(ink.parts) > MOST_PIECES:
        return None
    scale = max(picture.shape) / max(page.distance.shape)
    return Pieces(
        boxes=ink.boxes * scale,
        bitmap_of=ink.bitmap_of,
        seams=ink.seams,
        ignored=tuple(_scaled(part.box, scale) for part in ink.others),
        are_of_picture=True,
    )


def _scaled(box: tuple[int, int, int, int], scale: float) -> Box:
    left, top, right, bottom = box
    return left * scale, top * scale, right * scale, bottom * scale
