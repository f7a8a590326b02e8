"""What the things we stand on may raise when they are away."""

import sys


def of_the_cache() -> tuple[type[Exception], ...]:
    """Return what a cache raises that does not answer; to be asked in an `except`.

    The one that may is Redis. Where nothing has loaded its client nothing can raise its
    errors, and to load it for their names alone takes 50 ms of every start.
    """
    redis = sys.modules.get("redis.exceptions")
    return () if redis is None else (redis.RedisError,)
