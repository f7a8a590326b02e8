"""Numbers through the API: read, stored, listed, and hidden from who did not ask."""

import base64
import json
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from mlcore.reading.pictures import encode_png
from mlcore.reading.rasterise import draw_on_canvas
from recognizer.drawings.derived import rebuild_derived
from recognizer.drawings.statistics import stats
from recognizer.models import Prediction, Submission
from recognizer.reader.numbers import MOST_DIGITS
from recognizer.tests.conftest import SEVEN, post_json

pytestmark = pytest.mark.usefixtures("active_model")
READINGS = "/api/v1/readings/"
SUBMISSIONS = "/api/v1/submissions/"
ONE = [[150, 70], [148, 150], [149, 225]]


def sevens(count: int, **more: Any) -> dict[str, Any]:
    """Return a number of sevens side by side."""
    (stroke,) = SEVEN["strokes"]
    strokes = [[[x + 200 * at, y] for x, y in stroke] for at in range(count)]
    return {"strokes": strokes, "width": 1000, "height": 280, **more}


def scribbled(**more: Any) -> dict[str, Any]:
    """Return a seven beside a scribble."""
    scribble = [[300 + 53 * at % 100, 100 + 37 * at % 120] for at in range(40)]
    drawing = sevens(1, **more)
    return {**drawing, "strokes": [*drawing["strokes"], scribble]}


def pictured(count: int) -> str:
    """Return a picture of sevens side by side, as a data URL."""
    (stroke,) = SEVEN["strokes"]
    bitmap = draw_on_canvas(
        [np.array(stroke, np.float32) + np.array([200 * at, 0]) for at in range(count)],
        width=200 * count + 80,
        height=280,
        pen_width=12,
    )
    png = base64.b64encode(encode_png(255 - bitmap)).decode()
    return f"data:image/png;base64,{png}"


def read(client: Client, drawing: dict[str, Any], query: str = "") -> dict[str, Any]:
    response = post_json(client, READINGS + query, {"drawings": [drawing]})
    assert response.status_code == 200
    (reading,) = response.json()["readings"]
    return dict(reading)


def stored(client: Client, drawing: dict[str, Any], query: str = "") -> dict[str, Any]:
    response = post_json(client, SUBMISSIONS + query, drawing)
    assert response.status_code == 201, response.json()
    return dict(response.json())


