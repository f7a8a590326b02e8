"""A model version as one file: for Keras, LiteRT or ONNX.

The web process loads no TensorFlow, so a process of its own writes the ONNX file, once
for each version.
"""

import logging
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings

from mlcore import paths
from mlcore.reading.bundle import KERAS_WEIGHTS, SERVED_WEIGHTS
from recognizer.models import ModelVersion
from recognizer.reader.recognisers import bundle_of

ONNX = "model.onnx"
MODEL_FILES = (KERAS_WEIGHTS, SERVED_WEIGHTS, ONNX)
_LONGEST_S = 120
_one_at_a_time = threading.Lock()
_failed: set[str] = set()  # digests; they would fail again, and take as long
log = logging.getLogger(__name__)


class OnnxUnavailableError(RuntimeError):
    """What ONNX needs is not installed here; the message says what to do."""


class OnnxNotWrittenError(RuntimeError):
    """The file is being written, or could not be; the message says what to do."""


def model_file(version: ModelVersion, name: str) -> bytes:
    """Return one of MODEL_FILES of a version.

    Raises:
        OnnxUnavailableError: onnx or TensorFlow is not installed here.
        OnnxNotWrittenError: the file is being written, or that has failed.
        ReaderUnavailableError: there is no intact bundle.
    """
    if name != ONNX:
        return (bundle_of(version).folder / name).read_bytes()
    path = _onnx_path(version)
    if not path.exists():
        _write_onnx(version, path)
    return path.read_bytes()


def files_offered(version: ModelVersion) -> list[str]:
    """Return the files of a version that can be downloaded here."""
    has_onnx = _onnx_path(version).exists() or _writes_onnx()
    return [name for name in MODEL_FILES if name != ONNX or has_onnx]


def _onnx_path(version: ModelVersion) -> Path:
    return Path(settings.BUNDLE_CACHE) / f"{version.digest}.onnx"


def _writes_onnx() -> bool:
    return all(find_spec(name) for name in ("onnx", "tensorflow"))


def _write_onnx(version: ModelVersion, path: Path) -> None:
    if not _writes_onnx():
        raise OnnxUnavailableError(
            "This server cannot write ONNX because onnx or TensorFlow is not "
            "installed. Download model.keras, and convert it where both are: "
            "python -m mlcore.training.onnx_export."
        )
    if version.digest in _failed:
        raise OnnxNotWrittenError(_instead(version))
    bundle = bundle_of(version)
    # It takes seconds: others are told so, and do not occupy all threads meanwhile.
    if not _one_at_a_time.acquire(blocking=False):
        raise OnnxNotWrittenError(
            "A model is just being written as ONNX: ask again in a minute."
        )
    module = "mlcore.training.onnx_export"
    command = [sys.executable, "-m", module, str(bundle.folder), "--to", str(path)]
    try:
        subprocess.run(
            command,
            cwd=paths.REPOSITORY,
            check=True,
            capture_output=True,
            timeout=_LONGEST_S,
        )
    except subprocess.SubprocessError as error:
        _failed.add(version.digest)
        said = getattr(error, "stderr", None) or b""
        log.exception("%s\n%s", _instead(version), said.decode(errors="replace"))
        raise OnnxNotWrittenError(_instead(version)) from error
    finally:
        _one_at_a_time.release()


def _instead(version: ModelVersion) -> str:
    return (
        f"Model {version.short_digest} could not be written as ONNX: download "
        "model.keras instead."
    )
