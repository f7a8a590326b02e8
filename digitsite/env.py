"""Read the environment. Only `settings` uses this module.

Each helper refuses a bad value with an error that names the variable. So a mistyped
value stops the start with a clear message.
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


def text(name: str, default: str = "") -> str:
    """Return the variable, stripped; the default if it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def for_a_child(more: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with more variables, for a child process."""
    return {**os.environ, **more}


def flag(name: str) -> bool:
    """Return whether the variable is on; unset means off."""
    value = text(name).lower()
    if value not in _TRUE | _FALSE:
        raise ImproperlyConfigured(f"{name}={value!r}: must be 1 or 0.")
    return value in _TRUE


def stated_flag(name: str) -> bool:
    """Return whether a variable is on; unset means off, but empty is refused.

    systemd lets an empty line of an EnvironmentFile win over a unit's own setting.
    """
    if name in os.environ and not text(name):
        raise ImproperlyConfigured(
            f"{name} is set but empty: write 1 or 0, or remove the line."
        )
    return flag(name)


def integer(name: str, default: int, *, low: int, high: int) -> int:
    """Return a whole number within bounds."""
    value = text(name, str(default))
    if not (value.isascii() and value.isdecimal()) or not low <= int(value) <= high:
        raise ImproperlyConfigured(
            f"{name}={value!r}: must be a whole number from {low} to {high}."
        )
    return int(value)


def one_of(name: str, default: str, *, choices: Sequence[str]) -> str:
    """Return a value that must be one of the choices."""
    value = text(name, default).lower()
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r}: must be {' or '.join(choices)}.")
    return value


def words(name: str) -> list[str]:
    """Return the items of a comma-separated list, without empty ones."""
    return [word.strip() for word in text(name).split(",") if word.strip()]


def folder(name: str) -> Path | None:
    """Return a folder as an absolute path; None if it is unset."""
    value = text(name)
    return Path(value).resolve() if value else None


@dataclass(frozen=True)
class Rate:
    """A number of calls in a number of seconds."""

    calls: int
    seconds: int


def rate(name: str, default: str) -> Rate | None:
    """Return a rate such as 600/min; None if it is off."""
    value = text(name, default).lower()
    if value == "off":
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,8})/([a-z]+)", value, re.ASCII)
    if not found or found[2] not in _SECONDS:
        raise ImproperlyConfigured(
            f"{name}={value!r}: must be off or a rate such as 600/min; "
            f"units are {', '.join(_SECONDS)}."
        )
    return Rate(int(found[1]), _SECONDS[found[2]])


def redis_url(name: str) -> str:
    """Return the URL of Redis; empty if it is unset.

    The error does not show the value, which may hold a password.
    """
    value = text(name)
    if value and not value.startswith(("redis://", "rediss://", "unix://")):
        raise ImproperlyConfigured(
            f"{name} is not a Redis URL. Use one such as redis://127.0.0.1:6379/0."
        )
    return value


@dataclass(frozen=True)
class MailServer:
    """The SMTP server for outgoing mail.

    encryption: "", "tls" or "starttls". sender: the From address of all mail, or "".
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


def mail_server(name: str) -> MailServer | None:
    """Return the mail server; None if mail goes to the console.

    The error does not show the value, which may hold a password.
    """
    value = text(name, "console")
    if value == "console":
        return None
    try:
        address = urlsplit(value)
        port = address.port
        query = parse_qs(address.query, strict_parsing=bool(address.query))
    except ValueError:  # its message may quote a part of the password
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
