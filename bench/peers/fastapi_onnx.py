"""FastAPI with ONNX Runtime, as its users write it: reads a PNG, stores nothing.

MODELS=folder uvicorn bench.peers.fastapi_onnx:app --workers 2
"""

import base64
import os
from io import BytesIO

import numpy as np
import onnxruntime
from fastapi import FastAPI
from PIL import Image, ImageOps
from pydantic import BaseModel

session = onnxruntime.InferenceSession(f"{os.environ['MODELS']}/model.onnx")
app = FastAPI()


class Drawing(BaseModel):
    """What is sent: a data URL."""

    image: str


@app.post("/predict")
async def predict(drawing: Drawing) -> dict[str, object]:
    """Read a digit."""
    content = base64.b64decode(drawing.image.split(",", 1)[1])
    picture = ImageOps.invert(Image.open(BytesIO(content)).convert("L"))
    pixels = np.asarray(picture.resize((28, 28)), np.float32) / 255
    (probabilities,) = session.run(None, {"image": pixels[None, None]})[0]
    return {
        "digit": int(probabilities.argmax()),
        "probabilities": probabilities.tolist(),
    }
