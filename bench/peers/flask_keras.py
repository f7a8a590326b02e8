"""Flask with `keras.Model.predict`, as tutorials write it: reads a PNG, stores nothing.

MODELS=folder gunicorn bench.peers.flask_keras:app --workers 2
"""

import base64
import os
from io import BytesIO

import keras
import numpy as np
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from PIL import Image, ImageOps

model = keras.models.load_model(f"{os.environ['MODELS']}/model.keras")
app = Flask(__name__)


@app.post("/predict")
def predict() -> ResponseReturnValue:
    """Read a digit."""
    content = base64.b64decode(request.json["image"].split(",", 1)[1])
    picture = ImageOps.invert(Image.open(BytesIO(content)).convert("L"))
    pixels = np.asarray(picture.resize((28, 28)), np.float32) / 255
    probabilities = model.predict(pixels[None, ..., None], verbose=0)[0]
    return jsonify(
        digit=int(probabilities.argmax()), probabilities=probabilities.tolist()
    )
