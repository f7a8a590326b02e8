"""Read a number: digits side by side, by segmentation and recognition together.

The strokes, ordered from left to right, are put into groups that may be digits. The bar
of a 7 may come late, so a group's strokes need not follow each other. The network
scores each group, the places and sizes of its strokes count too, and the best way from
the first stroke to the last wins (dynamic programming).

The costs below were chosen on rows by the calibration writers, which
`mlcore.judging.numbers` makes and reads. It also fits the confidence.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlcore.reading.calibrate import DIGITS
from mlcore.reading.inference import Box, Number, NumberDigit, Reading, Recogniser
from mlcore.reading.preprocess import Bitmap
from mlcore.reading.rasterise import Points, rasterise

MOST_DIGITS = 20
MOST_STROKES = 80
"""A number has at most four for each digit."""
MOST_GROUPS = 400
"""So many groups are looked at, at most; 20 digits take about 200."""
GROUP_STROKES = 4
"""A digit has at most so many strokes."""
NEIGHBOURS = 4
"""The strokes of a digit are among so many that follow its first one in the row."""
MOST_WAYS = 24
"""Of all ways to read the same number of strokes, so many are pursued."""

# Lengths are in heights of the number.
WIDEST = 2.0
TALLEST = 2.2
"""A digit of several strokes is not larger."""
FARTHEST = 0.35
"""A digit's strokes are not further apart, along the row."""
SMALL = 0.3
"""A lower stroke may be a point, a comma or a minus."""
SMALL_WIDTH = 0.8

# Costs are in units of log likelihood.
PER_DIGIT = 0.0
"""Gained with each digit."""
IGNORED = 3.0
"""Of leaving out a small stroke."""
HEIGHT = 5.5
"""Of a digit that is e times as high or as low as most."""
HEIGHT_FREE = 0.6
OVERLAP = 1.4
"""Of digits that overlap by a height; from OVERLAP_FREE on."""
OVERLAP_SQUARED = 5.6
OVERLAP_FREE = -0.3
APART = 0.25
"""Of a digit's strokes that lie side by side; none if they share APART_FREE."""
APART_FREE = 0.7
LATE = 0.35
"""Of a digit whose strokes do not follow each other in time."""
MANY = 3.0
"""Of each stroke of a digit after the second."""
BOTH_TALL = 95.0
BOTH_TALL_WITHIN = 50.0
"""Of a digit whose second tallest stroke has its full height, by height: rather two
digits. Less if the strokes share 40 % of a height along the row, as in an 8."""
TALL = 0.51
TALL_FOUR = 0.78
"""From this share of the digit's height on; a 4 has two tall strokes."""
CUT, CUT_WIDTH = 0.5, 0.25
"""Of each seam that is cut, and of each width of a stroke that it cuts."""
OF_CONFIDENCE = 2.0
"""Weight of a digit's log probability, in pictures."""
LEAST_DIGITNESS = 1e-4
"""No group counts as less like a digit."""

# The confidence; from `python -m mlcore.judging.numbers --fit`, bundle 69b6aeb5a5b6
OF_STROKES = -1.07, -0.64, -0.45, 0.21, 1.45, -2.49
OF_PICTURE = -3.75, -0.49, -0.65, 0.25, -2.17
"""Offset, and weights of the evidence: see `_evidence`.

From `python -m mlcore.judging.picture_numbers --fit`, but for the weight of a cut: it
is 1.56 lower, because too many of these numbers are wrong.
"""
SURE_IN_PICTURE = 0.8
"""As SURE, without boxes: digits that touch may look like one."""
SURE_IN_BOXES = 0.7
"""As SURE: a misread digit of a box is surer than a misread number."""
MOST_MARGIN = 6.0
SURE = 0.6
"""A less confident number is a guess.

Where nobody said that it is a number, and it does not look like several, it must not
consist of 1s for the most part either: a sketch is full of straight lines.
"""

FLOOR = 1e-3
"""No digit counts as less likely when numbers are compared with a list."""
MOST_MISFIT = 1.0, 7.5
"""A number of the list is answered if its digits are not less likely than this, in log
likelihood: the second where one digit of LONG may be unreadable."""
LONG = 5
SURE_OF_ALLOWED = 0.9
"""Least probability of the answer among the numbers of the list."""

