"""Reading with a bundle's served weights, by LiteRT. TensorFlow is never imported.

For each reading a thread takes an idle interpreter, or makes one if none is idle, and
puts it back afterwards. So there are as many as readings ever ran at once. The first is
made at the first reading, after a server has forked. Each computes on one thread.
"""

from collections import deque
from dataclasses import dataclass, replace

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from mlcore.reading.bundle import Bundle
from mlcore.reading.calibrate import (
    DIGITS,
    KINDS,
    ONE_DIGIT,
    Logits,
    RefusalCode,
    kind_probabilities,
)
from mlcore.reading.ink import Candidate, Doubt, candidates
from mlcore.reading.marks import is_mark
from mlcore.reading.pictures import Picture
from mlcore.reading.preprocess import (
    SIDE_PX,
    Bitmap,
    BlankDrawingError,
    DigitImage,
    normalize,
)

WINDOW_PX = 4
"""Side of the window that `explain` covers: about two widths of a pen stroke."""
WINDOW_STEP_PX = 2
SHIFTS_PX = tuple((x, y) for x in (-0.7, 0.7) for y in (-0.7, 0.7))
"""Where `digit_probabilities` looks besides. On 1,539 digits of the calibration writers
the mean has a log loss of 0.016 instead of 0.020, and 4 instead of 6 errors.
"""
SURE = 0.95
"""Digitness times confidence above which no other ink is tried in a picture."""
SURE_AMONG_SEVERAL = 0.7
"""Least digitness in a picture in which trusted ink looks like several shapes.

The light between two dark digits may look like a 1.
"""
MANY_SHAPES = 4
"""So many parts of a size are no digit but several, such as a row of digits.

The network has learnt rows of two and three only.
"""
PICTURE_DIGITNESS_BELOW = 0.5
"""A picture is refused if its digitness is lower.

Stricter than for strokes: a picture may show anything. Of digits of the calibration
writers in scenes, 2 % are lower.
"""
PICTURE_CONFIDENCE_BELOW = 0.8
"""A picture is refused as unsure if its confidence is lower.

Chosen on validation digits and calibration drawings in 2,300 scenes, where it refuses
0.1 % more and leaves 0.35 instead of 0.43 % wrong, and on real pictures of single
digits, of which 94 became 0 instead of 1 wrong. Strokes and pixels have the bundle's
threshold.
"""
TURNED_MARGIN = 0.1
"""A picture is refused as unsure if its ink turned upside down reads as another digit
that scores so much higher, by digitness times confidence.

Of 2,270 upright validation digits and calibration drawings it refuses one more. Of the
same upside down it leaves 20 instead of 24 % wrong; without 6 and 9, 4 instead of 7 %.
"""


Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in the units of the drawing."""


@dataclass(frozen=True)
class NumberDigit:
    """One digit of a number, or an empty box in a row of boxes.

    digit, second: None in an empty box. pieces: which strokes it has, by index; none in
    a picture. image: what the model saw; None in an empty box.
    """

    digit: int | None
    second: int | None
    probabilities: tuple[float, ...]
    digitness: float
    box: Box
    pieces: tuple[int, ...]
    image: DigitImage | None

    @property
    def confidence(self) -> float:
        """The probability of the digit; 1 for an empty box."""
        return 1.0 if self.digit is None else self.probabilities[self.digit]


@dataclass(frozen=True)
class Number:
    """Digits side by side. confidence: the whole number's.

    ignored: boxes of ink that is no digit, such as a minus or a point.
    """

    digits: tuple[NumberDigit, ...]
    ignored: tuple[Box, ...]
    confidence: float

    @property
    def text(self) -> str:
        """The digits, from left to right; `_` for an empty box."""
        return "".join(
            "_" if digit.digit is None else str(digit.digit) for digit in self.digits
        )


@dataclass(frozen=True)
class Reading:
    """What one model reads in one drawing.

    digit: 0 to 9; None if there is a refusal or a number.
    probabilities: ten that sum to 1; all 0.1 where there is no ink.
    second: the runner-up; None where there is no ink.
    digitness: in [0, 1], the probability that the ink is one digit.
    doubt: what a person could do better in a picture; see `ink.Candidate`.
    image: what the model saw; None where there is no ink.
    number: the answer if there is neither a digit nor a refusal. Beside the refusal
        "several" it is the best guess, beside a digit the same as a number.
    """

    digit: int | None
    probabilities: tuple[float, ...]
    second: int | None
    digitness: float
    refusal: RefusalCode | None
    image: DigitImage | None
    doubt: Doubt = ""
    number: Number | None = None

    @property
    def number_text(self) -> str:
        """The number that was read or guessed; empty if there is none."""
        return "" if self.number is None else self.number.text

    @property
    def confidence(self) -> float:
        """The largest probability, or a number's own confidence."""
        if self.number is not None and self.refusal is None:
            return self.number.confidence
        return max(self.probabilities)


