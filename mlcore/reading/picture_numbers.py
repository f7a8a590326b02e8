"""Read a number in a picture: one number on paper, or digits in printed boxes.

`cuts` finds where a digit may end and the next begin, and `regions` reads what lies
between two cuts.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np

from mlcore.reading.boxes import is_empty, row_of_boxes
from mlcore.reading.cuts import cuts_of
from mlcore.reading.inference import (
    BLANK,
    Number,
    NumberDigit,
    Reading,
    Recogniser,
)
from mlcore.reading.numbers import (
    MOST_DIGITS,
    Evidence,
    Expected,
    confidence_of,
    doubts,
    likeliest,
    likeliest_allowed,
    log_of_any_failing,
    of_list,
    with_number,
    with_one_digit,
)
from mlcore.reading.paper import Page, pages, sample
from mlcore.reading.parts import FAINTEST, mask_with_lines, row_mask
from mlcore.reading.pictures import Picture
from mlcore.reading.regions import Regions, RegionSearch

OF_PICTURE = -1.97, -0.54, -0.15, -0.47, -0.71
"""Offset, and weights of what `_best` returns.

From `python -m mlcore.judging.picture_numbers --fit`.
"""
SURE_IN_PICTURE = 0.85
"""As `numbers.SURE`, without boxes. See decisions.md."""
SURE_OF_OTHERS = 0.95
"""The same for what may be anything, and does not look like several: a sketch."""
SURE_OF_ONE_DIGIT = 0.7
"""Where a number is expected, a less sure one of one digit is refused.

Of the calibration writers' single digits none was less sure, of rows of two that look
like one digit, two of five."""
SURE_IN_BOXES = 0.7
"""As `numbers.SURE`: a misread digit of a box is surer than a misread number."""
MARGIN = 0.08
"""What is read around the inside of a box, as a share of its shorter side."""
MOST_INK = 0.3
"""Greatest share of a picture that is ink; more is a shadow."""


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
        is_likely = expect == "number" or reading.refusal == "several"
        sure = SURE_IN_PICTURE if is_likely else SURE_OF_OTHERS
        told = with_number(
            reading, number, expect=expect, is_from_list=bool(allowed), sure=sure
        )
        if expect == "number" and not allowed and _may_be_several(number):
            told = replace(told, digit=None, refusal=told.refusal or "several")
        elif told.refusal == "several" and expect == "auto" and not allowed:
            # The reading stopped early. See what it is if it is no number.
            whole = recogniser.read_picture(picture)
            told = (
                with_number(whole, number, expect=expect, is_from_list=False, sure=sure)
                if whole.refusal in ("several", "not_a_digit")
                else whole
            )
        reading = told
    if expect == "auto":
        return reading
    height, width = picture.shape[:2]
    return with_one_digit(reading, box=(0.0, 0.0, float(width), float(height)))


def _may_be_several(number: Number | None) -> bool:
    """Return whether what reads as one digit may well be several that touch."""
    return (
        number is not None
        and len(number.text) == 1
        and number.confidence < SURE_OF_ONE_DIGIT
    )


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
    regions = _regions_in(recogniser, picture, page)
    if regions is None:
        return None
    search = RegionSearch(regions)
    if allowed:
        return likeliest_allowed(search, allowed)
    found = _best(search)
    if found is None:
        return None
    number, given = found
    confidence = confidence_of(given, OF_PICTURE) if _is_in_line(number) else 0.0
    return replace(number, confidence=confidence)


def _is_in_line(number: Number) -> bool:
    """Return whether each digit lies beside the next, and neither above nor below."""
    return all(
        min(one.box[3], other.box[3]) - max(one.box[1], other.box[1]) > 0
        for one, other in pairwise(number.digits)
    )


def best_in(recogniser: Recogniser, picture: Picture) -> tuple[Number, Evidence] | None:
    """Return the best number without its confidence, and what speaks for it."""
    regions = regions_in(recogniser, picture)
    return None if regions is None else _best(RegionSearch(regions))


def _best(search: RegionSearch) -> tuple[Number, Evidence] | None:
    """Return the best number without its confidence, and what speaks for it.

    Returns:
        The number; log of the probabilities that it is another, that a digit is, and
        that one is none; whether connected ink is cut.
    """
    ways = search.ways()
    number = likeliest(search, ways)
    if number is None:
        return None
    is_another = log_of_any_failing([search.share(number.text)])
    best = max(ways.values(), key=lambda way: way.best)
    return number, (is_another, *doubts(number), float(search.is_cut(best)))


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


def regions_in(recogniser: Recogniser, picture: Picture) -> Regions | None:
    """Return what may be digits in a picture; None if there is no ink, or too much."""
    return _regions_in(recogniser, picture, _page_of(picture))


def _regions_in(recogniser: Recogniser, picture: Picture, page: Page) -> Regions | None:
    mask = row_mask(page)
    cuts = None if mask is None else cuts_of(mask, page)
    if cuts is None:
        return None
    return Regions(
        recogniser, cuts, scale=max(picture.shape) / max(page.distance.shape)
    )