Expected = Literal["number", "auto"]
Evidence = tuple[float, ...]


@dataclass(frozen=True)
class Pieces:
    """What digits are made of: strokes, or parts of a picture.

    boxes: (N, 4) left, top, right, bottom. bitmap_of: draws some of them. seams: of a
    picture, between two pieces of one connected part, left to right: how many widths of
    a stroke the cut is wide. Pieces of one part follow each other. ignored: boxes of
    what is certainly no digit.
    """

    boxes: NDArray[np.float64]
    bitmap_of: Callable[[Sequence[int]], Bitmap]
    seams: Mapping[tuple[int, int], float] = field(default_factory=dict)
    ignored: tuple[Box, ...] = ()
    are_of_picture: bool = False


@dataclass(frozen=True)
class _Way:
    """A way to read some of the pieces. groups: bit masks; ignored ones are negative.

    best: its log likelihood.
    """

    best: float
    groups: tuple[int, ...]


@dataclass(frozen=True)
class _Group:
    """Pieces that may be a digit. score: log likelihood, whichever digit it is."""

    score: float
    reading: Reading
    box: Box


def read_number(
    recogniser: Recogniser,
    strokes: Sequence[Points],
    *,
    pen_width: float,
    expect: Expected,
    allowed: Sequence[str] = (),
) -> Reading:
    """Read strokes as a digit or as a number.

    The digit is what `Recogniser.read` answers. A number that is sure is the answer
    where there is no digit, or where a number is expected and reads better: two digits
    that overlap may look like one. A number that is not sure is the guess beside the
    refusal "several".

    Args:
        expect: "auto" if it may be anything: then only a drawing that looks like
            several, or a very sure one, is a number.
        allowed: if given, only these numbers are answered.
    """
    reading = recogniser.read(rasterise(strokes, pen_width=pen_width))
    may_be_number = (
        reading.refusal != "blank"
        if expect == "number"
        else reading.refusal in ("several", "not_a_digit")
    )
    if allowed or may_be_number:
        number = of_strokes(recogniser, strokes, pen_width=pen_width, allowed=allowed)
        is_digit = reading.digit is not None and (
            number is None or not _lie_side_by_side(number)
        )
        if allowed or not is_digit:
            reading = with_number(
                reading, number, expect=expect, is_from_list=bool(allowed)
            )
    if expect == "auto":
        return reading
    low, high = (ends(np.concatenate(strokes), axis=0) for ends in (np.min, np.max))
    box = (*low.tolist(), *high.tolist())
    return with_one_digit(reading, box=box, pieces=range(len(strokes)))


def _lie_side_by_side(number: Number) -> bool:
    """Return whether no digit covers half of the next; a slash covers its zero."""
    return all(
        before.box[2] - after.box[0]
        <= min(before.box[2] - before.box[0], after.box[2] - after.box[0]) / 2
        for before, after in pairwise(number.digits)
    )


def with_number(
    reading: Reading,
    number: Number | None,
    *,
    expect: Expected,
    is_from_list: bool,
    sure: float = SURE,
) -> Reading:
    """Return a refused reading with the number found instead or beside it.

    sure: a number that is less confident, and from no list, is a guess.
    """
    if is_from_list and (number is None or len(number.text) == 1):
        return _settled(reading, number)
    if number is None:
        if expect == "auto" and reading.refusal != "several":
            return reading
        return replace(reading, digit=None, refusal="several", doubt="long")
    if len(number.text) == 1:  # a digit, but not a clear one
        return reading
    if is_from_list:
        sure = SURE_OF_ALLOWED
    elif expect == "auto" and reading.refusal != "several":
        is_of_lines = 2 * number.text.count("1") >= len(number.text)
        sure = math.inf if is_of_lines else sure
    if number.confidence >= sure:
        even = (1 / DIGITS,) * DIGITS
        return replace(
            reading,
            digit=None,
            second=None,
            probabilities=even,
            refusal=None,
            number=number,
        )
    if expect == "auto" and reading.refusal != "several":
        return reading
    return replace(reading, digit=None, refusal="several", number=number)


