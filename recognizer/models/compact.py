"""Strokes and probabilities as the few bytes that are stored of them.

Nothing is lost: what is unpacked equals what was packed, number by number, so a stored
drawing reads as the shown one did. Strokes whose numbers have at most three decimals,
as the page and nearly all programs send them, are whole numbers of the last decimal; of
each only how far it lies from where the two points before it point to is written, in
base 128. Others are kept as compressed JSON.

Sources: zigzag and base-128 varints as in Protocol Buffers' encoding.
"""

import struct
import zlib
from collections.abc import Sequence
from itertools import chain, islice

import numpy as np
import orjson
from numpy.typing import NDArray

Stroke = list[list[float]]
"""One pen-down to pen-up: points [x, y] or [x, y, t] as they were sent."""


# The first byte says how the rest is written; what was once stored stays readable.
_AS_JSON, _AS_STEPS = 0, 1
_MOST_DECIMALS = 3
_EXACT = 2**53  # from here on a float has no place for each whole number
_HAS_TIMES = 0x10


class DamagedError(ValueError):
    """The stored bytes are not what this code, or any before it, has written."""


def pack_strokes(strokes: Sequence[Stroke]) -> bytes:
    """Write strokes as bytes.

    Args:
        strokes: at least one, each with a point at least: [x, y] or [x, y, t].
    """
    points = list(chain.from_iterable(strokes))
    lengths = set(map(len, points))
    if len(lengths) == 1 and lengths <= {2, 3}:
        (columns,) = lengths
        values = np.fromiter(chain.from_iterable(points), np.float64)
        table = values.reshape(-1, columns)
        places, times = _decimals(table[:, :2]), _decimals(table[:, 2:])
        if places is not None and times is not None:
            units = (10**places, 10**places, 10**times)[:columns]
            whole = np.rint(table * units).astype(np.int64)
            head = [len(strokes), *map(len, strokes)]
            numbers = np.concatenate([head, _steps(_steps(whole)).ravel()])
            form = places | times << 2 | _HAS_TIMES * (columns == 3)
            return bytes((_AS_STEPS, form)) + _as_varints(numbers)
    return bytes((_AS_JSON,)) + zlib.compress(orjson.dumps(strokes))


def unpack_strokes(packed: bytes) -> list[Stroke]:
    """Return the strokes; whole numbers are integers, as JavaScript writes them.

    Raises:
        DamagedError: these bytes are no strokes.
    """
    try:
        if packed[0] == _AS_JSON:
            strokes: list[Stroke] = orjson.loads(zlib.decompress(packed[1:]))
            return strokes
        if packed[0] == _AS_STEPS:
            return _from_steps(packed[1], _from_varints(packed[2:]))
    except (IndexError, ValueError, zlib.error) as error:
        raise DamagedError(f"Stored strokes are damaged: {error}.") from error
    raise DamagedError(
        f"Stored strokes are of form {packed[0]}, which a newer release writes: "
        "run that one."
    )


def pack_probabilities(probabilities: Sequence[float]) -> bytes:
    """Write ten probabilities as bytes, exactly."""
    return _TEN.pack(*probabilities)


def unpack_probabilities(packed: bytes) -> list[float]:
    """Return the ten probabilities; raises DamagedError."""
    try:
        return list(_TEN.unpack(packed))
    except struct.error as error:
        raise DamagedError(f"Stored probabilities are damaged: {error}.") from error


_TEN = struct.Struct("<10d")


def _decimals(values: NDArray[np.float64]) -> int | None:
    """Return how many decimals all values have at most.

    None where they have too many, or are too large to be told apart.
    """
    if np.abs(values).max(initial=0) * 10**_MOST_DECIMALS >= _EXACT:
        return None
    for decimals in range(_MOST_DECIMALS + 1):
        unit = 10**decimals
        if (np.rint(values * unit) / unit == values).all():
            return decimals
    return None


def _steps(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how far each row is from the one before, the first from zero."""
    steps = rows.copy()
    steps[1:] -= rows[:-1]
    return steps


def _from_steps(form: int, numbers: NDArray[np.int64]) -> list[Stroke]:
    count = int(numbers[0])
    lengths, steps = numbers[1 : count + 1], numbers[count + 1 :]
    columns = 3 if form & _HAS_TIMES else 2
    table = steps.reshape(-1, columns).cumsum(axis=0).cumsum(axis=0)
    if len(lengths) != count or lengths.sum() != len(table):
        raise ValueError("points are missing")
    x, y, *times = table.T
    read = [_as_numbers(x, form & 3), _as_numbers(y, form & 3)]
    read += [_as_numbers(t, form >> 2 & 3) for t in times]
    points = map(list, zip(*read, strict=True))
    return [list(islice(points, length)) for length in lengths.tolist()]


def _as_numbers(whole: NDArray[np.int64], decimals: int) -> list[float]:
    values: list[float] = whole.tolist()
    if not decimals:
        return values
    unit = 10**decimals
    return [v / unit if v % unit else v // unit for v in values]


def _as_varints(numbers: NDArray[np.int64]) -> bytes:
    """Write each as base-128 digits, lowest first, all but the last marked."""
    unsigned = (numbers << 1 ^ numbers >> 63).astype(np.uint64)
    digits = max(1, -(-int(unsigned.max()).bit_length() // 7))
    shifted = unsigned[:, None] >> np.arange(0, 7 * digits, 7, dtype=np.uint64)
    goes_on = shifted >= 128
    written = np.ones(shifted.shape, bool)
    written[:, 1:] = goes_on[:, :-1]
    marked = (shifted & 127 | goes_on * np.uint64(128)).astype(np.uint8)
    return marked[written].tobytes()


def _from_varints(packed: bytes) -> NDArray[np.int64]:
    digits = np.frombuffer(packed, np.uint8)
    ends = np.flatnonzero(digits < 128)
    if not len(ends) or ends[-1] != len(digits) - 1:
        raise ValueError("it breaks off")
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(len(digits)) - np.repeat(starts, ends - starts + 1)
    unsigned = np.add.reduceat((digits & 127).astype(np.int64) << 7 * place, starts)
    return np.asarray(unsigned >> 1 ^ -(unsigned & 1), np.int64)
