"""What a person is told about a picture that is refused."""

from typing import Any

import cv2
import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from mlcore.judging.scenes import SCENES
from mlcore.reading.pictures import Picture, encode_png
from mlcore.reading.preprocess import Bitmap
from mlcore.reading.rasterise import draw_on_canvas
from mlcore.reading.specimens import specimens
from recognizer.models import Doubt, Prediction
from recognizer.tests.conftest import SEVEN, post_json

pytestmark = pytest.mark.usefixtures("active_model")
URL = "/api/v1/submissions/"
CUT_OFF = "The digit is cut off at the edge. Show all of it."
SMALL = "The digit is very small. Move closer, or crop the picture to it."
SEVERAL = "There are several shapes: draw one digit, or crop the picture to one."


def drawn(digit: int) -> Bitmap:
    made = next(made for made in specimens() if made.digit == digit)
    return draw_on_canvas(made.strokes, width=280, height=280, pen_width=18)


def cut_off() -> Picture:
    """Return the lower two thirds of a zero."""
    return SCENES["cut off at an edge"](drawn(0), np.random.default_rng(0))


def small(ink: Bitmap, *, side: int) -> Picture:
    """Return a page 1000 px wide with ink as small as this."""
    page = np.full((1000, 1000), 255, np.uint8)
    page[500 : 500 + side, 500 : 500 + side] = cv2.resize(
        255 - ink, (side, side), interpolation=cv2.INTER_AREA
    )
    return np.repeat(page[..., np.newaxis], 3, axis=2)


def cross() -> Bitmap:
    bitmap = np.zeros((280, 280), np.uint8)
    for ends in (((30, 30), (250, 250)), ((250, 30), (30, 250))):
        cv2.line(bitmap, *ends, 255, 20)
    return bitmap


def sent(program: Client, picture: Picture, **headers: str) -> Any:
    answer = program.post(
        URL, encode_png(picture), content_type="image/png", headers=headers
    )
    assert answer.status_code == 201
    return answer.json()["prediction"]


class TestMessages:
    def test_of_a_cut_off_digit_asks_for_all_of_it(self, program: Client) -> None:
        prediction = sent(program, cut_off())

        assert prediction["digit"] is None
        assert prediction["refusal"]["message"] == CUT_OFF
        assert Prediction.objects.get().doubt == Doubt.CUT_OFF

    def test_of_tiny_ink_asks_to_move_closer(self, program: Client) -> None:
        prediction = sent(program, small(cross(), side=50))

        assert prediction["digit"] is None
        assert prediction["refusal"]["message"] == SMALL
        assert Prediction.objects.get().doubt == Doubt.SMALL

    def test_of_a_digit_too_tiny_to_read_asks_to_move_closer(
        self, program: Client
    ) -> None:
        prediction = sent(program, small(drawn(8), side=30))

        assert prediction["refusal"]["message"] == SMALL

    def test_of_several_digits_asks_for_one(self, program: Client) -> None:
        (seven,) = SEVEN["strokes"]
        strokes = [[[x + right, y] for x, y in seven] for right in (0, 200, 400)]

        answer = post_json(
            program, URL, {"strokes": strokes, "width": 680, "height": 280}
        )

        refusal = answer.json()["prediction"]["refusal"]
        assert refusal == {"code": "several", "message": SEVERAL}

    def test_is_german_for_a_german_reader(self, program: Client) -> None:
        prediction = sent(program, cut_off(), accept_language="de")

        assert prediction["refusal"]["message"] == (
            "Die Ziffer ist am Rand abgeschnitten. Zeige sie ganz."
        )

    def test_is_shown_on_the_page_and_stays(self, client: Client) -> None:
        file = SimpleUploadedFile("zero.png", encode_png(cut_off()), "image/png")

        page = client.post("/upload/", {"picture": file}, follow=True)

        assert CUT_OFF in page.content.decode()
        assert CUT_OFF in client.get(page.request["PATH_INFO"]).content.decode()

    def test_of_a_whole_digit_has_no_doubt(self, program: Client) -> None:
        framed = SCENES["1 px border"](drawn(3), np.random.default_rng(0))

        prediction = sent(program, framed)

        assert (prediction["digit"], prediction["refusal"]) == (3, None)
        assert Prediction.objects.get().doubt == ""


class TestBadPictures:
    @pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (300, 300)], ids=str)
    @pytest.mark.parametrize("level", [0, 128, 255])
    def test_of_one_colour_are_blank(
        self, program: Client, shape: tuple[int, int], level: int
    ) -> None:
        prediction = sent(program, np.full((*shape, 3), level, np.uint8))

        assert prediction["refusal"]["code"] == "blank"

    def test_of_a_frame_only_is_refused(self, program: Client) -> None:
        frame = np.full((200, 200, 3), 255, np.uint8)
        cv2.rectangle(frame, (10, 10), (190, 190), (0, 0, 0), 4)

        assert sent(program, frame)["digit"] is None

    def test_of_noise_is_refused(self, program: Client) -> None:
        noise = np.random.default_rng(1).integers(0, 256, (200, 200, 3))

        assert sent(program, noise.astype(np.uint8))["digit"] is None
