"""The reader in the page: framing as in Python, and what the server tells it."""

import base64
import hashlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.test import Client
from prometheus_client import REGISTRY

from mlcore import paths
from mlcore.reading.bundle import SERVED_WEIGHTS
from mlcore.reading.marks import is_mark
from mlcore.reading.preprocess import SIDE_PX, normalize
from mlcore.reading.rasterise import rasterise
from recognizer.models import ModelVersion
from recognizer.tests.conftest import SEVEN, post_json, record_figure
from recognizer.tests.drawings import as_sent, every_pen_drawing, template_drawings
from recognizer.tests.test_javascript import HERE, node
from tools import vendor

FRAME = HERE / "js" / "frame_drawings.mjs"


def differing(drawings: Sequence[dict[str, Any]], scratch: Path) -> list[int]:
    """Return the places of drawings that page and server frame or mark differently."""
    files = [scratch / name for name in ("drawings.json", "images.f32", "marks.json")]
    files[0].write_text(json.dumps(drawings))
    subprocess.run([node(), FRAME, *files], check=True)
    images = np.fromfile(files[1], np.float32).reshape(-1, SIDE_PX, SIDE_PX, 1)
    marks = json.loads(files[2].read_text())
    assert len(images) == len(drawings)
    found = []
    for place, drawing in enumerate(drawings):
        strokes = [np.array(stroke, np.float32) for stroke in drawing["strokes"]]
        expected = normalize(rasterise(strokes, pen_width=drawing["pen_width"]))
        same = np.array_equal(images[place], expected)
        if not same or marks[place] != is_mark(expected):
            found.append(place)
    return found


class TestFraming:
    def test_of_templates_is_the_servers_bit_by_bit(self, tmp_path: Path) -> None:
        assert differing(template_drawings(), tmp_path) == []

    def test_of_random_strokes_of_any_size_is_the_servers(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)

        def stroke() -> list[list[float]]:
            size = 10 ** rng.uniform(-1, 5)
            sides = size * rng.uniform(0, 1, 2)
            points = rng.uniform(-1, 1, (rng.integers(1, 9), 2)) * sides
            return [[float(x), float(y)] for x, y in points]

        drawings = [
            {
                "strokes": [stroke() for _ in range(rng.integers(1, 4))],
                "pen_width": float(10 ** rng.uniform(-2, 3)),
            }
            for _ in range(1000)
        ]

        assert differing(drawings, tmp_path) == []


class TestFramingOfPenDrawings:
    __test__ = paths.pen_folder() is not None  # None: nothing to collect

    @pytest.mark.long
    def test_of_all_pen_drawings_is_the_servers(self, tmp_path: Path) -> None:
        drawings = [as_sent(strokes) for strokes in every_pen_drawing()]

        found = differing(drawings, tmp_path)

        record_figure(
            f"page and server frame {len(drawings):,} pen drawings: "
            f"{len(found)} differ in a bit"
        )
        assert len(drawings) > 10_000
        assert len(found) == 0


class TestBundle:
    def test_comes_with_calibration_and_weights_for_good(
        self, client: Client, active_model: ModelVersion
    ) -> None:
        answer = client.get(f"/reader/{active_model.digest}/")
        told = answer.json()
        weights = client.get(told["weights"]["url"])

        assert told["calibration"] == active_model.manifest["calibration"]
        assert told["preprocessing"] == active_model.manifest["preprocessing"]
        digest = hashlib.sha256(weights.content).digest()
        assert told["weights"]["integrity"] == (
            f"sha256-{base64.b64encode(digest).decode()}"
        )
        assert digest.hex() == active_model.manifest["files"][SERVED_WEIGHTS]
        for one in (answer, weights):
            assert one["Cache-Control"] == "public, max-age=31536000, immutable"
            assert "Cookie" not in one.get("Vary", "")

    def test_of_another_model_is_not_found(
        self, client: Client, active_model: ModelVersion
    ) -> None:
        other = active_model.digest[::-1]

        assert client.get(f"/reader/{other}/").status_code == 404
        assert client.get(f"/reader/{other}/model.tflite").status_code == 404

    @pytest.mark.usefixtures("no_model")
    def test_is_not_asked_for_without_a_model(self, client: Client) -> None:
        page = client.get("/")

        assert page.status_code == 200
        assert 'data-model=""' in page.content.decode()
        assert client.get(f"/reader/{'0' * 64}/").status_code == 404

    def test_is_named_by_the_page(
        self, client: Client, active_model: ModelVersion
    ) -> None:
        page = client.get("/").content.decode()

        assert f'data-model="{active_model.digest}"' in page


class TestWhatThePageRead:
    def counted(self, result: str) -> float:
        name = "digitsite_page_readings_total"
        return REGISTRY.get_sample_value(name, {"result": result}) or 0

    @pytest.mark.parametrize(
        ("read", "result"),
        [
            ({"digit": 7}, "same"),
            ({"digit": 1}, "different"),
            ({"refusal": "unsure"}, "different"),
            ({"digit": 7, "model": "0" * 64}, "other_model"),
        ],
    )
    def test_is_compared_and_counted(
        self,
        client: Client,
        active_model: ModelVersion,
        read: dict[str, Any],
        result: str,
    ) -> None:
        told = {"digit": None, "refusal": None, "model": active_model.digest, **read}
        before = self.counted(result)

        answer = post_json(
            client, "/api/v1/submissions/", {**SEVEN, "page_reading": told}
        )

        assert answer.status_code == 201
        assert answer.json()["prediction"]["digit"] == 7
        assert "page_reading" not in answer.json()["drawing"]
        assert self.counted(result) == before + 1

    @pytest.mark.parametrize(
        "told",
        [
            7,
            {"digit": 10, "model": "0" * 64},
            {"refusal": "no idea", "model": "0" * 64},
            {"digit": 7, "model": "the newest"},
            {"digit": 7},
        ],
    )
    @pytest.mark.usefixtures("active_model")
    def test_is_refused_if_it_is_none(self, client: Client, told: Any) -> None:
        answer = post_json(
            client, "/api/v1/submissions/", {**SEVEN, "page_reading": told}
        )

        assert answer.status_code == 400
        assert "page_reading" in json.dumps(answer.json()["error"]["fields"])


class TestVendoredRuntime:
    def test_is_what_its_digests_say(self) -> None:
        folder = vendor.FOLDER
        names = sorted(path.name for path in folder.iterdir())

        assert names == sorted(["LICENSE", vendor.SUMS, *vendor.FILES])
        files = {name: (folder / name).read_bytes() for name in vendor.FILES}
        assert vendor.sums(files) == (folder / vendor.SUMS).read_text()
        assert "Apache License" in (folder / "LICENSE").read_text()

    def test_is_named_by_the_page_and_by_its_release(self) -> None:
        page = (settings.BASE_DIR / "templates/recognizer/draw.html").read_text()

        assert (vendor.FOLDER / "litert.js").read_text().startswith("// @litertjs/core")
        assert vendor.RELEASE in (vendor.FOLDER / "litert.js").read_text()[:80]
        for name in vendor.FILES:
            assert f"vendor/litert/{name}" in page