def with_one_digit(
    reading: Reading, *, box: Box, pieces: Sequence[int] = ()
) -> Reading:
    """Return a reading with its digit as a number of one too, if it has a digit."""
    if reading.digit is None:
        return reading
    digit = NumberDigit(
        digit=reading.digit,
        second=reading.second or 0,
        probabilities=reading.probabilities,
        digitness=reading.digitness,
        box=box,
        pieces=tuple(pieces),
        image=reading.image,
    )
    return replace(reading, number=Number((digit,), (), confidence=reading.confidence))


def _settled(reading: Reading, number: Number | None) -> Reading:
    """Return a reading of one digit, or of what is not on a list."""
    if number is None or number.confidence < SURE_OF_ALLOWED:
        return replace(reading, digit=None, refusal=reading.refusal or "unsure")
    only = number.digits[0]
    return replace(reading, digit=only.digit, second=only.second, refusal=None)


def of_strokes(
    recogniser: Recogniser,
    strokes: Sequence[Points],
    *,
    pen_width: float,
    allowed: Sequence[str] = (),
) -> Number | None:
    """Read strokes as a number of one digit or more.

    Args:
        allowed: if given, the likeliest of these numbers is read.

    Returns:
        None if there is none: too many strokes or digits.
    """
    pieces = _pieces_of(strokes, pen_width)
    return None if pieces is None else of_pieces(recogniser, pieces, allowed=allowed)


def best_of_strokes(
    recogniser: Recogniser, strokes: Sequence[Points], *, pen_width: float
) -> tuple[Number, Evidence] | None:
    """Return the best number without its confidence, and what speaks for it."""
    pieces = _pieces_of(strokes, pen_width)
    return None if pieces is None else best_of_pieces(recogniser, pieces)


def _pieces_of(strokes: Sequence[Points], pen_width: float) -> Pieces | None:
    if len(strokes) > MOST_STROKES:
        return None
    low = [stroke.min(axis=0) for stroke in strokes]
    high = [stroke.max(axis=0) for stroke in strokes]
    return Pieces(
        boxes=np.hstack([low, high]).astype(np.float64),
        bitmap_of=lambda chosen: rasterise(
            [strokes[at] for at in chosen], pen_width=pen_width
        ),
    )


def of_pieces(
    recogniser: Recogniser, pieces: Pieces, *, allowed: Sequence[str] = ()
) -> Number | None:
    """Read pieces as a number of one digit or more; None if there is none."""
    search = _Search(recogniser, pieces)
    if allowed:
        return _likeliest_allowed(search, search.ways(), allowed)
    found = _best(search)
    if found is None:
        return None
    number, given = found
    if not pieces.are_of_picture:
        return replace(number, confidence=_confidence(given, OF_STROKES))
    least_sure = min(digit.confidence for digit in number.digits)
    confidence = min(least_sure, _confidence(given, OF_PICTURE))
    return replace(number, confidence=confidence)


def of_list(number: Number, allowed: Sequence[str]) -> Number:
    """Return the likeliest number of a list, with its probability among them.

    number: its digits' places are certain; empty boxes do not count. The confidence is
    0 if none fits.
    """
    length = sum(digit.digit is not None for digit in number.digits)
    texts = sorted({text for text in allowed if len(text) == length})
    if not texts:
        return replace(number, confidence=0.0)
    fits = _fits(number, texts)
    best = int(fits.argmax())
    share = float(np.exp(fits[best] - np.logaddexp.reduce(fits)))
    misfit = MOST_MISFIT[length >= LONG]
    chosen = iter(texts[best])
    digits = tuple(
        digit if digit.digit is None else replace(digit, digit=int(next(chosen)))
        for digit in number.digits
    )
    return replace(
        number, digits=digits, confidence=share if -fits[best] <= misfit else 0.0
    )


