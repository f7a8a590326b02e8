"""What Schemathesis cannot make of a schema: pictures. It loads this module itself."""

import base64
import io

import numpy as np
import schemathesis
from hypothesis import strategies as st
from PIL import Image


def picture_as(kind: str, side: int, seed: int) -> bytes:
    """A picture of noise."""
    grey = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, kind)
    return file.getvalue()


def pictures(kind: str) -> st.SearchStrategy[bytes]:
    return st.builds(
        picture_as, st.just(kind), st.integers(1, 40), st.integers(0, 2**32 - 1)
    )


def data_url(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


schemathesis.openapi.media_type("image/png", pictures("PNG"))
schemathesis.openapi.media_type("image/jpeg", pictures("JPEG"))
schemathesis.openapi.media_type("image/webp", pictures("WEBP"))
schemathesis.openapi.media_type("image/gif", pictures("GIF"))
schemathesis.openapi.media_type("image/bmp", pictures("BMP"))
schemathesis.openapi.format("picture-data-url", pictures("PNG").map(data_url))
