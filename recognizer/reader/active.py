"""The active model."""

import logging
import time

import numpy as np
from django.conf import settings
from django.db import connection

from recognizer.models import ModelVersion
from recognizer.reader import engine
from recognizer.reader.drawing import Drawing
from recognizer.reader.recognisers import ReaderUnavailableError, recogniser_for

logger = logging.getLogger(__name__)


def active_model() -> ModelVersion:
    """Return the active version.

    Raises:
        ReaderUnavailableError: no version is active.
    """
    # Few callers need the manifest.
    active = ModelVersion.objects.filter(stage=ModelVersion.Stage.ACTIVE)
    version = active.defer("manifest").first()
    if version is None:
        raise ReaderUnavailableError("No model is active. Run manage.py migrate.")
    return version


_asked: tuple[float, ModelVersion] | None = None  # when, and the answer


def _lately_active() -> ModelVersion:
    """Return the active version, cached for ACTIVE_MODEL_KEPT_S.

    So each process sees a promotion within that time. In a transaction, the version
    always comes from the database.
    """
    global _asked
    if connection.in_atomic_block:
        return active_model()
    now, asked = time.monotonic(), _asked
    if asked is None or now - asked[0] >= settings.ACTIVE_MODEL_KEPT_S:
        _asked = asked = now, active_model()
    return asked[1]


def seen_in(drawing: Drawing) -> np.ndarray | None:
    """Return the digit image that the active model sees; None if there is no ink.

    Raises:
        ReaderUnavailableError: it is a picture, and no model can be loaded.
    """
    return engine.seen_in(drawing, recogniser=lambda: active_reader()[1])


def active_reader() -> tuple[ModelVersion, engine.Recogniser]:
    """Return the active version and its recogniser.

    If the active version cannot be loaded, it returns the former one, and readings are
    stored with that one as their model. Each call tries the active version again, so no
    restart is needed.

    Raises:
        ReaderUnavailableError: neither can be loaded.
    """
    version = _lately_active()
    try:
        return version, recogniser_for(version)
    except ReaderUnavailableError as error:
        retired = ModelVersion.objects.filter(stage=ModelVersion.Stage.RETIRED)
        former = retired.order_by("-promoted_at", "-pk").first()
        if former is None:
            raise
        logger.error("%s Model %s stays active.", error, former.short_digest)
        return former, recogniser_for(former)
