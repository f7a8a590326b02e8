"""The loaded models, by digest."""

import shutil
import threading
from collections import OrderedDict

import numpy as np
from django.conf import settings

from mlcore.reading.bundle import Bundle, BundleError, open_bundle, unpack_bundle
from mlcore.reading.inference import Recogniser as Recogniser
from mlcore.reading.preprocess import SIDE_PX
from recognizer.models import BundleArchive, ModelVersion


class ReaderUnavailableError(RuntimeError):
    """No model can read now; the operator must act."""


_KEPT_RECOGNISERS = 3  # active, former, candidate
_recognisers: OrderedDict[str, Recogniser] = OrderedDict()
_recognisers_lock = threading.Lock()


def recogniser_for(version: ModelVersion) -> Recogniser:
    """Return this version's recogniser, which is loaded at its first use.

    Raises:
        ReaderUnavailableError: neither the cache folder nor the database has an intact
            bundle, or the bundle was made for other code.
    """
    with _recognisers_lock:
        recogniser = _recognisers.get(version.digest)
        if recogniser is None:
            recogniser = _loaded(version)
            _recognisers[version.digest] = recogniser
        _recognisers.move_to_end(version.digest)
        if len(_recognisers) > _KEPT_RECOGNISERS:
            _recognisers.popitem(last=False)
        return recogniser


def _loaded(version: ModelVersion) -> Recogniser:
    """Load a version and read an empty image, so that a bad bundle fails here."""
    recogniser = Recogniser(bundle_of(version))
    try:
        recogniser.network.logits(np.zeros((SIDE_PX, SIDE_PX, 1), np.float32))
    except (RuntimeError, ValueError) as error:
        raise ReaderUnavailableError(
            f"Model {version.short_digest} cannot be loaded: {error}"
        ) from error
    return recogniser


def bundle_of(version: ModelVersion) -> Bundle:
    """Return a version's bundle from the cache folder, unpacked again if damaged.

    Raises:
        ReaderUnavailableError: no intact bundle was found, or the bundle was made for
            other code.
    """
    cached = settings.BUNDLE_CACHE / version.digest
    if cached.is_dir():
        try:
            return _of_version(open_bundle(cached), version)
        except BundleError:
            # It is damaged or another version's; the database has the original.
            shutil.rmtree(cached, ignore_errors=True)
    try:
        archive = BundleArchive.objects.get(model_version=version)
        unpacked = unpack_bundle(bytes(archive.packed), parent=settings.BUNDLE_CACHE)
        return _of_version(unpacked, version)
    except (BundleArchive.DoesNotExist, BundleError, OSError) as error:
        raise ReaderUnavailableError(
            f"Model {version.short_digest} cannot be loaded: {error}"
        ) from error


def _of_version(bundle: Bundle, version: ModelVersion) -> Bundle:
    """Refuse an intact bundle that is not the registered one."""
    if bundle.digest != version.digest:
        raise BundleError(
            f"{bundle.folder} contains {bundle.short_digest}, not "
            f"{version.short_digest}."
        )
    return bundle
