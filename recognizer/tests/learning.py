"""What the tests of the learning loop need made: people, drawings, decisions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlcore.specimens import Specimen, jittered, specimens
from recognizer.drawings.submitting import submit_drawing
from recognizer.learning.labels import label_submission
from recognizer.models import Submission, User, Visitor
from recognizer.reader.drawing import StrokeDrawing

Strokes = Sequence[NDArray[np.float32]]


def as_drawing(strokes: Strokes, *, pointer: str = "pen") -> StrokeDrawing:
    """Make a drawing on the page's canvas."""
    points = [[[float(x), float(y)] for x, y in stroke] for stroke in strokes]
    return StrokeDrawing(points, 280, 280, 18, pointer)


def hands(people: int, *, seed: int = 0, each: int = 1) -> list[list[Specimen]]:
    """Write every specimen in the hands of so many people, `each` times."""
    rng = np.random.default_rng(seed)
    return [
        [jittered(one, rng) for one in specimens() for _ in range(each)]
        for _ in range(people)
    ]


def make_person(*, may_train: bool = True, user: User | None = None) -> Visitor:
    """Make somebody who draws."""
    return Visitor.objects.create(may_train=may_train, user=user)


def submit(
    person: Visitor,
    strokes: Strokes,
    *,
    reviewer: User | None = None,
    digit: int | None = None,
    rejected: str = "",
    pointer: str = "pen",
) -> Submission:
    """Store a drawing, and what a reviewer decides of it where there is one."""
    submission = submit_drawing(
        drawing=as_drawing(strokes, pointer=pointer), visitor=person, source="page"
    )
    if reviewer is not None:
        label_submission(
            submission=submission, reviewer=reviewer, digit=digit, rejected=rejected
        )
    return submission


def fill(*, people: int = 3, each: int = 1) -> User:
    """Let people draw every specimen, and a reviewer decide them; return that one."""
    reviewer, _ = User.objects.get_or_create(username="filler")
    for drawn in hands(people, each=each):
        person = make_person()
        for one in drawn:
            submit(person, one.strokes, reviewer=reviewer, digit=one.digit)
    return reviewer