def _fits(number: Number, texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the log likelihood of texts as long as a number, by its digits."""
    likely = [digit.probabilities for digit in number.digits if digit.digit is not None]
    of_digits = np.log(np.array(likely) + FLOOR)
    written = np.array([[int(digit) for digit in text] for text in texts])
    return np.asarray(
        of_digits[np.arange(len(likely)), written].sum(axis=1), np.float64
    )


def best_of_pieces(
    recogniser: Recogniser, pieces: Pieces
) -> tuple[Number, Evidence] | None:
    """Return the best number without its confidence, and what speaks for it."""
    return _best(_Search(recogniser, pieces))


def _best(search: "_Search") -> tuple[Number, Evidence] | None:
    ways = search.ways()
    if not ways:
        return None
    best = max(ways.values(), key=lambda way: way.best)
    number = search.number(best)
    if len(number.digits) > MOST_DIGITS:
        return None
    return number, _evidence(number, best, ways, search)


def _likeliest_allowed(
    search: "_Search", ways: Mapping[int, _Way], allowed: Sequence[str]
) -> Number | None:
    """Return the likeliest number of a list, with its probability among them."""
    texts = sorted({text for text in allowed if len(text) in ways})
    if not texts:
        return None
    fits = np.zeros(len(texts))
    likely = np.zeros(len(texts))
    places = np.array([len(text) for text in texts])
    for length in set(places.tolist()):
        number = search.number(ways[length])
        chosen = np.nonzero(places == length)[0]
        fits[chosen] = _fits(number, [texts[at] for at in chosen])
        likely[chosen] = fits[chosen] + ways[length].best
    best = int(likely.argmax())
    share = float(np.exp(likely[best] - np.logaddexp.reduce(likely)))
    misfit = MOST_MISFIT[len(texts[best]) >= LONG]
    number = search.number(ways[len(texts[best])], texts[best])
    return replace(number, confidence=share if -fits[best] <= misfit else 0.0)


class _Search:
    """Looks for the best groups, from left to right."""

    def __init__(self, recogniser: Recogniser, pieces: Pieces) -> None:
        self._recogniser = recogniser
        self.pieces = pieces
        self._boxes = [tuple(box) for box in pieces.boxes.tolist()]
        self._order = sorted(
            range(len(self._boxes)), key=lambda at: sum(self._boxes[at][::2])
        )
        heights = pieces.boxes[:, 3] - pieces.boxes[:, 1]
        tall = heights[heights >= heights.max() / 2]
        self.height = max(float(np.median(tall)), 1e-6)
        self._groups: dict[int, _Group] = {}
        self._probabilities: dict[int, tuple[float, ...]] = {}

    def ways(self) -> dict[int, _Way]:
        """Return the best way to read all pieces, for each number of digits."""
        count = len(self._boxes)
        # By pieces read, then by which they are and how many digits they make.
        layers: list[dict[tuple[int, int], _Way]] = [{} for _ in range(count + 1)]
        layers[0][0, 0] = _Way(0.0, ())
        for read, layer in enumerate(layers[:-1]):
            pursued = sorted(layer.items(), key=lambda item: -item[1].best)[:MOST_WAYS]
            for (done, digits), way in pursued:
                for group in self._next_groups(done):
                    if not self._can_look_at(group):
                        continue
                    step = self._step(way, group)
                    place = done | group, digits + 1
                    _keep(layers[read + group.bit_count()], place, way, step, group)
                first = 1 << self._rest(done)[0]
                if self._is_small(first):
                    place = done | first, digits
                    _keep(layers[read + 1], place, way, -IGNORED, -first)
        return {digits: way for (_, digits), way in layers[-1].items() if digits}

    def number(self, way: _Way, text: str = "") -> Number:
        """Return what a way reads. text: other digits than the likeliest."""
        groups = [group for group in way.groups if group > 0]
        digits = []
        for place, group in enumerate(groups):
            found = self._groups[group]
            likely = self._likely(group)
            first, second = sorted(range(10), key=lambda digit: -likely[digit])[:2]
            chosen = int(text[place]) if text else first
            digits.append(
                NumberDigit(
                    digit=chosen,
                    second=second if chosen == first else first,
                    probabilities=likely,
                    digitness=found.reading.digitness,
                    box=found.box,
                    pieces=() if self.pieces.are_of_picture else _members(group),
                    image=found.reading.image,
                )
            )
        ignored = [self._box(_members(-group)) for group in way.groups if group < 0]
        ignored += self.pieces.ignored
        return Number(tuple(digits), tuple(ignored), confidence=0.0)

    def _likely(self, group: int) -> tuple[float, ...]:
        """Return the probabilities of a group that a way reads."""
        if group not in self._probabilities:
            reading = self._groups[group].reading
            self._probabilities[group] = (
                reading.probabilities
                if reading.image is None
                else self._recogniser.digit_probabilities(reading.image)
            )
        return self._probabilities[group]

    # --- groups ---

    def _rest(self, done: int) -> list[int]:
        return [at for at in self._order if not done >> at & 1]

    def _next_groups(self, done: int) -> Iterator[int]:
        """Yield groups with the leftmost piece that is not read yet."""
        first, *others = self._rest(done)[: 1 + NEIGHBOURS]
        yield 1 << first
        for more in range(1, GROUP_STROKES):
            for chosen in combinations(others, more):
                members = tuple(sorted((first, *chosen)))
                if self._may_be_one(members) and not self._skips(members):
                    yield sum(1 << at for at in members)
        run = [first]
        while (run[-1], run[-1] + 1) in self.pieces.seams:
            run.append(run[-1] + 1)
            if done >> run[-1] & 1 or not self._may_be_one(tuple(run)):
                break
            if len(run) > GROUP_STROKES:
                yield sum(1 << at for at in run)

    def _skips(self, members: tuple[int, ...]) -> bool:
        """Return whether a piece is missing between two of the same part."""
        seams = self.pieces.seams
        return any(
            all((at, at + 1) in seams for at in range(before, after))
            for before, after in pairwise(members)
            if after > before + 1
        )

    def _cuts(self, members: tuple[int, ...]) -> float:
        """Return half the costs of the seams between members and other pieces."""
        widths = [
            width
            for (left, right), width in self.pieces.seams.items()
            if (left in members) != (right in members)
        ]
        return (CUT * len(widths) + CUT_WIDTH * sum(widths)) / 2

    def _joined(self, members: tuple[int, ...]) -> list[Box]:
        """Return the boxes of strokes, or of what is left of a picture's parts."""
        runs: list[list[int]] = []
        for at in members:
            if (at - 1, at) in self.pieces.seams and runs and runs[-1][-1] == at - 1:
                runs[-1].append(at)
            else:
                runs.append([at])
        return [self._box(run) for run in runs]

    def _may_be_one(self, members: tuple[int, ...]) -> bool:
        left, top, right, bottom = self._box(members)
        return (
            right - left <= WIDEST * self.height
            and bottom - top <= TALLEST * self.height
            and self._share([self._boxes[at] for at in members]) >= -FARTHEST
        )

    def _can_look_at(self, group: int) -> bool:
        return group in self._groups or len(self._groups) < MOST_GROUPS

    def _is_small(self, group: int) -> bool:
        if self._cuts(_members(group)):
            return False
        left, top, right, bottom = self._box(_members(group))
        return (
            bottom - top < SMALL * self.height
            and right - left < SMALL_WIDTH * self.height
        )

    def _box(self, members: Sequence[int]) -> Box:
        boxes = [self._boxes[at] for at in members]
        return (
            *(min(box[0] for box in boxes), min(box[1] for box in boxes)),
            *(max(box[2] for box in boxes), max(box[3] for box in boxes)),
        )

    def _share(self, boxes: Sequence[Box]) -> float:
        """Return how much of the row neighbours share at least; less than 0 in gaps."""
        spans = sorted((box[0], box[2]) for box in boxes)
        reach = spans[0][1]
        least = math.inf
        for left, right in spans[1:]:
            least = min(least, min(reach, right) - left)
            reach = max(reach, right)
        return least / self.height

    # --- scores ---

    def _step(self, way: _Way, group: int) -> float:
        """Return the log likelihood that a group follows a way."""
        found = self._looked_at(group)
        before = next((self._groups[g] for g in reversed(way.groups) if g > 0), None)
        if before is None:
            return found.score
        if self._is_cut_from(group, way):
            return found.score
        shared = min(before.box[2], found.box[2]) - found.box[0]
        excess = max(0.0, shared / self.height - OVERLAP_FREE)
        return found.score - OVERLAP * excess - OVERLAP_SQUARED * excess**2

    def _is_cut_from(self, group: int, way: _Way) -> bool:
        """Return whether a seam lies between a group and the one before it."""
        last = next(g for g in reversed(way.groups) if g > 0)
        return any(
            last >> left & 1 and group >> right & 1 for left, right in self.pieces.seams
        )

    def _looked_at(self, group: int) -> _Group:
        if group not in self._groups:
            members = _members(group)
            reading = self._recogniser.read(self.pieces.bitmap_of(members))
            box = self._box(members)
            score = self._score(members, reading, max(box[3] - box[1], 1e-3))
            self._groups[group] = _Group(score, reading, box)
        return self._groups[group]

    def _score(
        self, members: tuple[int, ...], reading: Reading, height: float
    ) -> float:
        size = abs(math.log(height / self.height))
        score = (
            PER_DIGIT
            + math.log(max(reading.digitness, LEAST_DIGITNESS))
            - HEIGHT * max(0.0, size - HEIGHT_FREE)
            - self._cuts(members)
        )
        if self.pieces.are_of_picture:
            score += OF_CONFIDENCE * math.log(reading.confidence)
        boxes = self._joined(members)
        if len(boxes) == 1:
            return score
        share = self._share(boxes)
        score -= APART * max(0.0, APART_FREE - share)
        score -= MANY * (len(boxes) - 2)
        if members[-1] - members[0] >= len(members):
            score -= LATE
        heights = [box[3] - box[1] for box in boxes]
        second = sorted(heights)[-2] / height
        each = BOTH_TALL if share < 0.4 else BOTH_TALL_WITHIN
        of_four = reading.probabilities[4]
        others = (1 - of_four) * math.exp(-each * max(0.0, second - TALL))
        four = of_four * math.exp(-each * max(0.0, second - TALL_FOUR))
        return score + math.log(others + four + 1e-12)


def _members(group: int) -> tuple[int, ...]:
    return tuple(at for at in range(group.bit_length()) if group >> at & 1)


def _keep(
    layer: dict[tuple[int, int], _Way],
    place: tuple[int, int],
    way: _Way,
    step: float,
    group: int,
) -> None:
    """Keep a way to a place if it is the best."""
    known = layer.get(place)
    if known is None or known.best < way.best + step:
        layer[place] = _Way(way.best + step, (*way.groups, group))


# --- confidence ----------------------------------------------------------------------


def _evidence(
    number: Number, best: _Way, ways: Mapping[int, _Way], search: _Search
) -> Evidence:
    """Return what speaks for the number that the best way reads.

    Returns:
        log of the probability that a digit is another, and that one is none; by how
        much other numbers of digits score less. Of strokes, the score of each digit,
        and how far digits overlap, in heights. Of a picture, whether a part is cut.
    """
    wrong = _log_of_any_failing([digit.confidence for digit in number.digits])
    no_digit = _log_of_any_failing([digit.digitness for digit in number.digits])
    others = [way.best for way in ways.values() if way is not best]
    margin = min(MOST_MARGIN, best.best - max(others, default=-math.inf))
    common = wrong, no_digit, margin
    if not search.pieces.are_of_picture:
        overlaps = [
            (before.box[2] - after.box[0]) / search.height
            for before, after in pairwise(number.digits)
        ]
        return *common, best.best / len(number.digits), max(0.0, *overlaps, 0.0)
    is_cut = any(
        not any(
            group > 0 and group >> at & 1 and group >> after & 1
            for group in best.groups
        )
        for at, after in search.pieces.seams
    )
    return *common, float(is_cut)


def _log_of_any_failing(likely: Sequence[float]) -> float:
    """Return the log of the probability that any of several things is not so."""
    all_of_them = sum(math.log(max(share, LEAST_DIGITNESS)) for share in likely)
    return math.log(max(-math.expm1(all_of_them), 1e-6))


def _confidence(given: Evidence, weights: Evidence) -> float:
    logit = float(np.dot(weights, (1.0, *given)))
    return 1 / (1 + math.exp(-min(max(logit, -30.0), 30.0)))
