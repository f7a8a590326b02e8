"""Bad input gets a clear 4xx in the one error form, and nothing is stored."""

import base64
import codecs
import gzip
import struct
import zlib
from typing import Any

import numpy as np
import orjson
import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from mlcore.reading.pictures import encode_png
from recognizer.models import Submission, Visitor
from recognizer.tests.conftest import SEVEN, post_json

pytestmark = pytest.mark.usefixtures("active_model")
URL = "/api/v1/submissions/"


def with_strokes(strokes: Any) -> dict[str, Any]:
    return {**SEVEN, "strokes": strokes}


def as_data_url(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header names a huge picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


PNG = encode_png(np.arange(2500, dtype=np.uint8).reshape(50, 50))

BAD_DRAWINGS: dict[str, tuple[Any, str]] = {
    "no strokes": (with_strokes([]), "invalid"),
    "a stroke without points": (with_strokes([[[1, 2]], []]), "invalid"),
    "strokes that are no list": (with_strokes("7"), "invalid"),
    "strokes of null": (with_strokes(None), "invalid"),
    "a point of one number": (with_strokes([[[1]]]), "invalid"),
    "a point of four numbers": (with_strokes([[[1, 2, 3, 4]]]), "invalid"),
    "a point of words": (with_strokes([[["1", "2"]]]), "invalid"),
    "a point of truth": (with_strokes([[[True, False]]]), "invalid"),
    "a point of null": (with_strokes([[[None, 1]]]), "invalid"),
    "a point too far away": (with_strokes([[[100_001, 0]]]), "invalid"),
    "a point of a huge integer": (with_strokes([[[2**63, 0]]]), "invalid"),
    "a point after a huge time": (with_strokes([[[1, 2, 1e308]]]), "invalid"),
    "a point years after the first": (
        with_strokes([[[1, 2, 0], [1, 2, 1_764_368_800_000]]]),
        "invalid",
    ),
    "a point years before the first": (
        with_strokes([[[1, 2, 1_764_368_800_000], [1, 2, 0]]]),
        "invalid",
    ),
    "a point of words after times since 1970": (
        with_strokes([[[1, 2, 1_764_368_800_000], ["1", "2", "3"]]]),
        "invalid",
    ),
    "too many points": (with_strokes([[[1, 2]] * 10_001]), "too_many_points"),
    "too many strokes": (with_strokes([[[1, 2]]] * 201), "too_many_strokes"),
    "no width": ({"strokes": [[[1, 2]]], "height": 280}, "invalid"),
    "a width of zero": ({**SEVEN, "width": 0}, "invalid"),
    "a height too large": ({**SEVEN, "height": 10_001}, "invalid"),
    "a pen without width": ({**SEVEN, "pen_width": 0}, "invalid"),
    "a width in words": ({**SEVEN, "width": "280"}, "invalid"),
    "an unknown pointer": ({**SEVEN, "pointer": "nose"}, "invalid"),
    "a pointer that is a list": ({**SEVEN, "pointer": []}, "invalid"),
    "nothing to read": ({"width": 280, "height": 280}, "invalid"),
    "two drawings in one": ({**SEVEN, "pixels": [[0] * 28] * 28}, "invalid"),
    "a list": ([SEVEN], "invalid"),
    "a number": (7, "invalid"),
    "null": (None, "invalid"),
    "27 rows of pixels": ({"pixels": [[0] * 28] * 27}, "invalid"),
    "a row of 29 pixels": ({"pixels": [[0] * 28] * 27 + [[0] * 29]}, "invalid"),
    "pixels above 255": ({"pixels": [[256] * 28] * 28}, "invalid"),
    "pixels below 0": ({"pixels": [[-1] * 28] * 28}, "invalid"),
    "pixels of fractions": ({"pixels": [[0.5] * 28] * 28}, "invalid"),
    "pixels of truth": ({"pixels": [[True] * 28] * 28}, "invalid"),
    "an image that is no text": ({"image": 7}, "invalid"),
    "an image that is no data URL": ({"image": "seven.png"}, "not_a_data_url"),
    "damaged base64": ({"image": "data:image/png;base64,@@"}, "not_a_data_url"),
    "bytes that are no image": ({"image": as_data_url(b"MZ" * 99)}, "not_an_image"),
    "a truncated image": ({"image": as_data_url(PNG[:-40])}, "damaged_image"),
    "an empty image": ({"image": as_data_url(b"")}, "not_an_image"),
}


class TestBadDrawings:
    @pytest.mark.parametrize("name", BAD_DRAWINGS)
    def test_get_a_clear_400_and_leave_nothing(
        self, program: Client, name: str
    ) -> None:
        drawing, code = BAD_DRAWINGS[name]

        response = program.post(
            URL, orjson.dumps(drawing), content_type="application/json"
        )

        assert response.status_code == 400
        error = response.json()["error"]
        assert set(error) == {"code", "message", "fields"}
        assert error["code"] == code
        assert len(error["message"]) > 20
        assert not Submission.objects.exists()
        assert not Visitor.objects.exists()
        assert not response.cookies

    @pytest.mark.parametrize("name", BAD_DRAWINGS)
    def test_get_their_own_error_in_a_batch(self, program: Client, name: str) -> None:
        drawing, code = BAD_DRAWINGS[name]
        body = {"drawings": [SEVEN, drawing, SEVEN]}

        response = program.post(
            "/api/v1/readings/", orjson.dumps(body), content_type="application/json"
        )

        assert response.status_code == 200
        before, bad, after = response.json()["readings"]
        assert bad["error"]["code"] == code
        assert before == after
        assert before["digit"] == 7

    def test_a_pixel_bomb_is_refused_before_it_is_decoded(
        self, program: Client
    ) -> None:
        bomb = as_data_url(png_claiming(10_000, 10_000))

        response = post_json(program, URL, {"image": bomb})

        assert response.status_code == 413
        assert response.json()["error"]["code"] == "too_many_pixels"
        assert not Submission.objects.exists()


class TestBadBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"not json",
            b'{"strokes": [[[NaN, 1]]], "width": 280, "height": 280}',
            b'{"strokes": [[[Infinity, 1]]], "width": 280, "height": 280}',
            b'{"strokes": [[[1e999, 1]]], "width": 280, "height": 280}',
            b'{"strokes": [[[1' + b"0" * 400 + b', 1]]], "width": 280, "height": 280}',
            b"[" * 100_000,
            b'{"strokes": "\xff"}',
        ],
    )
    def test_that_are_no_json_get_400(self, program: Client, body: bytes) -> None:
        response = program.post(URL, body, content_type="application/json")

        assert response.status_code == 400
        assert response.json()["error"]["code"] in ("malformed_body", "invalid")
        assert not Submission.objects.exists()

    def test_in_chunks_get_411(self, program: Client) -> None:
        response = program.post(
            URL,
            b"{}",
            content_type="application/json",
            headers={"Transfer-Encoding": "chunked"},
        )

        assert response.status_code == 411
        assert "Content-Length" in response.json()["error"]["message"]

    def test_over_the_limit_get_413(
        self, program: Client, settings: LazySettings
    ) -> None:
        settings.MAX_BODY_BYTES = 1000

        response = program.post(URL, b"x" * 1001, content_type="image/png")

        assert response.status_code == 413
        assert response.json()["error"]["code"] == "body_too_large"

    def test_of_an_unknown_kind_get_415(self, program: Client) -> None:
        response = program.post(URL, b"7", content_type="text/plain")

        assert response.status_code == 415
        assert "application/json" in response.json()["error"]["message"]

    def test_of_a_picture_kind_without_a_picture_get_400(self, program: Client) -> None:
        response = program.post(URL, b"GIF89a" + bytes(99), content_type="image/png")

        assert response.status_code == 400
        assert response.json()["error"]["code"] == "damaged_image"

    def test_of_a_known_kind_that_is_not_read_are_named(self, program: Client) -> None:
        response = program.post(
            URL, b"%PDF-1.7\n" + bytes(99), content_type="image/png"
        )

        error = response.json()["error"]
        assert response.status_code == 400
        assert error["code"] == "not_an_image"
        assert error["message"] == (
            "This file is of type PDF: send a PNG, JPEG, WebP, GIF or BMP picture."
        )
        assert error["fields"] == {"image": "PDF"}

    def test_multipart_without_the_image_gets_400(self, program: Client) -> None:
        response = program.post(URL, {"picture": "x"})

        assert response.status_code == 400
        assert "image" in response.json()["error"]["message"]

    def test_multipart_with_two_images_gets_400(self, program: Client) -> None:
        two = [SimpleUploadedFile(f"{n}.png", PNG, "image/png") for n in (1, 2)]

        response = program.post(URL, {"image": two})

        assert response.status_code == 400
        assert response.json()["error"]["fields"] == {"image": "got 2 files"}
        assert not Submission.objects.exists()

    @pytest.mark.parametrize("url", [URL, "/api/v1/readings/"])
    @pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP"])
    def test_that_are_packed_get_415(
        self, program: Client, url: str, encoding: str
    ) -> None:
        response = program.post(
            url,
            gzip.compress(orjson.dumps({"drawings": [SEVEN]})),
            content_type="application/json",
            headers={"Content-Encoding": encoding},
        )

        error = response.json()["error"]
        assert response.status_code == 415
        assert error["code"] == "unsupported_media_type"
        assert f"Content-Encoding '{encoding}'" in error["message"]

    def test_that_say_they_are_not_packed_are_read(self, program: Client) -> None:
        response = program.post(
            URL,
            orjson.dumps(SEVEN),
            content_type="application/json",
            headers={"Content-Encoding": "identity"},
        )

        assert response.status_code == 201

    def test_that_begin_with_a_byte_order_mark_are_read(self, program: Client) -> None:
        response = program.post(
            URL,
            codecs.BOM_UTF8 + orjson.dumps(SEVEN),
            content_type="application/json",
        )

        assert response.status_code == 201

    def test_damaged_multipart_gets_400(self, program: Client) -> None:
        response = program.post(URL, b"--x", content_type="multipart/form-data")

        assert response.status_code == 400
        assert response.json()["error"]["code"] == "malformed_body"


