"""Decode pictures from outside, and encode pictures as PNG.

Functions that read bytes from outside raise only `PictureError`.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import unquote

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from mlcore.reading.containers import MAX_COLOUR_PIXELS, MAX_PIXELS, parts_of
from mlcore.reading.containers import PictureError as PictureError

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8, red, green and blue."""

MAX_DECODED_SIDE_PX = 2_048
MAX_STORED_SIDE_PX = 1_024
PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
FORMAT_NAMES = "PNG, JPEG, WebP, GIF or BMP"
MOST_MISSING = 0.005
"""Greatest share of a JPEG that may be missing with the file's last bytes."""
# Off: our own limits are checked instead. Pillow refuses only above twice its limit.
Image.MAX_IMAGE_PIXELS = None


_JPEG_END = b"\xff\xd9"
_RESTARTS = b"\xff\xdd\0\4"
_DATA_URL = re.compile(r"data:image/[a-z0-9.+-]+(;[^;,]*)*;base64,", re.IGNORECASE)
_STANDARD_ALPHABET = str.maketrans("-_", "+/", "=")


def decode_data_url(url: str, *, pay: Callable[[int], None] | None = None) -> Picture:
    """Decode `data:image/...;base64,...`; see `decode_picture`.

    The base64 may be broken into lines, percent-escaped, in the URL-safe alphabet, or
    without padding.
    """
    head = _DATA_URL.match(url)
    if head is None:
        raise PictureError(
            "not_a_data_url",
            "The image must be a data URL such as data:image/png;base64,iVBORw0...",
        )
    text = "".join(unquote(url[head.end() :]).split()).translate(_STANDARD_ALPHABET)
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError(
            "not_a_data_url", f"The image's base64 text is damaged: {error}."
        ) from error
    return decode_picture(content, pay=pay)