class TestReadings:
    @pytest.mark.parametrize("expect", ["number", "auto"])
    def test_have_a_number_where_one_is_expected(
        self, program: Client, expect: str
    ) -> None:
        reading = read(program, sevens(3, expect=expect))

        assert reading["number"]["text"] == "777"
        assert reading["digit"] is reading["second"] is reading["refusal"] is None
        assert reading["probabilities"] == [0.1] * 10
        assert reading["confidence"] == reading["number"]["confidence"]
        first = reading["number"]["digits"][0]
        assert set(first) == {
            *("digit", "confidence", "probabilities", "second", "box", "strokes")
        }
        assert first["box"] == [70, 66, 135, 159]
        assert first["strokes"] == [0]
        assert reading["number"]["ignored"] == []

    def test_have_none_where_a_digit_is_expected(self, program: Client) -> None:
        for drawing in (sevens(3), sevens(3, expect="digit")):
            reading = read(program, drawing)

            assert "number" not in reading
            assert reading["refusal"]["code"] == "several"

    def test_of_one_digit_are_a_digit_too(self, program: Client) -> None:
        number = read(program, {**SEVEN, "expect": "number"})
        auto = read(program, {**SEVEN, "expect": "auto"})

        assert (number["digit"], number["number"]["text"]) == (7, "7")
        assert auto == read(program, SEVEN)

    def test_keep_the_guess_beside_the_refusal(self, program: Client) -> None:
        reading = read(program, scribbled(expect="number"))

        guess = reading["number"]["text"]
        assert reading["refusal"]["code"] == "several"
        assert guess.startswith("7")
        assert guess in reading["refusal"]["message"]

    def test_say_the_limit(self, program: Client) -> None:
        reading = read(program, sevens(MOST_DIGITS + 1, expect="number"))

        assert reading["refusal"]["code"] == "several"
        assert "at most 20 digits" in reading["refusal"]["message"]
        assert "number" not in reading

    def test_show_what_was_seen_of_each_digit(self, program: Client) -> None:
        reading = read(program, sevens(2, expect="number"), "?include=seen")

        for digit in reading["number"]["digits"]:
            assert digit["seen"].startswith("data:image/png;base64,")

    def test_answer_only_what_is_allowed(self, program: Client) -> None:
        right = read(program, sevens(2, expect="auto", allowed=["77", "71"]))
        other = read(program, sevens(2, expect="number", allowed=["12", "345"]))

        assert right["number"]["text"] == "77"
        assert other["refusal"]["code"] == "several"

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"expect": "numbers"}, "expect"),
            ({"strokes": [[]], "allowed": ["77"]}, "strokes"),
            ({"expect": "number", "allowed": []}, "allowed"),
            ({"expect": "number", "allowed": "77"}, "allowed"),
            ({"expect": "number", "allowed": [77]}, "allowed"),
            ({"expect": "number", "allowed": ["7a"]}, "allowed"),
            ({"expect": "number", "allowed": ["\u0667"]}, "allowed"),
            ({"expect": "number", "allowed": ["7" * 21]}, "allowed"),
            ({"expect": "number", "allowed": ["7"] * 10_001}, "allowed"),
        ],
    )
    def test_refuse_nonsense(
        self, program: Client, wrong: dict[str, Any], field: str
    ) -> None:
        error = read(program, sevens(2, **wrong))["error"]

        assert error["code"] == "invalid"
        assert any(name.startswith(field) for name in error["fields"])

    def test_refuse_a_list_for_pixels(self, program: Client) -> None:
        blank = {"pixels": [[0] * 28] * 28, "allowed": ["7"]}

        assert (
            "allowed needs strokes or an image"
            in (read(program, blank)["error"]["message"])
        )

    def test_expect_a_number_where_a_list_is_given(self, program: Client) -> None:
        assert read(program, sevens(2, allowed=["77"]))["number"]["text"] == "77"

    def test_take_what_is_hostile(self, program: Client) -> None:
        (seven,) = SEVEN["strokes"]
        strokes = [
            [[x + 31 * at % 90, y + 57 * at % 70] for x, y in seven]
            for at in range(200)
        ]
        pile = {**SEVEN, "strokes": strokes, "expect": "number"}
        dots = {**SEVEN, "strokes": [[[9 * x, 5]] for x in range(40)]}

        for drawing in (pile, {**dots, "expect": "number"}, {**dots, "expect": "auto"}):
            assert read(program, drawing)["refusal"] is not None