class TestBadBatches:
    @pytest.mark.parametrize(
        "body",
        [{}, {"drawings": []}, {"drawings": SEVEN}, [SEVEN], None, {"drawing": 7}],
    )
    def test_get_400(self, program: Client, body: Any) -> None:
        response = program.post(
            "/api/v1/readings/", orjson.dumps(body), content_type="application/json"
        )

        assert response.status_code == 400
        assert "drawings" in response.json()["error"]["message"]

    def test_of_257_get_400_and_of_256_are_read(self, program: Client) -> None:
        most = post_json(program, "/api/v1/readings/", {"drawings": [SEVEN] * 256})
        more = post_json(program, "/api/v1/readings/", {"drawings": [SEVEN] * 257})

        assert len(most.json()["readings"]) == 256
        assert more.status_code == 400

    def test_that_take_too_long_are_sent_back_in_part(
        self, program: Client, settings: LazySettings
    ) -> None:
        settings.MAX_SECONDS_PER_CALL = -1

        response = post_json(program, "/api/v1/readings/", {"drawings": [SEVEN] * 2})

        assert response.status_code == 200
        codes = [item["error"]["code"] for item in response.json()["readings"]]
        assert codes == ["too_slow", "too_slow"]

    def test_an_unknown_include_gets_400(self, program: Client) -> None:
        response = post_json(
            program, "/api/v1/readings/?include=seen,dreams", {"drawings": [SEVEN]}
        )

        assert response.status_code == 400
        assert "dreams" in response.json()["error"]["fields"]["include"]


