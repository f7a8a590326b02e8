"""The crossing from drawings to readings: all that a request needs of mlcore."""

import base64
import shutil
import threading
from collections import OrderedDict
from collections.abc import Collection
from itertools import chain

import numpy as np
from django.conf import settings

from mlcore import ink
from mlcore.bundle import Bundle, BundleError, open_bundle, unpack_bundle
from mlcore.inference import Reading
from mlcore.inference import Recogniser as Recogniser
from mlcore.preprocess import SIDE_PX, BlankDrawingError, normalize
from recognizer.metrics import Stage, count_reading
from recognizer.models import BundleArchive, ModelVersion, Picture, Submission
from recognizer.reader.drawing import (
    Drawing,
    DrawingError,
    PictureDrawing,
    Stroke,
    StrokeDrawing,
)

DEFAULT_PEN_WIDTH_PX = ink.DEFAULT_PEN_WIDTH_PX
FOR_BGR, AGAINST_BGR = (60, 36, 190), (200, 110, 30)
PNG_SIDE_PX = 560  # of pictures made for looking at: twice the page's canvas


class ReaderUnavailableError(RuntimeError):
    """No model can read now; the operator has to act."""


# --- models ---------------------------------------------------------------------

_KEPT_RECOGNISERS = 3  # active, former, candidate
_recognisers: OrderedDict[str, Recogniser] = OrderedDict()
_recognisers_lock = threading.Lock()


def recogniser_for(version: ModelVersion) -> Recogniser:
    """Return the reader of this version; loads it at its first use.

    By digest, so promotion needs no signal between processes and no restart.

    Raises:
        ReaderUnavailableError: neither the cache folder nor the database has the
            bundle whole, or it was made for other code.
    """
    with _recognisers_lock:
        recogniser = _recognisers.get(version.digest)
        if recogniser is None:
            recogniser = _loaded(version)
            _recognisers[version.digest] = recogniser
        _recognisers.move_to_end(version.digest)
        while len(_recognisers) > _KEPT_RECOGNISERS:
            _recognisers.popitem(last=False)
        return recogniser


def _loaded(version: ModelVersion) -> Recogniser:
    """Load a version and have it read nothing: it fails here if it ever does."""
    recogniser = Recogniser(bundle_of(version))
    try:
        recogniser.network.logits(np.zeros((SIDE_PX, SIDE_PX, 1), np.float32))
    except (RuntimeError, ValueError) as error:
        raise ReaderUnavailableError(
            f"Model {version.short_digest} cannot be loaded: {error}"
        ) from error
    return recogniser


def bundle_of(version: ModelVersion) -> Bundle:
    """Return a version's bundle as a folder of the cache, mended where need be.

    Raises:
        ReaderUnavailableError: it is nowhere whole, or was made for other code.
    """
    cached = settings.BUNDLE_CACHE / version.digest
    if cached.is_dir():
        try:
            return _of_version(open_bundle(cached), version)
        except BundleError:
            # Damaged in the cache, or another's: the database has the original.
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
    """Refuse a bundle that is whole but not the one that was registered."""
    if bundle.digest != version.digest:
        raise BundleError(
            f"{bundle.folder} holds {bundle.short_digest}, not {version.short_digest}."
        )
    return bundle


# --- reading ---------------------------------------------------------------------


def read(drawing: Drawing, *, recogniser: Recogniser) -> Reading:
    """Read one drawing."""
    with Stage("ink"):
        bitmap = bitmap_of(drawing)
    with Stage("infer"):
        reading = recogniser.read(bitmap)
    count_reading(reading)
    return reading


def bitmap_of(drawing: Drawing) -> ink.Bitmap:
    """Make the bitmap that is read, whatever the drawing came as."""
    if isinstance(drawing, StrokeDrawing):
        return ink.rasterise(_as_points(drawing), pen_width=drawing.pen_width)
    return drawing.grey if drawing.is_ink else ink.find_ink(drawing.grey)


def extras(
    include: Collection[str], image: np.ndarray | None, *, recogniser: Recogniser
) -> dict[str, str]:
    """Make what `?include=` adds to a reading, as PNG data URLs.

    seen: the digit image. why: the ink that spoke for the likeliest digit (red) and
    against it (blue), transparent elsewhere, to be laid over it.
    """
    made = {}
    if "seen" in include:
        made["seen"] = as_data_url(seen_png(image))
    if "why" in include:
        made["why"] = as_data_url(why_png(image, recogniser=recogniser))
    return made


def extras_of(submission: Submission, include: Collection[str]) -> dict[str, str]:
    """Make the extras of a stored reading with the model that read it.

    Needs its shown prediction; raises ReaderUnavailableError.
    """
    if not include:
        return {}
    recogniser = recogniser_for(submission.shown_prediction.model_version)
    return extras(include, seen_in(drawing_of(submission)), recogniser=recogniser)