def decode_picture(
    content: bytes, *, pay: Callable[[int], None] | None = None
) -> Picture:
    """Decode PNG, JPEG, WebP, GIF or BMP to colours as a person would see them.

    Format, size and cost are checked before decoding, and only the parts that the
    pixels need are decoded. Transparent parts become white, or
    black if the picture is mostly transparent and its opaque part is light. The
    see-through margin of a window's screenshot is cut off. EXIF orientation is applied.
    Only the first frame of an animation is decoded. A JPEG may lack its last few bytes.

    Args:
        pay: called before decoding with the cost: the number of pixels, and a tenth of
            it again for each scan of a progressive JPEG after the first. What it raises
            is passed on.

    Returns:
        (H, W, 3) uint8 RGB, longest side at most MAX_STORED_SIDE_PX. This is the form
        in which a picture is stored.

    Raises:
        PictureError: not in one of these formats, damaged, or too costly.
    """
    parts = parts_of(content)
    needed = parts.content
    try:
        picture = Image.open(BytesIO(needed), formats=PICTURE_FORMATS)
    except Exception as error:  # Pillow's openers raise nearly anything on bad bytes
        kind = _kind_of_file(content)
        raise PictureError(
            "not_an_image",
            f"This file is of type {kind}: send a {FORMAT_NAMES} picture."
            if kind
            else f"These bytes are not a {FORMAT_NAMES} picture: send one of these.",
            kind=kind,
        ) from error
    pixels = picture.width * picture.height
    is_light = picture.format == "JPEG" or picture.mode in ("1", "L")
    most = MAX_PIXELS if is_light else MAX_COLOUR_PIXELS
    if pixels > most:
        raise PictureError(
            "too_many_pixels",
            f"The picture has {pixels:,} pixels, and at most {most:,} are read"
            f"{'' if is_light else f' of a {picture.format} with colours'}: make it "
            f"smaller{'' if is_light else ', or send a JPEG'}.",
        )
    if pay is not None:
        pay(pixels + pixels * (parts.passes - 1) // 10)
    try:
        # Decoders of two cut progressive JPEGs at once would hold twice 160 MB.
        quick = MAX_PIXELS // 4 if parts.is_buffered else MAX_PIXELS
        is_quick = pixels * parts.passes <= quick
        upright = _reduced(_loaded(picture, needed, is_quick=is_quick))
        upright.getexif()[ExifTags.Base.Orientation] = parts.orientation()
        ImageOps.exif_transpose(upright, in_place=True)
        return _colours(upright)
    except Exception as error:  # decoders raise nearly anything too
        raise PictureError(
            "damaged_image",
            "The picture is damaged or cut off: save it again and send the new file.",
        ) from error


def _kind_of_file(content: bytes) -> str | None:
    """Name a file that people send for a picture and that is not read, by its bytes."""
    if content[4:8] == b"ftyp":
        brands = content[8:32]
        if b"avif" in brands or b"avis" in brands:
            return "AVIF"
        if any(brand in brands for brand in (b"heic", b"heix", b"hevc", b"mif1")):
            return "HEIC (iPhone)"
    if content.startswith((b"II*\0", b"MM\0*")):
        return "TIFF"
    head = content[:1024].lower()
    return "PDF" if b"%pdf-" in head else "SVG" if b"<svg" in head else None


def _loaded(picture: Image.Image, content: bytes, *, is_quick: bool) -> Image.Image:
    """Decode a picture; a quick one is decoded three times if it lacks its end."""
    # In the picture's shape: Pillow would decode a long, narrow picture whole.
    scale = MAX_DECODED_SIDE_PX / max(picture.size)
    size = (
        max(1, math.floor(picture.width * scale)),
        max(1, math.floor(picture.height * scale)),
    )
    picture.draft("RGB", size)
    try:
        picture.load()
    except OSError:
        if picture.format != "JPEG" or not is_quick:
            raise
    else:
        return _with_opacity(picture, content) if picture.format == "BMP" else picture
    return _lacking_its_end(content, size)  # here, because the error holds a decoder


def _lacking_its_end(content: bytes, size: tuple[int, int]) -> Image.Image:
    """Decode a JPEG without its last few bytes, as broken uploads leave it.

    Any prefix with an end marker can be decoded. So it is decoded with filling in
    between too: the pixels that differ are missing.
    """
    begun = content.rstrip(b"\xff")
    pictures = [
        Image.open(BytesIO(begun + filling + _JPEG_END), formats=["JPEG"])
        for filling in (b"", b"\x35" * len(begun))
    ]
    for picture in pictures:
        picture.draft("RGB", size)
    # Some hundred thousand pixels tell it: comparing all of a large picture would take
    # longer than decoding it.
    width, height = pictures[0].size
    samples = min(width, 600), min(height, 600)
    ended, filled = (
        np.asarray(picture.resize(samples, Image.Resampling.NEAREST))
        for picture in pictures
    )
    missing = float((ended != filled).mean())
    # Filling ends at the next restart marker, but what is missing is mid-grey.
    last = pictures[0].crop((width - 1, height - 1, width, height))
    if _RESTARTS in begun and (np.asarray(last) == 128).all():
        missing = 1.0
    if missing > MOST_MISSING:
        raise OSError("The picture is cut off.")
    return pictures[0]


def _with_opacity(bmp: Image.Image, content: bytes) -> Image.Image:
    """Tell opacity from filling in a 32-bit BMP.

    The fourth byte of a plain one is reserved, and Pillow ignores it. Some programs
    keep opacity there, so it is used if the colours alone show nothing.
    """
    start, height, bits, packing = (
        struct.unpack_from(kind, content, at)[0]
        for kind, at in (("<I", 10), ("<i", 22), ("<H", 28), ("<I", 30))
    )
    is_plain = bmp.mode == "RGB" and (bits, packing) == (32, 0)
    if is_plain and not np.ptp(np.asarray(bmp), axis=(0, 1)).any():
        down = 1 if height < 0 else -1
        pixels = content[start:]
        bmp = Image.frombytes("RGBA", bmp.size, pixels, "raw", "BGRA", 0, down)
    is_unused = bmp.mode == "RGBA" and bmp.getchannel("A").getextrema()[1] == 0
    return bmp.convert("RGB") if is_unused else bmp


def _reduced(picture: Image.Image) -> Image.Image:
    """Shrink before copying: at the pixel limit every copy takes 200 MB."""
    shrink_by = max(picture.size) // MAX_DECODED_SIDE_PX
    if shrink_by > 1 and picture.mode in ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"):
        return picture.reduce(shrink_by)
    return picture


def _colours(picture: Image.Image) -> Picture:
    if picture.mode.startswith("I") or picture.mode == "F":
        return _grey_as_rgb(_eight_bits(np.asarray(picture)))
    if not picture.has_transparency_data or _is_opaque(picture):
        if picture.mode in ("1", "L", "LA"):
            return _grey_as_rgb(np.asarray(picture.convert("L")))
        return shrink(np.asarray(picture.convert("RGB")), MAX_STORED_SIDE_PX)
    rgba = np.asarray(picture.convert("RGBA"))
    window = _window_in(rgba)
    if window is not None:
        return shrink(window, MAX_STORED_SIDE_PX)
    return _on_backdrop(rgba)


def _grey_as_rgb(grey: NDArray[np.uint8]) -> Picture:
    small = shrink(grey, MAX_STORED_SIDE_PX)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_GRAY2RGB), np.uint8)


