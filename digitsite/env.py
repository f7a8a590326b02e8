"""The only reader of the environment for the site; called from `settings` only.

Each helper refuses a bad value by the variable's name, so that a typing error stops
the start with one clear sentence instead of surfacing as odd behaviour later.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_SECONDS = {"s": 1, "sec": 1, "min": 60, "h": 3600, "hour": 3600, "day": 86_400}
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}


def text(name: str, default: str = "", *, env: Mapping[str, str] = os.environ) -> str:
    """Return the variable, stripped; the default where it is unset or empty."""
    return env.get(name, "").strip() or default


def flag(name: str, *, env: Mapping[str, str] = os.environ) -> bool:
    """Return a yes or no; unset means no."""
    value = text(name, env=env).lower()
    if value not in _TRUE | _FALSE:
        raise ImproperlyConfigured(f"{name}={value!r}: say 1 or 0.")
    return value in _TRUE


def integer(
    name: str,
    default: int,
    *,
    low: int,
    high: int,
    env: Mapping[str, str] = os.environ,
) -> int:
    """Return a whole number within bounds."""
    value = text(name, str(default), env=env)
    if not (value.isascii() and value.isdecimal()) or not low <= int(value) <= high:
        raise ImproperlyConfigured(
            f"{name}={value!r}: say a whole number from {low} to {high}."
        )
    return int(value)


def words(name: str, *, env: Mapping[str, str] = os.environ) -> list[str]:
    """Return a comma-separated list without blanks."""
    return [word.strip() for word in text(name, env=env).split(",") if word.strip()]


def folder(name: str, *, env: Mapping[str, str] = os.environ) -> Path | None:
    """Return a folder as an absolute path; None where it is unset."""
    value = text(name, env=env)
    return Path(value).resolve() if value else None


@dataclass(frozen=True)
class Rate:
    """So many calls in so many seconds."""

    calls: int
    seconds: int


def rate(
    name: str, default: str, *, env: Mapping[str, str] = os.environ
) -> Rate | None:
    """Return a rate such as 600/min; None where it is off."""
    value = text(name, default, env=env).lower()
    if value == "off":
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,8})/([a-z]+)", value, re.ASCII)
    if not found or found[2] not in _SECONDS:
        raise ImproperlyConfigured(
            f"{name}={value!r}: say off, or a rate such as 600/min; "
            f"units are {', '.join(_SECONDS)}."
        )
    return Rate(int(found[1]), _SECONDS[found[2]])


def redis_url(name: str, *, env: Mapping[str, str] = os.environ) -> str:
    """Return an address of Redis; empty where it is unset."""
    value = text(name, env=env)
    if value and not value.startswith(("redis://", "rediss://", "unix://")):
        raise ImproperlyConfigured(
            f"{name}={value!r}: say an address such as redis://127.0.0.1:6379/0."
        )
    return value
