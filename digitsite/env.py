"""The only reader of the environment for the site; called from `settings` only.

Each helper refuses a bad value by the variable's name, so that a typing error stops
the start with one clear sentence instead of surfacing as odd behaviour later.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

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
        raise ImproperlyConfigured(f"{name}={value!r}: must be 1 or 0.")
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
            f"{name}={value!r}: must be a whole number from {low} to {high}."
        )
    return int(value)


def one_of(
    name: str,
    default: str,
    *,
    choices: Sequence[str],
    env: Mapping[str, str] = os.environ,
) -> str:
    """Return one of some words."""
    value = text(name, default, env=env).lower()
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r}: must be {' or '.join(choices)}.")
    return value


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
            f"{name}={value!r}: must be off or a rate such as 600/min; "
            f"units are {', '.join(_SECONDS)}."
        )
    return Rate(int(found[1]), _SECONDS[found[2]])


def redis_url(name: str, *, env: Mapping[str, str] = os.environ) -> str:
    """Return an address of Redis; empty where it is unset.

    Never shows the value: a password may stand in it.
    """
    value = text(name, env=env)
    if value and not value.startswith(("redis://", "rediss://", "unix://")):
        raise ImproperlyConfigured(
            f"{name} is not a Redis URL. Use one such as redis://127.0.0.1:6379/0."
        )
    return value


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in, and as whom.

    encryption: "" for none, "tls" from the start, "starttls" once greeted. sender: the
    From of all mail, empty where it was not said.
    """

    host: str
    port: int
    user: str
    password: str
    encryption: str
    sender: str


_MAIL_SCHEMES = {
    "smtp": (25, ""),
    "smtps": (465, "tls"),
    "smtp+tls": (587, "starttls"),
}


def mail_server(name: str, *, env: Mapping[str, str] = os.environ) -> MailServer | None:
    """Return a mail server; None where mail goes to the console.

    Never shows the value: a password may stand in it.
    """
    value = text(name, "console", env=env)
    if value == "console":
        return None
    try:
        address = urlsplit(value)
        port = address.port
        query = parse_qs(address.query, strict_parsing=bool(address.query))
    except ValueError:  # its words may quote a piece of the password
        raise _bad_mail(name, "its port or query cannot be parsed") from None
    if address.scheme not in _MAIL_SCHEMES:
        raise _bad_mail(name, f"it begins with {address.scheme!r}")
    if not address.hostname:
        raise _bad_mail(name, "it has no host")
    if address.path.strip("/") or address.fragment or query.keys() - {"from"}:
        raise _bad_mail(name, "only ?from= may follow the host and its port")
    if bool(address.username) != bool(address.password):
        raise _bad_mail(name, "user and password must be given together")
    usual_port, encryption = _MAIL_SCHEMES[address.scheme]
    return MailServer(
        host=address.hostname,
        port=port or usual_port,
        user=unquote(address.username or ""),
        password=unquote(address.password or ""),
        encryption=encryption,
        sender=query.get("from", [""])[0],
    )


def _bad_mail(name: str, reason: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"{name} is not a mail server: {reason}. Use console, or an address such as "
        "smtp+tls://user:password@mail.example.org:587?from=digits@example.org: "
        "smtp without encryption, smtps with TLS from the start, smtp+tls with "
        "STARTTLS. Write @, : and / in user or password as %40, %3A and %2F."
    )