class TestSubmissions:
    def test_keep_a_number(self, program: Client) -> None:
        answer = stored(program, sevens(2, expect="auto"))

        prediction = Prediction.objects.get()
        assert answer["prediction"]["number"]["text"] == "77"
        assert answer["prediction"]["refusal"] is None
        assert (prediction.digit, prediction.refusal) == (None, "")
        assert prediction.answer == "77"
        assert str(prediction) == "shown to the visitor: 77"
        assert prediction.submission.shown_number == "77"

    def test_show_it_to_who_asks(self, program: Client) -> None:
        url = f"{SUBMISSIONS}{stored(program, sevens(2, expect='number'))['id']}/"

        one = program.get(f"{url}?include=number,seen").json()["prediction"]
        (listed,) = program.get(f"{SUBMISSIONS}?include=number").json()["results"]

        assert one["number"]["text"] == "77"
        assert one["number"]["digits"][1]["seen"].startswith("data:image/png")
        assert listed["prediction"]["number"]["text"] == "77"
        assert listed["prediction"]["refusal"] is None

    def test_hide_it_from_others(self, program: Client) -> None:
        url = f"{SUBMISSIONS}{stored(program, sevens(2, expect='number'))['id']}/"

        one = program.get(url).json()["prediction"]
        (listed,) = program.get(f"{SUBMISSIONS}?refused=true").json()["results"]

        for prediction in (one, listed["prediction"]):
            assert "number" not in prediction
            assert prediction["digit"] is None
            assert prediction["refusal"]["code"] == "several"

    def test_keep_an_unsure_number_beside_the_refusal(self, program: Client) -> None:
        answer = stored(program, scribbled(expect="number"))["prediction"]

        submission = Submission.objects.get()
        assert submission.refusal == answer["refusal"]["code"] == "several"
        assert submission.shown_number == ""
        assert Prediction.objects.get().number_text == answer["number"]["text"]

    def test_keep_one_digit_as_a_digit(self, program: Client) -> None:
        answer = stored(program, {**SEVEN, "expect": "number"})["prediction"]

        assert (answer["digit"], answer["number"]["text"]) == (7, "7")
        assert Submission.objects.get().shown_digit == 7
        assert Prediction.objects.get().number is None

    def test_take_what_is_expected_from_the_address(self, program: Client) -> None:
        answer = stored(program, sevens(2), "?expect=number")

        assert answer["prediction"]["number"]["text"] == "77"
        assert program.post(f"{SUBMISSIONS}?expect=word").status_code == 400

    def test_count_numbers_apart(self, program: Client) -> None:
        for drawing in (sevens(2, expect="number"), sevens(2), SEVEN):
            stored(program, drawing)

        found = stats()

        assert (found.submissions, found.refused, sum(found.by_digit)) == (3, 1, 1)

    def test_can_be_derived_again(self, program: Client) -> None:
        stored(program, sevens(2, expect="number"))

        assert rebuild_derived() == 0
        Submission.objects.update(shown_number="", refusal="several")
        assert rebuild_derived() == 1
        assert Submission.objects.get().shown_number == "77"

    def test_are_exported_to_who_asks(self, program: Client) -> None:
        stored(program, sevens(2, expect="number"))

        def exported(query: str) -> dict[str, Any]:
            answer = program.get(f"{SUBMISSIONS}export/{query}")
            found: dict[str, Any] = json.loads(b"".join(answer))["prediction"]
            return found

        assert exported("?include=number")["number"]["text"] == "77"
        assert "number" not in exported("")
        assert exported("")["refusal"]["code"] == "several"


