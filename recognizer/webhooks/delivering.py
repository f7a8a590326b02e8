"""Send what the outbox holds. `manage.py work` runs this in a thread.

All webhooks are served at once by one event loop, so a slow receiver delays nobody
else. The database is only asked while the loop stands still, which it does for
milliseconds.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from uuid import UUID, uuid4

import aiohttp
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone
from standardwebhooks import Webhook as Signer

from recognizer.models import Delivery, Webhook
from recognizer.webhooks import outbox
from recognizer.webhooks.addresses import PrivateAddressError, public_socket
from recognizer.webhooks.outbox import Attempt, Round

LOOK_EVERY_S = 1.0
_AGENT = "Digitsite-Webhooks/1"

log = logging.getLogger(__name__)
Trouble = Delivery.Trouble


def deliver(stop: threading.Event | None = None, *, until_idle: bool = False) -> None:
    """Deliver messages until told to stop, or until nothing is due.

    Args:
        stop: set it to return as soon as the rounds that run are stored.
        until_idle: return once nothing is due.
    """
    stop = stop or threading.Event()
    worker = str(uuid4())
    rounds: dict[UUID, asyncio.Task[list[Attempt]]] = {}
    with asyncio.Runner() as runner:
        session = runner.run(_session())
        loop = runner.get_loop()

        def go_on(webhook_id: UUID, sent: Sequence[Attempt] = ()) -> None:
            found = outbox.next_round(
                webhook_id, worker=worker, sent=sent, is_last=stop.is_set()
            )
            rounds.pop(webhook_id, None)
            if found is not None:
                rounds[webhook_id] = loop.create_task(_send_all(session, found))

        try:
            while rounds or not stop.is_set():
                try:
                    if not stop.is_set():
                        for webhook_id in outbox.ready(worker=worker):
                            if webhook_id not in rounds:
                                go_on(webhook_id)
                    if until_idle and not rounds:
                        return
                    for webhook_id in runner.run(_ended(rounds)):
                        go_on(webhook_id, rounds[webhook_id].result())
                except DatabaseError as error:
                    # Rounds that have ended stay in `rounds`, and are stored later.
                    log.warning("Webhooks wait for the database: %s", error)
                    runner.run(asyncio.sleep(LOOK_EVERY_S))
                finally:
                    if not connection.in_atomic_block:  # the caller's transaction
                        close_old_connections()
        finally:
            runner.run(session.close())


async def _ended(rounds: dict[UUID, asyncio.Task[list[Attempt]]]) -> list[UUID]:
    """Return the webhooks whose rounds end within a second, the first to end."""
    if not rounds:
        await asyncio.sleep(LOOK_EVERY_S)
        return []
    await asyncio.wait(
        rounds.values(), timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED
    )
    return [webhook_id for webhook_id, task in rounds.items() if task.done()]


async def _session() -> aiohttp.ClientSession:
    """Make the client: it connects to public addresses only, and keeps nothing."""
    return aiohttp.ClientSession(
        # Names are cached for 10 s: else each message of a round asks, and one name
        # whose server does not answer uses up the threads that ask.
        connector=aiohttp.TCPConnector(socket_factory=public_socket, limit=0),
        timeout=aiohttp.ClientTimeout(total=settings.WEBHOOK_TIMEOUT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"User-Agent": _AGENT},
    )


async def _send_all(session: aiohttp.ClientSession, found: Round) -> list[Attempt]:
    tries = (_send(session, found.webhook, one) for one in found.deliveries)
    return list(await asyncio.gather(*tries))


async def _send(
    session: aiohttp.ClientSession, webhook: Webhook, delivery: Delivery
) -> Attempt:
    """Send one message. Of the answer, only its status is read."""
    began = time.monotonic()
    delivery.attempts += 1  # here, because storing may be repeated
    status, trouble = None, ""
    try:
        async with session.post(
            webhook.url,
            data=delivery.payload.encode(),
            headers=signed_headers(webhook, delivery),
            allow_redirects=False,
        ) as answer:
            status = answer.status
            trouble = "" if status < 300 else Trouble.STATUS
    except TimeoutError:
        trouble = Trouble.NO_ANSWER
    except (aiohttp.ClientError, OSError, ValueError) as error:
        trouble = _named(error)
        log.info("Webhook %s: %s", webhook.pk, error)
    duration_ms = round(1000 * (time.monotonic() - began))
    return Attempt(delivery, status, trouble, duration_ms)


def signed_headers(webhook: Webhook, delivery: Delivery) -> dict[str, str]:
    """Return Standard Webhooks' headers of an attempt made now."""
    now = timezone.now()
    name = f"msg_{delivery.message_id.hex}"
    signatures = (
        Signer(secret).sign(name, now, delivery.payload)
        for secret in webhook.secrets_at(now)
    )
    return {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _named(error: Exception) -> Trouble:
    causes = [error, *getattr(error, "exceptions", ()), error.__cause__]
    if any(isinstance(one, PrivateAddressError) for one in causes):
        return Trouble.PRIVATE
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Trouble.NO_NAME
    if isinstance(error, aiohttp.ClientSSLError):
        return Trouble.CERTIFICATE
    if isinstance(error, (aiohttp.ClientResponseError, ValueError)):
        return Trouble.NO_HTTP
    return Trouble.NO_CONNECTION