BLANK = Reading(
    digit=None,
    probabilities=(1 / DIGITS,) * DIGITS,
    second=None,
    digitness=0.0,
    refusal="blank",
    image=None,
)


_Runner = tuple[Interpreter, int, int]
"""An interpreter, for one thread at a time; indices of its input and output tensor."""


class ServedNetwork:
    """The network as served, with LiteRT weights; safe to share between threads."""

    def __init__(self, weights: bytes) -> None:
        self._weights = weights
        self._idle: deque[_Runner] = deque()

    def logits(self, image: DigitImage) -> Logits:
        """Run the network on one (28, 28, 1) digit image: (13,) float32."""
        try:
            runner = self._idle.pop()
        except IndexError:  # all are busy, or none exists yet
            runner = self._new_runner()
        interpreter, given, answer = runner
        interpreter.set_tensor(given, image[np.newaxis])
        interpreter.invoke()
        logits: Logits = interpreter.get_tensor(answer)[0]
        self._idle.append(runner)
        return logits

    def logits_of(self, images: NDArray[np.uint8]) -> Logits:
        """Run the network on (N, 28, 28) uint8 framed images: (N, 13) float32."""
        scaled = images[..., np.newaxis].astype(np.float32) / 255
        return np.stack([self.logits(image) for image in scaled])

    def _new_runner(self) -> _Runner:
        interpreter = Interpreter(model_content=self._weights, num_threads=1)
        interpreter.allocate_tensors()
        (given,) = interpreter.get_input_details()
        (answer,) = interpreter.get_output_details()
        if answer["shape"].tolist() != [1, DIGITS + KINDS]:
            raise ValueError(
                f"These weights answer with {answer['shape'].tolist()} numbers, "
                f"this code expects {[1, DIGITS + KINDS]}: retrain the bundle."
            )
        return interpreter, given["index"], answer["index"]


