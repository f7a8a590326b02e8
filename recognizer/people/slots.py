"""What runs at once in a process, and streamed answers that are part of it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from django.conf import settings


class SlowReaderError(Exception):
    """The reader takes the answer too slowly."""


class Slots:
    """Limit how much runs at once in this process: in all, and for each caller."""

    def __init__(self, *, total: int, each: int) -> None:
        self._changed = threading.Condition()
        self._held: Counter[str] = Counter()
        self._free = total
        self._each = each

    def take(self, caller: str, *, wait_s: float = 0.0) -> bool:
        """Take a slot, if one is or becomes free for this caller."""

        def is_free() -> bool:
            return self._free > 0 and self._held[caller] < self._each

        with self._changed:
            if not self._changed.wait_for(is_free, timeout=wait_s):
                return False
            self._free -= 1
            self._held[caller] += 1
            return True

    def give_back(self, caller: str) -> None:
        """Give a slot back."""
        with self._changed:
            self._changed.notify_all()
            self._free += 1
            self._held[caller] -= 1
            if not self._held[caller]:
                del self._held[caller]


class HeldStream:
    """Content in pieces that holds a slot until it ends, and ends for slow readers."""

    def __init__(
        self, pieces: Iterable[bytes], *, give_back: Callable[[], None]
    ) -> None:
        self._pieces = pieces
        self._iterator = iter(pieces)
        self._give_back: Callable[[], None] | None = give_back
        self._sent_at = 0.0
        self._waited_s = 0.0
        self._sent_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._sent_at:
            self._waited_s += time.monotonic() - self._sent_at
        least = settings.SLOWEST_READER_BYTES_PER_S * self._waited_s
        if self._waited_s > settings.SLOW_READER_S and self._sent_bytes < least:
            raise SlowReaderError
        piece = next(self._iterator)
        self._sent_bytes += len(piece)
        self._sent_at = time.monotonic()
        return piece

    def close(self) -> None:
        """Give the slot back, once."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()
            if hasattr(self._pieces, "close"):
                self._pieces.close()

    __del__ = close  # of an answer that nobody began to read
