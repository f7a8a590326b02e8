"""What a worker is asked to read again, and its answer; both are sent over the network.

This module needs no models: a worker of a cluster imports it before Django is set up.
"""

import uuid
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class RangeTask:
    """A range of drawings to read with a version; it holds no secret.

    digest: the version's. range_id: the range's row. batch: drawings per
    transaction. up_to: read no drawing after this one. takes_over: read the range even
    if another worker has lately begun with it. code: the command's code version.
    """

    digest: str
    range_id: int
    batch: int
    up_to: uuid.UUID | None
    takes_over: bool
    code: str


@dataclass
class Rescored:
    """The counts of a rescoring.

    otherwise: drawings read as another digit than the shown one. reviewed: drawings
    labelled with a digit. was_right: those that the shown reading got right; is_right:
    those that this version gets right. passed: drawings of finished ranges, of
    `planned` in all; some need no reading.
    """

    read: int = 0
    otherwise: int = 0
    reviewed: int = 0
    was_right: int = 0
    is_right: int = 0
    passed: int = 0
    planned: int = 0

    def add(self, other: "Rescored") -> None:
        """Add the counts of another."""
        for field in fields(self):
            both = getattr(self, field.name) + getattr(other, field.name)
            setattr(self, field.name, both)