class TestPictures:
    @pytest.mark.parametrize("expect", ["number", "auto"])
    def test_are_read_as_numbers(self, program: Client, expect: str) -> None:
        reading = read(program, {"image": pictured(3), "expect": expect})

        number = reading["number"]
        assert number["text"] == "777"
        assert reading["digit"] is reading["refusal"] is None
        assert [digit["strokes"] for digit in number["digits"]] == [[], [], []]
        lefts = [digit["box"][0] for digit in number["digits"]]
        assert lefts == sorted(lefts)

    def test_show_one_digit_by_default(self, program: Client) -> None:
        reading = read(program, {"image": pictured(3)})

        assert "number" not in reading
        assert reading["refusal"]["code"] == "several"

    def test_of_one_digit_are_a_digit_too(self, program: Client) -> None:
        number = read(program, {"image": pictured(1), "expect": "number"})
        auto = read(program, {"image": pictured(1), "expect": "auto"})

        assert (number["digit"], number["number"]["text"]) == (7, "7")
        assert auto == read(program, {"image": pictured(1)})

    def test_may_be_limited_to_a_list(self, program: Client) -> None:
        right = read(program, {"image": pictured(2), "allowed": ["77", "12"]})
        other = read(program, {"image": pictured(2), "allowed": ["12"]})

        assert right["number"]["text"] == "77"
        assert other["refusal"]["code"] == "several"

    def test_have_gaps_for_empty_boxes(self, client: Client) -> None:
        (stroke,) = SEVEN["strokes"]
        page = np.full((360, 960), 255, np.uint8)
        for place in range(3):
            left = 30 + 300 * place
            cv2.rectangle(page, (left, 30), (left + 300, 330), 0, 4)
            if place != 1:
                seven = np.array(stroke, np.int32) + np.array([left, 40])
                cv2.polylines(page, [seven], False, 40, 12)
        png = base64.b64encode(encode_png(page)).decode()
        image = f"data:image/png;base64,{png}"

        answer = stored(client, {"image": image, "expect": "auto"})
        page_of_it = client.get(f"/history/{answer['id']}/?place=2")

        number = answer["prediction"]["number"]
        assert number["text"] == Submission.objects.get().shown_number == "7_7"
        assert [digit["digit"] for digit in number["digits"]] == [7, None, 7]
        assert "Read as 7_7" in page_of_it.content.decode()
        url = f"{SUBMISSIONS}{answer['id']}/feedback/"
        wrong = {"verdict": "wrong", "number": "7_1"}
        assert post_json(client, url, wrong).status_code == 201

    def test_are_kept_with_their_number(self, program: Client) -> None:
        answer = stored(program, {"image": pictured(2)}, "?expect=number")
        url = f"{SUBMISSIONS}{answer['id']}/?include=number,seen"

        prediction = program.get(url).json()["prediction"]

        assert Submission.objects.get().shown_number == "77"
        assert prediction["number"]["text"] == "77"
        for digit in prediction["number"]["digits"]:
            assert digit["seen"].startswith("data:image/png")

    @pytest.mark.parametrize("is_raw", [True, False])
    def test_are_sent_as_files_too(self, program: Client, is_raw: bool) -> None:
        url = f"{SUBMISSIONS}?expect=auto"
        png = base64.b64decode(pictured(2).partition(",")[2])

        answer = (
            program.post(url, png, content_type="image/png")
            if is_raw
            else program.post(url, {"image": BytesIO(png)})
        )

        assert answer.json()["prediction"]["number"]["text"] == "77"

    def test_are_shown_after_an_upload(self, client: Client) -> None:
        png = base64.b64decode(pictured(2).partition(",")[2])
        picture = SimpleUploadedFile("two.png", png, content_type="image/png")

        page = client.post("/upload/", {"picture": picture}, follow=True)

        assert "Read as 77" in page.content.decode()

    def test_of_pixels_have_one_digit(self, program: Client) -> None:
        pixels = np.zeros((28, 28), int)
        pixels[4:24, 13:16] = 255
        drawing = {"pixels": pixels.tolist()}

        number = read(program, {**drawing, "expect": "number"})

        assert number["digit"] == read(program, drawing)["digit"]
        assert number["number"]["text"] == str(number["digit"])


class TestPages:
    def test_show_the_number(self, client: Client) -> None:
        one = stored(client, sevens(2, expect="auto"))["id"]

        listed = client.get("/history/").content.decode()
        shown = client.get(f"/history/{one}/").content.decode()

        assert "read as 77" in listed
        assert "Read as 77" in shown
        assert "Each digit" in shown
        assert "Yes, it is 77" in shown

    def test_list_it_among_numbers_and_not_as_refused(self, client: Client) -> None:
        one = stored(client, sevens(2, expect="auto"))["id"]
        refused = stored(client, sevens(2))["id"]

        listed = client.get("/history/?refused=true").content.decode()
        numbers = client.get("/history/?number=true").content.decode()

        assert one not in listed
        assert refused in listed
        assert one in numbers
        assert refused not in numbers

    def test_show_it_to_staff(self, client: Client, admin_client: Client) -> None:
        one = stored(client, sevens(2, expect="auto"))["id"]

        for url in ("", f"{one}/change/"):
            page = admin_client.get(f"/admin/recognizer/submission/{url}")

            assert "77 (" in page.content.decode()
