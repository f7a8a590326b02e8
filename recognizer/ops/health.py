"""Is this process alive, and may requests be sent to it?

/livez asks nothing of anybody: a process that answers lives. /readyz tries what a
drawing needs. Without the database, its migrations, a place to write or a model,
nothing can be stored: 503, and a balancer sends requests elsewhere. Without the cache,
a worker, or the model that was promoted last, the site goes on, less exactly, more
slowly, or by the former model: 200, and "degraded".
"""

import logging
import shutil
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from redis.exceptions import RedisError

from recognizer.learning.queue import queue_state
from recognizer.ops.migrated import applied_migrations, migrations_of_this_code
from recognizer.reader.active import active_model, active_reader
from recognizer.reader.recognisers import ReaderUnavailableError, recogniser_for

logger = logging.getLogger(__name__)

LEAST_FREE_BYTES = 64 * 1024 * 1024  # of the data folder
LONGEST_WAIT_S = 15 * 60  # of a task, before somebody should look for the worker
RETRY_AFTER_S = 5


class _NotReadyError(RuntimeError):
    """What is amiss, in words that anybody may read."""


_FAULTS: tuple[type[Exception], ...] = (
    DatabaseError,
    ReaderUnavailableError,
    OSError,
    RedisError,
)


def livez(request: HttpRequest) -> HttpResponse:
    """Answer that this process lives."""
    return HttpResponse("alive\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """Answer how all stands that a drawing needs."""
    told = {name: _told(check) for name, check in CHECKS.items()}
    if all(one["is_well"] for one in told.values()):
        status = "ready"
    elif all(told[name]["is_well"] for name in NEEDED):
        status = "degraded"
    else:
        status = "unavailable"
    answer = JsonResponse(
        {"status": status, "checks": told},
        status=503 if status == "unavailable" else 200,
        headers={"Cache-Control": "no-store"},
    )
    if status == "unavailable":
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


def _told(check: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a check says; the log has what not everybody need know."""
    try:
        return {"is_well": True, **check()}
    except _NotReadyError as error:
        return {"is_well": False, "problem": str(error)}
    except _FAULTS as error:
        logger.warning("Not ready: %s", error)
        return {"is_well": False, "problem": "No response. See the log."}


def _database() -> dict[str, Any]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # a standby answers, and takes nothing
            cursor.execute("SELECT current_setting('transaction_read_only')")
            if cursor.fetchone() == ("on",):
                raise _NotReadyError("The database is read-only.")
        else:
            cursor.execute("SELECT 1")
    return {"kind": connection.vendor}


def _migrations() -> dict[str, Any]:
    """Ask for those of this code; newer code may have run more of them already."""
    applied = applied_migrations()
    if missing := migrations_of_this_code() - applied:
        raise _NotReadyError(
            f"{len(missing)} migrations are not applied. Run manage.py migrate."
        )
    return {"applied": len(applied)}


def _disk() -> dict[str, Any]:
    free = shutil.disk_usage(settings.DIGITSITE_VAR).free
    if free < LEAST_FREE_BYTES:
        raise _NotReadyError("The data folder's disk is full.")
    return {}


def _model() -> dict[str, Any]:
    version, _ = active_reader()  # verified by its digest when it is loaded
    return {"digest": version.digest}


def _promotion() -> dict[str, Any]:
    """Tell whether the model that was promoted reads, or the former in its place."""
    version = active_model()
    recogniser_for(version)
    return {"digest": version.digest}


def _cache() -> dict[str, Any]:
    cache.set("readyz", 1, timeout=60)
    if cache.get("readyz") != 1:
        raise _NotReadyError("The cache does not keep values.")
    return {"kind": "redis" if settings.REDIS_URL else "of each process"}


def _queue() -> dict[str, Any]:
    queue = queue_state()
    if queue.oldest_s > LONGEST_WAIT_S:
        raise _NotReadyError(
            f"A task has waited {queue.oldest_s:.0f} s. Start manage.py work."
        )
    return {"waiting": queue.waiting, "oldest_s": round(queue.oldest_s, 1)}


NEEDED = ("database", "migrations", "disk", "model")
CHECKS: dict[str, Callable[[], dict[str, Any]]] = {
    "database": _database,
    "migrations": _migrations,
    "disk": _disk,
    "model": _model,
    "promotion": _promotion,
    "cache": _cache,
    "queue": _queue,
}
