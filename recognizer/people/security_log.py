"""The security log: sign-ins, tokens, rights, deletions, promotions, settings.

It is a logger, apart from the audit log in the database: an account's deletion leaves
it alone, and it ends with the other logs. It names users by their numbers, and
addresses by a keyed hash.
"""

import logging

from django.http import HttpRequest
from rest_framework.request import Request

from recognizer.people.limits import client_address, hashed_address

logger = logging.getLogger("digitsite.security")

_HASH_LENGTH = 16


def note(
    event: str,
    *,
    request: HttpRequest | Request | None = None,
    user: int | None = None,
    **details: object,
) -> None:
    """Write an event to the log.

    Args:
        event: what happened, in the past tense.
        request: the call that did it; its address is hashed.
        user: the number of the account that it concerns.
    """
    facts: dict[str, object] = {"event": event}
    if user is not None:
        facts["user"] = user
    if request is not None:
        facts["address"] = hashed_address(client_address(request))[:_HASH_LENGTH]
    facts |= details
    text = " ".join(f"{name}={fact}" for name, fact in facts.items())
    logger.info("%s", text, extra={"facts": facts})
