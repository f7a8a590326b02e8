"""Health checks: is this process alive, and is it ready for requests?

/livez checks nothing: a process that answers is alive. /readyz checks what storing a
drawing needs. Without the database, its migrations, free disk space or a model it
answers 503, and a load balancer sends requests elsewhere. If only the cache, the worker
or the latest promoted model fails, or this process refuses requests under load, the
site still works: it answers 200, "degraded".
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
from recognizer.ops.overload import Refusals
from recognizer.reader.active import active_model, active_reader
from recognizer.reader.recognisers import ReaderUnavailableError, recogniser_for

logger = logging.getLogger(__name__)

LEAST_FREE_BYTES = 64 * 1024 * 1024  # on the data folder's disk
LONGEST_WAIT_S = 15 * 60  # of a task; a longer wait suggests that no worker runs
RETRY_AFTER_S = 5


class _NotReadyError(RuntimeError):
    """What is wrong; the message is public."""


_FAULTS = (DatabaseError, ReaderUnavailableError, OSError, RedisError)


def livez(request: HttpRequest) -> HttpResponse:
    """Answer that this process is alive."""
    return HttpResponse("alive\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """Answer the result of each check."""
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
    """Return the result of a check; details of a failure go to the log only."""
    try:
        return {"is_well": True, **check()}
    except _NotReadyError as error:
        return {"is_well": False, "problem": str(error)}
    except _FAULTS as error:
        logger.warning("Not ready: %s", error)
        return {"is_well": False, "problem": "No response. See the log."}


def _database() -> dict[str, Any]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # a standby is read-only
            cursor.execute("SELECT current_setting('transaction_read_only')")
            if cursor.fetchone() == ("on",):
                raise _NotReadyError("The database is read-only.")
        else:
            cursor.execute("SELECT 1")
    return {"kind": connection.vendor}


def _migrations() -> dict[str, Any]:
    """Check that this code's migrations are applied; others do not matter."""
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
    """Check that the latest promoted model can be used."""
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
    waited = queue["oldest_s"]
    if waited > LONGEST_WAIT_S:
        raise _NotReadyError(f"A task has waited {waited:.0f} s. Start manage.py work.")
    return {"waiting": queue["waiting"], "oldest_s": round(waited, 1)}


def _load() -> dict[str, Any]:
    """Check that this process has not just refused requests."""
    if Refusals.are_recent():
        raise _NotReadyError("Requests were refused in the last 10 s: overload.")
    return {}


NEEDED = ("database", "migrations", "disk", "model")
CHECKS: dict[str, Callable[[], dict[str, Any]]] = {
    "database": _database,
    "migrations": _migrations,
    "disk": _disk,
    "model": _model,
    "promotion": _promotion,
    "cache": _cache,
    "queue": _queue,
    "load": _load,
}
