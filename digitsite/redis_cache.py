"""Django's Redis cache without pickle: what Redis holds is data, never code."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import InvalidResponse

# What the Redis library raises on answers that are not Redis's, besides its own errors.
_PUZZLED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError)


class JSONSerializer:
    """Writes values as JSON. Django's default writes and reads pickles."""

    def dumps(self, value: Any) -> int | bytes:
        """Return what Redis stores; it can add to a plain number."""
        return value if type(value) is int else orjson.dumps(value)

    def loads(self, stored: bytes) -> Any:
        """Return a value; raises InvalidResponse if it is not JSON."""
        try:
            return orjson.loads(stored)
        except orjson.JSONDecodeError as error:
            raise InvalidResponse("Redis holds a value that is not JSON.") from error


class JSONRedisCache(RedisCache):
    """A cache of JSON values, whose every failure is a RedisError."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        options = {**params.get("OPTIONS", {}), "serializer": JSONSerializer}
        super().__init__(server, {**params, "OPTIONS": options})

    def add(self, *args: Any, **kwargs: Any) -> bool:
        """Store a value unless there is one."""
        with _redis_errors_only():
            return super().add(*args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Return a value."""
        with _redis_errors_only():
            return super().get(*args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> None:
        """Store a value."""
        with _redis_errors_only():
            super().set(*args, **kwargs)

    def touch(self, *args: Any, **kwargs: Any) -> bool:
        """Give a value more time."""
        with _redis_errors_only():
            return super().touch(*args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> int:
        """Add to a number; raises ValueError if there is none, as Django says."""
        with _redis_errors_only(but=ValueError):
            number = super().incr(*args, **kwargs)
        if not isinstance(number, int):
            raise InvalidResponse("Redis answered something else than a number.")
        return number


@contextmanager
def _redis_errors_only(but: type[Exception] | None = None) -> Iterator[None]:
    try:
        yield
    except (*_PUZZLED, ValueError) as error:
        if but is not None and isinstance(error, but):
            raise
        raise InvalidResponse("Redis answered nonsense.") from error
