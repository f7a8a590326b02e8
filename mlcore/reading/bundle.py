"""A bundle: one trained model as an immutable folder named by its digest.

    manifest.json     calibration, preprocessing version, metrics, provenance, sha256
                      of each other file, digest of all of this
    model.tflite      the served weights
    model.keras       the same network for further training

Each file is verified by digest before it is loaded, and nothing in a bundle is ever
unpickled.
"""

import contextlib
import hashlib
import io
import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlcore.reading.calibrate import Calibration
from mlcore.reading.preprocess import PREPROCESSING_VERSION

FORMAT = 1
MANIFEST = "manifest.json"
SERVED_WEIGHTS = "model.tflite"
KERAS_WEIGHTS = "model.keras"
_FILES = frozenset({SERVED_WEIGHTS, KERAS_WEIGHTS})
_FIELDS = frozenset({"preprocessing", "files", "calibration", "metrics", "provenance"})


class BundleError(ValueError):
    """A folder that is not a bundle this code can use."""


@dataclass(frozen=True)
class Bundle:
    """An opened and verified bundle."""

    folder: Path
    digest: str
    manifest: Mapping[str, Any]

    @property
    def short_digest(self) -> str:
        """The first twelve characters, for messages and pages."""
        return self.digest[:12]

    @property
    def calibration(self) -> Calibration:
        """The temperature and thresholds for this model's logits."""
        return Calibration(**self.manifest["calibration"])

    @property
    def metrics(self) -> dict[str, Any]:
        """Figures measured when the model was finished."""
        return dict(self.manifest["metrics"])

    def served_weights(self) -> bytes:
        """Return the LiteRT model."""
        return (self.folder / SERVED_WEIGHTS).read_bytes()

    def packed(self) -> bytes:
        """Return the whole bundle as one ZIP archive, as the database keeps it."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in sorted(_FILES | {MANIFEST}):
                # Without the file's time, so that equal bundles make equal archives.
                content = (self.folder / name).read_bytes()
                packed.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return archive.getvalue()


def write_bundle(
    parent: Path,
    *,
    files: Mapping[str, bytes],
    calibration: Calibration,
    metrics: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> Bundle:
    """Write a bundle into the folder `parent`/<digest>, completely or not at all.

    Args:
        files: SERVED_WEIGHTS and KERAS_WEIGHTS with their content.
        provenance: seed, config, versions, data digests, commit.
    """
    if set(files) != _FILES:
        raise BundleError(f"A bundle holds {sorted(_FILES)}, not {sorted(files)}.")
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "preprocessing": PREPROCESSING_VERSION,
        "files": {name: _sha256(files[name]) for name in sorted(files)},
        "calibration": asdict(calibration),
        "metrics": dict(metrics),
        "provenance": dict(provenance),
    }
    manifest["digest"] = _manifest_digest(manifest)
    content = {**files, MANIFEST: (json.dumps(manifest, indent=2) + "\n").encode()}
    return _place(parent / manifest["digest"], content)


def open_bundle(folder: Path) -> Bundle:
    """Open a bundle after checking that it is complete and fits this code.

    Raises:
        BundleError: names the file or field that differs, and the way out.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        raise BundleError(f"{folder} is not a bundle: it has no {MANIFEST}.") from error
    except ValueError as error:
        raise BundleError(
            f"{folder}: {MANIFEST} is damaged ({error}): copy the bundle again."
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else manifest
        raise BundleError(
            f"{folder} is a bundle of format {found!r}, this code reads {FORMAT}: "
            "retrain it, or run the release that made it."
        )
    digest = manifest.get("digest")
    computed = _manifest_digest(manifest)
    if digest != computed:
        raise BundleError(
            f"{folder}: {MANIFEST} was changed after the bundle was made (digest "
            f"{computed[:12]}, written {str(digest)[:12]}): copy the bundle again."
        )
    name = str(digest)[:12]
    missing = sorted(_FIELDS - set(manifest))
    if missing:
        raise BundleError(f"Bundle {name} says nothing of {missing}: retrain it.")
    if manifest["preprocessing"] != PREPROCESSING_VERSION:
        raise BundleError(
            f"Bundle {name} was made for preprocessing v{manifest['preprocessing']}, "
            f"this code has v{PREPROCESSING_VERSION}: retrain it, or run the release "
            "that made it."
        )
    if set(manifest["files"]) != _FILES:
        raise BundleError(
            f"Bundle {name} holds {sorted(manifest['files'])}, this code expects "
            f"{sorted(_FILES)}."
        )
    for file, expected in manifest["files"].items():
        path = folder / file
        if not path.is_file():
            raise BundleError(f"Bundle {name} lacks {file}: copy the bundle again.")
        found = _sha256(path.read_bytes())
        if found != expected:
            raise BundleError(
                f"Bundle {name}: {file} is damaged (sha256 {found[:12]}, expected "
                f"{expected[:12]}): copy the bundle again."
            )
    return Bundle(folder=folder, digest=str(digest), manifest=manifest)


def unpack_bundle(packed: bytes, *, parent: Path) -> Bundle:
    """Unpack what `Bundle.packed` made into `parent`/<digest> and open it.

    Raises:
        BundleError: the archive is damaged or holds something else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            # Only a bundle's own names are read, so no archive can write elsewhere.
            content = {name: archive.read(name) for name in (*_FILES, MANIFEST)}
        digest = str(json.loads(content[MANIFEST])["digest"])
    except _DAMAGED_ARCHIVE as error:
        raise BundleError(f"The packed bundle is damaged: {error}.") from error
    if not (len(digest) == 64 and set(digest) <= set("0123456789abcdef")):
        raise BundleError(f"The packed bundle names the digest {digest[:80]!r}.")
    return _place(parent / digest, content)


_DAMAGED_ARCHIVE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, TypeError),
    RuntimeError,  # damage can look like encryption or an unknown compression
)


def _place(folder: Path, content: Mapping[str, bytes]) -> Bundle:
    """Write files next to `folder`, check them, then move them there in one step."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".bundle-", dir=folder.parent))
    try:
        for name, data in content.items():
            (scratch / name).write_bytes(data)
        open_bundle(scratch)
        scratch.chmod(0o755)
        if not _is_whole(folder):
            # A folder cannot be moved over a non-empty one: move that away first.
            # Several processes may be doing this at once.
            with contextlib.suppress(FileNotFoundError):
                folder.replace(scratch.with_suffix(".damaged"))
            with contextlib.suppress(OSError):  # another process was quicker
                scratch.replace(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(scratch.with_suffix(".damaged"), ignore_errors=True)
    return open_bundle(folder)


def _is_whole(folder: Path) -> bool:
    try:
        open_bundle(folder)
    except BundleError:
        return False
    return True


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _manifest_digest(manifest: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in manifest.items() if key != "digest"}
    return _sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode())