def _eight_bits(deep: NDArray[Any]) -> NDArray[np.uint8]:
    # Pillow would clip 16-bit and 32-bit values to 255 instead of scaling them.
    # Cameras and scanners put 10 or 12 bits into a file of 16.
    strongest = deep.max(initial=0)
    top = next((top for top in (255, 1023, 4095) if strongest <= top), 65535)
    small = shrink(deep, MAX_STORED_SIDE_PX).astype(np.float32)
    return np.asarray(np.clip(np.rint(small * (255.0 / top)), 0, 255), np.uint8)


def _on_backdrop(rgba: NDArray[np.uint8]) -> Picture:
    small = shrink(rgba, MAX_STORED_SIDE_PX).astype(np.float32)
    colours, opacity = small[..., :3], small[..., 3:] / 255.0
    ink_is_light = float((colours * opacity).mean()) > 127.0 * float(opacity.mean())
    is_drawn_on_nothing = float(opacity.mean()) < 0.5
    backdrop = 0.0 if ink_is_light and is_drawn_on_nothing else 255.0
    composed = np.rint(colours * opacity + backdrop * (1 - opacity))
    return np.asarray(composed, np.uint8)


def _window_in(rgba: NDArray[np.uint8]) -> Picture | None:
    """Find the opaque window in a screenshot with a see-through margin or shadow.

    Returns:
        The window without its rounded corners; None if the opaque part is no rectangle
        or has one colour only: it is ink then.
    """
    opacity = rgba[..., 3]
    opaque = opacity == 255
    left, top, width, height = cv2.boundingRect(opaque.astype(np.uint8))
    box = opaque[top : top + height, left : left + width]
    if box.size == 0:
        return None
    corners = (box[::down, ::right].diagonal() for down in (1, -1) for right in (1, -1))
    inset = max(int(corner.argmax()) for corner in corners)
    inner = np.s_[inset : height - inset, inset : width - inset]
    margin_px = opacity.size - box.size
    margin = float(opacity.sum(dtype=np.int64)) - 255.0 * float(box.sum())
    is_window = box[inner].all() and inset <= 0.1 * min(width, height)
    if not is_window or margin > 127 * margin_px:
        return None
    window = rgba[top : top + height, left : left + width, :3][inner]
    return np.ascontiguousarray(window) if np.ptp(window, axis=(0, 1)).any() else None


def _is_opaque(picture: Image.Image) -> bool:
    """Return whether the alpha channel is opaque throughout, as in canvas exports."""
    if picture.mode not in ("RGBA", "LA"):
        return False
    lowest, _ = picture.getchannel("A").getextrema()
    return lowest == 255


def shrink(picture: NDArray[Any], longest_side: int) -> NDArray[Any]:
    """Shrink a picture by averaging until its longest side is at most this."""
    height, width = picture.shape[:2]
    scale = longest_side / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if picture.dtype not in (np.uint8, np.uint16):  # OpenCV cannot resize int32
        picture = picture.astype(np.float32)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """Encode (H, W) grey levels, (H, W, 3) RGB or (H, W, 4) RGBA as a PNG.

    RGB without any colour is encoded as grey levels, which takes a third of the time.
    """
    depth = picture.shape[2] if picture.ndim == 3 else 1
    bands: Any = cv2.split(picture)
    if depth == 3 and all(np.array_equal(bands[0], band) for band in bands[1:]):
        bands = bands[:1]
    elif depth > 1:
        bands = (*bands[2::-1], *bands[3:])  # OpenCV's order is blue, green, red
    return cv2.imencode(".png", cv2.merge(bands))[1].tobytes()


def decode_stored_png(png: bytes) -> Picture:
    """Decode a PNG that `encode_png` made: (H, W, 3) RGB."""
    bgr: Any = None
    if png:  # OpenCV raises its own error on empty input
        bgr = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise PictureError("damaged_image", "The stored picture is damaged.")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
