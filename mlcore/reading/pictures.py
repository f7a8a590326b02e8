"""Decode pictures from outside, and encode pictures as PNG.

Functions that read bytes from outside raise only `PictureError`.
"""

import base64
import binascii
import re
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8, red, green and blue."""

MAX_PIXELS = 50_000_000
"""Pictures with more pixels are refused before they are decoded."""
MAX_DECODED_SIDE_PX = 2_048
MAX_STORED_SIDE_PX = 1_024
PICTURE_FORMATS = ("PNG", "JPEG", "WEBP")
# Off: MAX_PIXELS is checked instead. Pillow refuses only above twice its own limit.
Image.MAX_IMAGE_PIXELS = None


class PictureError(ValueError):
    """The bytes are not a picture that can be read; `code` names why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


_DATA_URL = re.compile(r"data:image/[a-z0-9.+-]+(;[\w=.-]+)*;base64,", re.IGNORECASE)


def decode_data_url(url: str) -> Picture:
    """Decode `data:image/...;base64,...`; see `decode_picture`."""
    head = _DATA_URL.match(url)
    if head is None:
        raise PictureError(
            "not_a_data_url",
            "The image must be a data URL such as data:image/png;base64,iVBORw0...",
        )
    try:
        # Many programs break base64 into lines.
        content = base64.b64decode("".join(url[head.end() :].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError(
            "not_a_data_url", f"The image's base64 text is damaged: {error}."
        ) from error
    return decode_picture(content)


def decode_picture(content: bytes) -> Picture:
    """Decode PNG, JPEG or WebP to colours as a person would see them.

    Format and size are checked before decoding. Transparent parts become white, or
    black if the picture is mostly transparent and its opaque part is light. EXIF
    orientation is applied. Only the first frame of an animation is decoded.

    Returns:
        (H, W, 3) uint8 RGB, longest side at most MAX_STORED_SIDE_PX. This is the form
        in which a picture is stored.

    Raises:
        PictureError: not in one of these formats, damaged, or too many pixels.
    """
    try:
        picture = Image.open(BytesIO(content), formats=PICTURE_FORMATS)
    except Exception as error:  # Pillow's openers raise nearly anything on bad bytes
        raise PictureError(
            "not_an_image",
            "These bytes are not a PNG, JPEG or WebP picture: send one of these.",
        ) from error
    if picture.width * picture.height > MAX_PIXELS:
        raise PictureError(
            "too_many_pixels",
            f"The picture has {picture.width * picture.height:,} pixels and at most "
            f"{MAX_PIXELS:,} are read: make it smaller.",
        )
    try:
        picture.draft("RGB", (MAX_DECODED_SIDE_PX, MAX_DECODED_SIDE_PX))
        picture.load()
        upright = _reduced(picture)
        ImageOps.exif_transpose(upright, in_place=True)
        return _colours(upright)
    except Exception as error:  # decoders raise nearly anything too
        raise PictureError(
            "damaged_image",
            "The picture is damaged or cut off: save it again and send the new file.",
        ) from error


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
    return _on_backdrop(np.asarray(picture.convert("RGBA")))


def _grey_as_rgb(grey: NDArray[np.uint8]) -> Picture:
    small = shrink(grey, MAX_STORED_SIDE_PX)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_GRAY2RGB), np.uint8)


def _eight_bits(deep: NDArray[Any]) -> NDArray[np.uint8]:
    # Pillow would clip 16-bit and 32-bit values to 255 instead of scaling them.
    small = shrink(deep, MAX_STORED_SIDE_PX).astype(np.float32)
    top = 65535.0 if small.max(initial=0) > 255 else 255.0
    return np.asarray(np.clip(np.rint(small * (255.0 / top)), 0, 255), np.uint8)


def _on_backdrop(rgba: NDArray[np.uint8]) -> Picture:
    small = shrink(rgba, MAX_STORED_SIDE_PX).astype(np.float32)
    colours, opacity = small[..., :3], small[..., 3:] / 255.0
    ink_is_light = float((colours * opacity).mean()) > 127.0 * float(opacity.mean())
    is_drawn_on_nothing = float(opacity.mean()) < 0.5
    backdrop = 0.0 if ink_is_light and is_drawn_on_nothing else 255.0
    composed = np.rint(colours * opacity + backdrop * (1 - opacity))
    return np.asarray(composed, np.uint8)


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
    if picture.dtype not in (np.uint8, np.uint16):  # OpenCV cannot resize 32-bit ones
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
