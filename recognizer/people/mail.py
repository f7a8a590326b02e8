"""Send mail in the background, so that response times do not show who gets one."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor

from django.conf import settings
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.utils.crypto import salted_hmac
from django.utils.functional import Promise
from django.utils.translation import gettext
from redis.exceptions import RedisError

from recognizer.models import User

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN = 60
_post = ThreadPoolExecutor(max_workers=2, thread_name_prefix="mail")


def may_send_to(address: str) -> bool:
    """Return True at most once a minute per address; always if Redis fails."""
    name = salted_hmac("recognizer.people.mail", address.lower()).hexdigest()
    try:
        return bool(cache.add(f"mail:{name}", 1, timeout=_SECONDS_BETWEEN))
    except RedisError:
        logger.exception("Mails are not rate limited: the cache does not respond.")
        return True


def tell_of(change: str | Promise, *, user: User) -> None:
    """Tell a user with an address of a change to their account."""
    if not user.email or not settings.SENDS_MAIL:
        return
    advice = gettext(
        "If it was not you, set a new password at once with the link for forgotten "
        "passwords. That signs out all browsers and revokes all tokens."
    )
    send_later(EmailMessage(str(change), f"{change}\n\n{advice}\n", to=[user.email]))


def send_later(message: EmailMessage) -> "Future[None]":
    """Send in another thread; a failure is logged."""
    return _post.submit(_send, message)


def _send(message: EmailMessage) -> None:
    try:
        message.send()
    except Exception:
        logger.exception("A mail could not be sent. Check EMAIL_URL.")