def why_png(image: np.ndarray | None, *, recogniser: Recogniser) -> bytes:
    """Paint which ink spoke for and against the likeliest digit."""
    paint = np.zeros((SIDE_PX, SIDE_PX, 4), np.uint8)
    if image is not None:
        weight = recogniser.explain(image)
        paint[weight > 0, :3] = FOR_BGR
        paint[weight < 0, :3] = AGAINST_BGR
        paint[..., 3] = np.rint(np.abs(weight) * 255)
    return ink.encode_png(paint)


def seen_png(image: np.ndarray | None) -> bytes:
    """Encode the digit image a model saw; all black where there was no ink."""
    return ink.encode_png(_grey_levels(image))


def _grey_levels(image: np.ndarray | None) -> np.ndarray:
    if image is None:
        return np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    return np.asarray(np.rint(image[..., 0] * 255), np.uint8)


def seen_in(drawing: Drawing) -> np.ndarray | None:
    """Return the digit image of a drawing; None where there is no ink."""
    try:
        return normalize(bitmap_of(drawing))
    except BlankDrawingError:
        return None


def as_data_url(png: bytes) -> str:
    """Write a PNG as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _as_points(drawing: StrokeDrawing) -> list[ink.Points]:
    return [_xy_of(stroke) for stroke in drawing.strokes]


def _xy_of(stroke: Stroke) -> ink.Points:
    if len({*map(len, stroke)}) > 1:  # some points have a time and some have none
        stroke = [point[:2] for point in stroke]
    # Number by number: NumPy takes twice as long to look into a list of lists.
    numbers = np.fromiter(chain.from_iterable(stroke), np.float32)
    return numbers.reshape(len(stroke), -1)[:, :2]


# --- pictures ----------------------------------------------------------------------


# A picture at the pixel limit takes up to 360 MB while it is decoded, as WebP 720 MB
# (measured): one at a time in each process, of which there is one for each core.
_decoding = threading.Lock()


def picture_from_bytes(content: bytes, *, pointer: str = "") -> PictureDrawing:
    """Decode a PNG, JPEG or WebP file.

    Raises:
        DrawingError: with mlcore's code and message.
    """
    try:
        with _decoding:
            return PictureDrawing(ink.decode_picture(content), pointer=pointer)
    except ink.PictureError as error:
        raise DrawingError(error.code, str(error)) from error


def picture_from_data_url(url: str, *, pointer: str = "") -> PictureDrawing:
    """Decode `data:image/...;base64,...`; raises DrawingError."""
    try:
        with _decoding:
            return PictureDrawing(ink.decode_data_url(url), pointer=pointer)
    except ink.PictureError as error:
        raise DrawingError(error.code, str(error)) from error


def stored_png(drawing: PictureDrawing) -> bytes:
    """Encode what is kept of a picture."""
    return ink.encode_png(drawing.grey)


def drawing_of(submission: Submission) -> Drawing:
    """Rebuild the drawing from its row."""
    if submission.form == Submission.Form.STROKES:
        return strokes_of(submission)
    png = bytes(Picture.objects.get(submission=submission).png)
    return PictureDrawing(
        ink.decode_stored_png(png),
        is_ink=submission.form == Submission.Form.PIXELS,
        pointer=submission.pointer,
    )


def strokes_of(submission: Submission) -> StrokeDrawing:
    """Rebuild the drawing of a row that holds strokes."""
    return StrokeDrawing(
        strokes=submission.strokes or [],
        width=submission.width or 0,
        height=submission.height or 0,
        pen_width=submission.pen_width or 0,
        pointer=submission.pointer,
    )


def drawing_png(drawing: Drawing) -> bytes:
    """Paint a drawing for looking at: dark ink on white, or the picture as kept."""
    if isinstance(drawing, PictureDrawing):
        return ink.encode_png(255 - drawing.grey if drawing.is_ink else drawing.grey)
    left, top, width, height = drawing.frame()
    scale = PNG_SIDE_PX / max(width, height)
    bitmap = ink.draw_on_canvas(
        [(points - (left, top)) * scale for points in _as_points(drawing)],
        width=max(1, round(width * scale)),
        height=max(1, round(height * scale)),
        pen_width=drawing.pen_width * scale,
    )
    return ink.encode_png(255 - bitmap)


def idx_header(*shape: int) -> bytes:
    """Return what an IDX file begins with, as MNIST's do."""
    from mlcore import data  # with all it fetches MNIST with, which no request needs

    return data.idx_header(*shape)


def idx_image(submission: Submission) -> np.ndarray:
    """Return (28, 28) uint8 as MNIST has them: `pixels` as sent, others framed."""
    drawing = drawing_of(submission)
    if isinstance(drawing, PictureDrawing) and drawing.is_ink:
        return drawing.grey
    return _grey_levels(seen_in(drawing))
