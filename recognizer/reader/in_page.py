"""What the page needs to read strokes by itself: the active bundle, in two parts."""

import base64
from typing import Any

from django.db import DatabaseError

from mlcore.reading.bundle import SERVED_WEIGHTS
from mlcore.reading.bundle import Bundle as Bundle
from recognizer.reader.active import active_reader
from recognizer.reader.recognisers import ReaderUnavailableError


def active_digest() -> str:
    """Return the digest of the model that reads now; "" if none can.

    Without a database as well: the page can be drawn on, and waits for the server.
    """
    try:
        return active_bundle().digest
    except (ReaderUnavailableError, DatabaseError):
        return ""


def active_bundle() -> Bundle:
    """Return the bundle of the model that reads now.

    Raises:
        ReaderUnavailableError: no model can be loaded.
    """
    return active_reader()[1].bundle


def facts_of(bundle: Bundle) -> dict[str, Any]:
    """Return what the page needs beside the weights.

    integrity: as `fetch` takes it, so that the browser refuses other weights.
    """
    digest = bytes.fromhex(bundle.manifest["files"][SERVED_WEIGHTS])
    return {
        "preprocessing": bundle.manifest["preprocessing"],
        "calibration": bundle.manifest["calibration"],
        "integrity": f"sha256-{base64.b64encode(digest).decode()}",
    }
