"""A server that reads and stores digits: FastAPI, ONNX Runtime, SQLAlchemy, SQLite.

    python -m bench.peers.network FOLDER
    PEER_FOLDER=FOLDER uvicorn bench.peers.app:app --workers 2

It decodes or rasterises a drawing, preprocesses it as MNIST does, and reads it. It
stores the drawing and its prediction in one transaction, which is on disk before it
responds. It has no accounts and no limits, and it checks types only.
"""

import base64
import json
import os
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from fastapi import FastAPI
from PIL import Image, ImageDraw, ImageOps
from pydantic import BaseModel
from sqlalchemy import ForeignKey, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.schema import CreateTable

FOLDER = Path(os.environ["PEER_FOLDER"])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1  # requests already run in parallel
network = onnxruntime.InferenceSession(FOLDER / "model.onnx", options)
engine = create_engine(
    f"sqlite:///{FOLDER / 'peer.sqlite3'}", connect_args={"timeout": 30}, pool_size=40
)


@event.listens_for(engine, "connect")
def set_up(connection: Any, _: object) -> None:
    """Make SQLite report a commit only once it is on disk."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


class Base(DeclarativeBase):
    """All tables."""


class Submission(Base):
    """A stored drawing."""

    __tablename__ = "submission"
    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    drawing: Mapped[bytes]


class Prediction(Base):
    """The network's reading of a drawing."""

    __tablename__ = "prediction"
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"), index=True)
    digit: Mapped[int]
    probabilities: Mapped[str]


@asynccontextmanager
async def make_tables(_: FastAPI) -> Any:
    """Create missing tables; two workers start at the same time."""
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
    yield


app = FastAPI(lifespan=make_tables)


class Strokes(BaseModel):
    """A drawing as the path of a pen."""

    strokes: list[list[list[float]]]
    width: float
    height: float
    pen_width: float


class Picture(BaseModel):
    """A drawing as the data URL of a PNG."""

    image: str


@app.post("/strokes", status_code=201)
def store_strokes(sent: Strokes) -> dict[str, object]:
    """Read and store strokes."""
    picture = Image.new("L", (round(sent.width), round(sent.height)))
    draw = ImageDraw.Draw(picture)
    for stroke in sent.strokes:
        points = [(x, y) for x, y, *_ in stroke]
        draw.line(points, fill=255, width=round(sent.pen_width), joint="curve")
    return store(sent.model_dump_json().encode(), picture)


@app.post("/png", status_code=201)
def store_png(sent: Picture) -> dict[str, object]:
    """Read and store a picture."""
    content = base64.b64decode(sent.image.split(",", 1)[1])
    picture = ImageOps.invert(Image.open(BytesIO(content)).convert("L"))
    return store(content, picture)


def store(drawing: bytes, picture: Image.Image) -> dict[str, object]:
    """Read a picture with white ink; store the drawing and its prediction."""
    framed = Image.new("L", (28, 28))
    ink = picture.crop(picture.getbbox())
    ink.thumbnail((20, 20))
    framed.paste(ink, ((28 - ink.width) // 2, (28 - ink.height) // 2))
    pixels = np.asarray(framed, np.float32) / 255
    (probabilities,) = network.run(None, {"image": pixels[None, None]})[0].tolist()
    digit = probabilities.index(max(probabilities))
    key = str(uuid.uuid4())
    with Session(engine) as session, session.begin():
        session.add(Submission(id=key, created_at=datetime.now(UTC), drawing=drawing))
        session.flush()
        session.add(
            Prediction(
                submission_id=key, digit=digit, probabilities=json.dumps(probabilities)
            )
        )
    return {"id": key, "digit": digit, "probabilities": probabilities}