class Recogniser:
    """Reads drawings with one model; safe to share between threads."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.network = ServedNetwork(bundle.served_weights())
        self._calibration = bundle.calibration

    def read(self, bitmap: Bitmap) -> Reading:
        """Read one drawing.

        Args:
            bitmap: (H, W) uint8, ink 255 on paper 0. Without ink the reading is a
                refusal, "blank", and no error is raised.
        """
        try:
            image = normalize(bitmap)
        except BlankDrawingError:
            return BLANK
        logits = self.network.logits(image)
        probabilities = self._calibration.digit_probabilities(logits)
        kinds = kind_probabilities(logits)
        second, first = (int(digit) for digit in np.argsort(probabilities)[-2:])
        digitness = float(kinds[ONE_DIGIT])
        refusal = self._calibration.refusal(probabilities, kinds)
        if refusal is None and is_mark(image):
            refusal, digitness = "not_a_digit", 0.0
        return Reading(
            digit=first if refusal is None else None,
            probabilities=tuple(probabilities.tolist()),
            second=second,
            digitness=digitness,
            refusal=refusal,
            image=image,
        )

    def digit_probabilities(self, image: DigitImage) -> tuple[float, ...]:
        """Return ten probabilities from an image and from four slightly shifted ones.

        They are surer than those of a reading, at five times the cost. The logits are
        averaged.

        Args:
            image: (28, 28, 1) digit image, as in a reading.

        Source: test-time augmentation, Krizhevsky et al. 2012, section 4.1.
        """
        shifted = (
            cv2.warpAffine(
                image[..., 0], np.array([[1.0, 0, x], [0, 1, y]]), (SIDE_PX, SIDE_PX)
            )
            for x, y in SHIFTS_PX
        )
        views = [image, *(np.asarray(view, np.float32)[..., None] for view in shifted)]
        logits = np.mean([self.network.logits(view) for view in views], axis=0)
        return tuple(self._calibration.digit_probabilities(logits).tolist())

    def read_picture(
        self, picture: Picture, *, stops_at_several: bool = False
    ) -> Reading:
        """Read one picture: of what may be its ink, take what is likeliest a digit.

        The reading's digitness is the network's, times the trust in the ink.

        Args:
            picture: (H, W, 3) RGB or (H, W) grey levels.
            stops_at_several: look no further once trusted ink looks like several.
        """
        best, best_score = BLANK, -1.0
        best_ink: Candidate | None = None
        several: Reading | None = None
        shapes = 0
        for candidate in candidates(picture):
            reading = self.read(candidate.bitmap)
            if candidate.trust == 1:
                shapes = max(shapes, candidate.shapes)
                if reading.refusal == "several":
                    several = several or reading
            digitness = reading.digitness * candidate.trust
            score = digitness * reading.confidence
            if score > best_score:
                best_score, best_ink = score, candidate
                best = replace(reading, digitness=digitness, doubt=candidate.doubt)
            if score >= SURE:
                break
            if (
                stops_at_several
                and candidate.trust == 1
                and _is_several(reading, shapes)
            ):
                return replace(reading, digit=None, refusal="several")
        if several and best.digitness < SURE_AMONG_SEVERAL:
            return several
        if best.refusal is None and best.digitness < PICTURE_DIGITNESS_BELOW:
            best = replace(best, digit=None, refusal="not_a_digit")
        if best.refusal is None and best.confidence < PICTURE_CONFIDENCE_BELOW:
            best = replace(best, digit=None, refusal="unsure")
        if best.refusal is None and best_ink is not None:
            bitmap = cv2.rotate(best_ink.bitmap, cv2.ROTATE_180)
            turned = self.read(np.asarray(bitmap, np.uint8))
            score = turned.digitness * turned.confidence * best_ink.trust
            if turned.digit != best.digit and score > best_score + TURNED_MARGIN:
                best = replace(best, digit=None, refusal="unsure")
        if _is_several(best, shapes):
            best = replace(best, refusal="several")
        return best

    def explain(self, image: DigitImage) -> NDArray[np.float32]:
        """Measure which ink counts for or against the likeliest digit, by covering it.

        A window slides over the image. If covering its ink reduces the lead of the
        digit's logit over the strongest rival's, that ink counts for the digit. If the
        lead grows, the ink counts against it.

        Args:
            image: (28, 28, 1) digit image, as in a reading.

        Returns:
            (28, 28) float32 in [-1, 1]; 0 without ink, the strongest pixel 1 or -1.

        Source: occlusion sensitivity, Zeiler and Fergus 2014, section 4.2.
        """
        digit = int(self.network.logits(image)[:DIGITS].argmax())

        def lead(seen: DigitImage) -> float:
            digits = self.network.logits(seen)[:DIGITS]
            return float(digits[digit] - np.delete(digits, digit).max())

        whole = lead(image)
        lost = np.zeros(image.shape[:2], np.float32)
        covered = np.zeros(image.shape[:2], np.float32)
        for top in range(0, SIDE_PX - WINDOW_PX + 1, WINDOW_STEP_PX):
            for left in range(0, SIDE_PX - WINDOW_PX + 1, WINDOW_STEP_PX):
                window = np.s_[top : top + WINDOW_PX, left : left + WINDOW_PX]
                if not image[window].any():
                    continue
                without = image.copy()
                without[window] = 0
                lost[window] += whole - lead(without)
                covered[window] += 1
        weight = lost / np.maximum(covered, 1) * image[..., 0]
        return np.asarray(weight / max(float(np.abs(weight).max()), 1e-6), np.float32)


def _is_several(reading: Reading, shapes: int) -> bool:
    return reading.refusal == "several" or (
        reading.refusal == "not_a_digit" and shapes >= MANY_SHAPES
    )
