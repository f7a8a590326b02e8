"""Say where a call's processor time goes, piece by piece, in one process.

    python -m bench.pieces       # into docs/performance/pieces.json

A part of `make bench`. Each piece by itself over the same drawings; what is left of a
whole call is Django's, DRF's and the middleware's. Processor time: what waits for the
disk is not in it.
"""

import gc
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bench.load import write_bodies
from recognizer.reader.recognisers import recogniser_for

PASSES = 5


def cpu_us(piece: Callable[[Any], object], inputs: Iterable[Any]) -> float:
    """Return the processor time of a piece for one input: the median of PASSES."""
    given = list(inputs)
    passes = []
    for _ in range(PASSES):
        started = time.process_time()
        for one in given:
            piece(one)
        passes.append((time.process_time() - started) / len(given) * 1e6)
    return statistics.median(passes)


def caller(application: Any, path: str) -> Callable[[bytes], None]:
    """Return what sends a body to the site as one visitor, without any server."""
    cookie = ""

    def call(body: bytes) -> None:
        nonlocal cookie
        said: list[Any] = []
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_HOST": "127.0.0.1",
            "HTTP_COOKIE": cookie,
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "http",
        }
        response = application(environ, lambda *answer: said.extend(answer))
        b"".join(response)
        response.close()
        if not said[0].startswith("20"):
            raise RuntimeError(f"{path} answered {said[0]}.")
        cookie = cookie or dict(said[1]).get("Set-Cookie", "").split(";")[0]

    return call


def measure(var: Path) -> dict[str, float]:
    """Measure all pieces on a scratch data folder; microseconds by piece."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "digitsite.settings",
        "DIGITSITE_VAR": str(var),
        "DIGITSITE_THROTTLE": "999999999/min",
    }
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    call_command("prepare", stdout=io.StringIO())
    import orjson

    from mlcore.calibrate import kind_probabilities
    from mlcore.preprocess import normalize
    from recognizer.api.contract.incoming import drawing_in
    from recognizer.reader import engine
    from recognizer.reader.active import active_model

    bodies = {
        kind: path.read_bytes().splitlines() for kind, path in write_bodies(var).items()
    }
    recogniser = recogniser_for(active_model())
    calibration = recogniser.bundle.calibration
    parsed = [orjson.loads(body) for body in bodies["strokes"]]
    pictures = [orjson.loads(body) for body in bodies["png"]]
    drawings = [drawing_in(data) for data in parsed]
    bitmaps = [engine.bitmap_of(drawing) for drawing in drawings]
    images = [normalize(bitmap) for bitmap in bitmaps]
    logits = [recogniser.network.logits(image) for image in images]
    decoded = [drawing_in(data) for data in pictures]

    def decide(of: Any) -> None:
        calibration.refusal(calibration.digit_probabilities(of), kind_probabilities(of))

    gc.freeze()  # as the server does: what is loaded is in no collection's way
    return {
        "JSON of strokes": cpu_us(orjson.loads, bodies["strokes"]),
        "strokes judged": cpu_us(drawing_in, parsed),
        "strokes rasterised": cpu_us(engine.bitmap_of, drawings),
        "framed as MNIST": cpu_us(normalize, bitmaps),
        "LiteRT": cpu_us(recogniser.network.logits, images),
        "probabilities and refusal": cpu_us(decide, logits),
        "PNG decoded": cpu_us(drawing_in, pictures),
        "ink found in a picture": cpu_us(engine.bitmap_of, decoded),
        "active model asked for": cpu_us(lambda _: active_model(), parsed),
        "whole call: strokes, read": cpu_us(
            caller(application, "/api/v1/readings/"), bodies["reading"]
        ),
        "whole call: strokes, stored": cpu_us(
            caller(application, "/api/v1/submissions/"), bodies["strokes"]
        ),
        "whole call: PNG, stored": cpu_us(
            caller(application, "/api/v1/submissions/"), bodies["png"]
        ),
        "one of a batch of 256": cpu_us(
            caller(application, "/api/v1/readings/"), bodies["batch"]
        )
        / 256,
    }


def main() -> None:
    """Measure, and keep the figures."""
    from bench import performance

    with tempfile.TemporaryDirectory(prefix="bench-") as var:
        pieces = measure(Path(var))
    performance.FOLDER.mkdir(exist_ok=True)
    performance.PIECES.write_text(json.dumps(pieces, indent=1) + "\n")
    sys.stdout.write(performance.pieces_table(pieces))


if __name__ == "__main__":
    main()
