"""POST readings/: many drawings, nothing stored."""

import base64
import gc
import io
from typing import Any

import numpy as np
import pytest
from django.test import Client
from PIL import Image

from mlcore.reading.pictures import decode_stored_png, encode_png
from mlcore.reading.rasterise import draw_on_canvas
from recognizer.models import ModelVersion, Submission, Visitor
from recognizer.tests.conftest import SEVEN, post_json

pytestmark = pytest.mark.usefixtures("active_model")
URL = "/api/v1/readings/"


def read(client: Client, *drawings: Any, query: str = "") -> list[Any]:
    response = post_json(client, URL + query, {"drawings": drawings})
    assert response.status_code == 200
    readings: list[Any] = response.json()["readings"]
    return readings


def picture_in(data_url: str) -> np.ndarray:
    content = base64.b64decode(data_url.split(",")[1])
    return np.asarray(Image.open(io.BytesIO(content)))


class TestReadings:
    def test_hold_exactly_the_contract_s_fields(
        self, program: Client, active_model: ModelVersion
    ) -> None:
        response = post_json(program, URL, {"drawings": [SEVEN]})

        assert set(response.json()) == {"model", "readings"}
        assert response.json()["model"] == active_model.digest
        (reading,) = response.json()["readings"]
        assert set(reading) == {
            "digit",
            "confidence",
            "probabilities",
            "second",
            "digitness",
            "refusal",
        }

    def test_store_nothing_and_set_no_cookie(self, program: Client) -> None:
        response = post_json(program, URL, {"drawings": [SEVEN]})

        assert not response.cookies
        assert not Submission.objects.exists()
        assert not Visitor.objects.exists()

    def test_are_what_a_submission_of_the_same_drawing_gets(
        self, program: Client
    ) -> None:
        (reading,) = read(program, SEVEN, query="?include=seen")

        stored = post_json(program, "/api/v1/submissions/?include=seen", SEVEN).json()

        assert {**reading, "model": stored["prediction"]["model"]} == (
            stored["prediction"]
        )

    def test_leave_no_drawing_behind_for_a_later_collection(
        self, program: Client
    ) -> None:
        read(program, SEVEN)  # what is made once is there
        gc.collect()
        gc.disable()
        try:
            read(program, *[{**SEVEN, "pen_width": 23.25}] * 3)
            left = [
                one
                for one in gc.get_objects()
                if type(one) is dict and one.get("pen_width") == 23.25
            ]
        finally:
            gc.enable()

        assert left == []

    def test_come_in_the_order_of_the_drawings(self, program: Client) -> None:
        one = {"strokes": [[[140, 40], [140, 240]]], "width": 280, "height": 280}
        blank = {"pixels": [[0] * 28] * 28}

        first, second, third = read(program, one, blank, SEVEN)

        assert first["digit"] == 1
        assert second["refusal"]["code"] == "blank"
        assert third["digit"] == 7

    def test_of_a_blank_show_a_black_picture(self, program: Client) -> None:
        (reading,) = read(program, {"pixels": [[0] * 28] * 28}, query="?include=seen")

        png = base64.b64decode(reading["seen"].split(",")[1])
        assert not decode_stored_png(png).any()


class TestWhy:
    def test_colours_the_ink_and_nothing_else(self, program: Client) -> None:
        (reading,) = read(program, SEVEN, query="?include=seen,why")

        seen, why = (picture_in(reading[extra]) for extra in ("seen", "why"))
        assert why.shape == (28, 28, 4)
        strength = why[..., 3]
        assert strength.max() == 255
        assert not strength[seen == 0].any()

    def test_finds_what_tells_the_digit_apart(self, program: Client) -> None:
        one = {"strokes": [[[140, 40], [140, 240]]], "width": 280, "height": 280}
        bar = [[80, 45], [105, 42], [140, 40]]
        seven = {**one, "strokes": [[*bar, [140, 240]]]}

        (reading,) = read(program, seven, query="?include=seen,why")

        seen, why = (picture_in(reading[extra]) for extra in ("seen", "why"))
        speaks = why[..., 3].astype(float)
        assert reading["digit"] == 7
        upper, lower = speaks[:12].sum(), speaks[16:].sum()
        assert upper > 2 * lower
        assert seen[16:].any()

    def test_of_a_blank_is_empty(self, program: Client) -> None:
        (reading,) = read(program, {"pixels": [[0] * 28] * 28}, query="?include=why")

        assert not picture_in(reading["why"]).any()

    def test_is_the_same_of_a_stored_drawing(self, program: Client) -> None:
        (reading,) = read(program, SEVEN, query="?include=why")

        stored = post_json(program, "/api/v1/submissions/?include=why", SEVEN)

        again = program.get(f"{stored['Location']}?include=why").json()
        assert again == stored.json()
        assert again["prediction"]["why"] == reading["why"]


class TestTheSameDrawing:
    def test_moved_or_scaled_reads_the_same(self, program: Client) -> None:
        strokes = np.array(SEVEN["strokes"][0], float)
        corner = {**SEVEN, "strokes": [(strokes * 0.25 + 200).tolist()]}
        outside = {**SEVEN, "strokes": [(strokes + 5000).tolist()]}

        here, there, gone = read(program, SEVEN, corner, outside)

        assert here["digit"] == there["digit"] == gone["digit"] == 7
        assert there["confidence"] == pytest.approx(here["confidence"], abs=0.02)
        assert gone["confidence"] == pytest.approx(here["confidence"], abs=0.02)

    def test_reads_the_same_dark_on_light_and_light_on_dark(
        self, program: Client
    ) -> None:
        strokes = [np.array(stroke, np.float32) for stroke in SEVEN["strokes"]]
        light = draw_on_canvas(strokes, width=280, height=280, pen_width=18)
        urls = [
            f"data:image/png;base64,{base64.b64encode(encode_png(picture)).decode()}"
            for picture in (light, 255 - light)
        ]

        on_dark, on_light = read(program, *({"image": url} for url in urls))

        assert on_dark == on_light
        assert on_dark["digit"] == 7


class TestRefusal:
    def test_of_a_tangle_says_why_in_a_sentence(self, program: Client) -> None:
        rng = np.random.default_rng(3)
        tangle = rng.uniform(20, 260, size=(80, 2)).tolist()

        (reading,) = read(program, {**SEVEN, "strokes": [tangle]})

        assert reading["digit"] is None
        assert reading["refusal"]["code"] in ("several", "not_a_digit", "unsure")
        assert reading["refusal"]["message"].endswith(".")
        assert reading["confidence"] == max(reading["probabilities"])
        assert reading["digitness"] < 0.5
