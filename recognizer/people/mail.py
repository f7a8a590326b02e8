"""Send mail in the background, so that response times do not show who gets one."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor

from django.core.cache import cache
from django.core.mail import EmailMessage
from django.utils.crypto import salted_hmac
from redis.exceptions import RedisError

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


def send_later(message: EmailMessage) -> "Future[None]":
    """Send in another thread; a failure is logged."""
    return _post.submit(_send, message)


def _send(message: EmailMessage) -> None:
    try:
        message.send()
    except Exception:
        logger.exception("A mail could not be sent. Check EMAIL_URL.")