class TestBadAddresses:
    @pytest.mark.parametrize(
        "path", ["/api/", "/api/v1/", "/api/v1/nothing/", "/api/v1/submissions"]
    )
    def test_get_404_in_the_error_form(self, program: Client, path: str) -> None:
        response = post_json(program, path, SEVEN)

        assert response.status_code == 404
        assert "slash" in response.json()["error"]["message"]

    def test_a_wrong_method_gets_405_with_the_right_ones(self, program: Client) -> None:
        response = program.get("/api/v1/readings/")

        assert response.status_code == 405
        assert response["Allow"] == "POST, OPTIONS"
        assert response.json()["error"]["code"] == "method_not_allowed"

    def test_html_is_not_to_be_had_of_the_api(self, program: Client) -> None:
        response = program.get("/api/v1/submissions/", headers={"Accept": "text/html"})

        assert response.status_code == 406
        assert response.json()["error"]["code"] == "not_acceptable"

    def test_a_page_that_does_not_exist_is_a_page(self, program: Client) -> None:
        response = program.get("/nowhere/")

        assert response.status_code == 404
        assert response["Content-Type"].startswith("text/html")


class TestWithoutAModel:
    def test_a_drawing_is_answered_503_and_nothing_stored(
        self, program: Client, active_model: Any
    ) -> None:
        type(active_model).objects.update(stage="retired")

        response = post_json(program, URL, SEVEN)

        assert response.status_code == 503
        assert response["Retry-After"]
        assert "again" in response.json()["error"]["message"]
        assert not Submission.objects.exists()

    def test_an_error_of_ours_is_a_500_in_the_error_form(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def break_down(**_: Any) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(
            "recognizer.api.views.submissions.submit_drawing", break_down
        )
        program = Client(raise_request_exception=False)

        response = post_json(program, URL, SEVEN)

        assert response.status_code == 500
        assert response.json()["error"]["code"] == "server_error"
