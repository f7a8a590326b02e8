"""POST submissions/ and what can be done with one."""

import base64
import io
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image, ImageOps

from mlcore.reading.pictures import decode_stored_png, encode_png
from mlcore.reading.rasterise import draw_on_canvas
from recognizer.models import ModelVersion, Picture, Prediction, Submission, Visitor
from recognizer.reader import engine
from recognizer.reader.drawing import PixelDrawing
from recognizer.reader.recognisers import recogniser_for
from recognizer.tests.conftest import SEVEN, post_json

pytestmark = pytest.mark.usefixtures("active_model")
URL = "/api/v1/submissions/"


def seven_png() -> bytes:
    """The seven of the tests as black-on-white PNG."""
    strokes = [np.array(stroke, np.float32) for stroke in SEVEN["strokes"]]
    return encode_png(
        255 - draw_on_canvas(strokes, width=280, height=280, pen_width=18)
    )


def seven_as(kind: str, **options: Any) -> bytes:
    """The same as another kind of file."""
    return saved(Image.open(io.BytesIO(seven_png())), kind, **options)


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


class TestStrokes:
    def test_are_answered_with_the_reading(
        self, program: Client, active_model: ModelVersion
    ) -> None:
        response = post_json(program, URL, {**SEVEN, "pointer": "touch"})

        assert response.status_code == 201
        answer = response.json()
        assert set(answer) == {
            "id",
            "created_at",
            "source",
            "drawing",
            "prediction",
            "feedback",
            "label",
        }
        assert UUID(answer["id"]).version == 7
        assert answer["source"] == "api"
        assert answer["drawing"] == {**SEVEN, "pen_width": 18, "pointer": "touch"}
        assert answer["feedback"] is answer["label"] is None
        prediction = answer["prediction"]
        assert prediction["digit"] == 7
        assert prediction["refusal"] is None
        assert prediction["model"] == active_model.digest
        assert len(prediction["probabilities"]) == 10
        assert sum(prediction["probabilities"]) == pytest.approx(1)
        assert prediction["confidence"] == max(prediction["probabilities"])
        assert (
            prediction["probabilities"][prediction["second"]]
            == sorted(prediction["probabilities"])[-2]
        )
        assert 0 <= prediction["digitness"] <= 1

    def test_are_stored_as_drawn_with_what_was_shown(self, program: Client) -> None:
        drawing = {**SEVEN, "strokes": [[[1.5, -20, 0], [300, 299.25, 16]]]}

        answer = post_json(program, URL, drawing).json()

        submission = Submission.objects.get(pk=answer["id"])
        assert submission.strokes == drawing["strokes"]
        assert (submission.width, submission.height) == (280, 280)
        shown = submission.predictions.get(role=Prediction.Role.SHOWN)
        assert shown.probabilities == answer["prediction"]["probabilities"]
        assert shown.digit == submission.shown_digit == answer["prediction"]["digit"]

    @pytest.mark.parametrize("side", [1, 20, 28])
    def test_on_a_small_canvas_are_read_like_those_on_the_page(
        self, program: Client, side: int
    ) -> None:
        small = (np.array(SEVEN["strokes"]) * (side / 280)).tolist()

        answer = post_json(
            program, URL, {"strokes": small, "width": side, "height": side}
        ).json()

        large = post_json(program, URL, SEVEN).json()
        assert answer["prediction"]["probabilities"] == pytest.approx(
            large["prediction"]["probabilities"], abs=0.001
        )
        assert answer["drawing"]["pen_width"] == pytest.approx(18 * side / 280)

    def test_with_times_since_1970_are_stored_with_times_since_the_first_point(
        self, program: Client
    ) -> None:
        start = 1_764_368_800_000
        strokes = [
            [[70, 70, start], [205, 66, start + 90]],
            [[125, 225, start + 240.5]],
        ]

        answer = post_json(program, URL, {**SEVEN, "strokes": strokes}).json()

        since = [[[70, 70, 0], [205, 66, 90]], [[125, 225, 240.5]]]
        assert answer["drawing"]["strokes"] == since
        assert Submission.objects.get(pk=answer["id"]).strokes == since

    def test_location_leads_to_the_same_answer(self, program: Client) -> None:
        response = post_json(program, URL, SEVEN)

        again = program.get(response["Location"])

        assert again.status_code == 200
        assert again.json() == response.json()

    def test_a_single_point_is_a_dot_and_not_an_error(self, program: Client) -> None:
        response = post_json(program, URL, {**SEVEN, "strokes": [[[140, 140]]]})

        assert response.status_code == 201

    def test_from_our_own_page_are_marked_as_such(self, program: Client) -> None:
        response = post_json(program, URL, SEVEN, **{"Sec-Fetch-Site": "same-origin"})

        assert response.json()["source"] == "page"

    def test_include_seen_adds_the_picture_the_model_saw(self, program: Client) -> None:
        response = post_json(program, f"{URL}?include=seen", SEVEN)

        head, encoded = response.json()["prediction"]["seen"].split(",")
        picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
        assert head == "data:image/png;base64"
        assert picture.size == (28, 28)
        stored = program.get(f"{response['Location']}?include=seen").json()
        assert stored == response.json()

    def test_include_takes_the_image_that_was_just_read(
        self, program: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        decoded: list[Submission] = []
        monkeypatch.setattr("recognizer.reader.explanations.drawing_of", decoded.append)

        response = program.post(
            f"{URL}?include=seen,why", seven_png(), content_type="image/png"
        )

        assert response.json()["prediction"]["why"]
        assert not decoded


class TestPictures:
    @pytest.mark.parametrize(
        ("media_type", "content"),
        [
            ("image/png", seven_png()),
            ("image/jpeg", seven_as("JPEG")),
            ("image/webp", seven_as("WEBP")),
            ("image/gif", seven_as("GIF")),
            ("image/bmp", seven_as("BMP")),
            ("image/png", seven_as("GIF")),
            ("image/x-ms-bmp", seven_as("JPEG")),
        ],
    )
    def test_raw_bodies_are_read(
        self, program: Client, media_type: str, content: bytes
    ) -> None:
        response = program.post(URL, content, content_type=media_type)

        assert response.status_code == 201
        assert response.json()["prediction"]["digit"] == 7

    def test_multipart_is_read(self, program: Client) -> None:
        picture = SimpleUploadedFile("seven.png", seven_png(), "image/png")

        response = program.post(URL, {"image": picture})

        assert response.status_code == 201
        assert response.json()["prediction"]["digit"] == 7

    def test_data_urls_are_read_and_kept_as_png(self, program: Client) -> None:
        url = f"data:image/png;base64,{base64.b64encode(seven_png()).decode()}"

        answer = post_json(program, URL, {"image": url}).json()

        assert answer["prediction"]["digit"] == 7
        assert "drawing" not in answer
        kept = Image.open(io.BytesIO(Picture.objects.get(pk=answer["id"]).png))
        assert (kept.mode, kept.size) == ("L", (280, 280))
        seen = program.get(answer["drawing_url"])
        assert seen.status_code == 200
        assert seen["Content-Type"] == "image/png"

    def test_are_kept_in_colour(self, program: Client) -> None:
        grey = Image.open(io.BytesIO(seven_png()))
        red_on_white = Image.merge("RGB", [grey.point(lambda level: 255), grey, grey])

        response = program.post(
            URL, saved(red_on_white, "PNG"), content_type="image/png"
        )

        kept = decode_stored_png(
            bytes(Picture.objects.get(pk=response.json()["id"]).png)
        )
        assert np.array_equal(kept, np.asarray(red_on_white))

    def test_are_read_again_as_they_were_read_first(
        self, program: Client, active_model: ModelVersion
    ) -> None:
        photo = Image.open(io.BytesIO(seven_png())).resize((1500, 1300))
        content = saved(ImageOps.colorize(photo, "navy", "ivory"), "JPEG")

        answer = program.post(URL, content, content_type="image/jpeg").json()

        again = engine.read(
            engine.drawing_of(Submission.objects.get(pk=answer["id"])),
            recogniser=recogniser_for(active_model),
        )
        first = answer["prediction"]
        assert again.digit == first["digit"] == 7
        assert list(again.probabilities) == first["probabilities"]

    def test_base64_may_be_broken_into_lines(self, program: Client) -> None:
        text = base64.encodebytes(seven_png()).decode()

        answer = post_json(program, URL, {"image": f"data:image/png;base64,{text}"})

        assert answer.json()["prediction"]["digit"] == 7

    def test_from_our_own_page_are_uploads(self, program: Client) -> None:
        response = program.post(
            URL,
            seven_png(),
            content_type="image/png",
            headers={"Sec-Fetch-Site": "same-origin"},
        )

        assert response.json()["source"] == "upload"

    @pytest.mark.parametrize("strongest", [1, 16, 128])
    def test_faint_pixels_are_read_at_full_contrast_and_kept_as_sent(
        self, program: Client, strongest: int
    ) -> None:
        seven = np.zeros((28, 28), np.uint8)
        seven[5:8, 7:20] = seven[8:24, 16:19] = 1

        faint, full = (
            post_json(program, URL, {"pixels": (seven * ink).tolist()}).json()
            for ink in (strongest, 255)
        )

        for known in ("digit", "probabilities"):
            assert faint["prediction"][known] == full["prediction"][known]
        assert faint["prediction"]["digit"] == 7
        kept = engine.drawing_of(Submission.objects.get(pk=faint["id"]))
        assert isinstance(kept, PixelDrawing)
        assert np.array_equal(kept.levels, seven * strongest)
        assert program.get(faint["drawing_url"]).content == (
            program.get(full["drawing_url"]).content
        )

    def test_pixels_too_faint_to_see_are_blank(self, program: Client) -> None:
        answer = post_json(program, URL, {"pixels": [[3] * 28] * 28}).json()

        assert answer["prediction"]["refusal"]["code"] == "blank"

    def test_pixels_are_read_as_ink_and_read_the_same_again(
        self, program: Client
    ) -> None:
        pixels = np.zeros((28, 28), int)
        pixels[5:8, 7:20] = 255
        pixels[8:24, 16:19] = 255

        answer = post_json(program, f"{URL}?include=seen", {"pixels": pixels.tolist()})

        again = program.get(f"{answer['Location']}?include=seen").json()
        assert answer.status_code == 201
        assert again["prediction"] == answer.json()["prediction"]


class TestBlank:
    @pytest.mark.parametrize(
        "drawing",
        [
            {"pixels": [[0] * 28] * 28},
            {
                "image": "data:image/png;base64,"
                + base64.b64encode(
                    encode_png(np.full((50, 50), 255, np.uint8))
                ).decode()
            },
        ],
    )
    def test_is_a_stored_refusal(self, program: Client, drawing: Any) -> None:
        answer = post_json(program, URL, drawing)

        assert answer.status_code == 201
        prediction = answer.json()["prediction"]
        assert prediction["digit"] is prediction["second"] is None
        assert prediction["refusal"]["code"] == "blank"
        assert prediction["refusal"]["message"]
        assert prediction["probabilities"] == [0.1] * 10
        assert prediction["digitness"] == 0
        assert Submission.objects.get().refusal == "blank"


class TestOwnership:
    def test_the_first_stored_drawing_brings_the_cookie(self, program: Client) -> None:
        assert not program.get("/").cookies

        cookie = post_json(program, URL, SEVEN).cookies["visitor"]

        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"

    def test_the_next_drawing_has_the_same_owner_and_no_new_cookie(
        self, program: Client
    ) -> None:
        post_json(program, URL, SEVEN)

        second = post_json(program, URL, SEVEN)

        assert not second.cookies
        assert Visitor.objects.get().submissions.count() == 2

    @pytest.mark.parametrize("address", ["", "image.svg", "image.png"])
    def test_another_visitor_finds_nothing(self, address: str, program: Client) -> None:
        mine = post_json(program, URL, SEVEN)["Location"] + address
        stranger = Client()
        post_json(stranger, URL, SEVEN)

        answers = [stranger.get(mine), Client().get(mine), stranger.delete(mine)]

        assert answers[0].status_code == answers[1].status_code == 404
        assert answers[2].status_code in (404, 405)
        assert program.get(mine).status_code == 200

    def test_a_forged_cookie_owns_nothing(self, program: Client) -> None:
        mine = post_json(program, URL, SEVEN)["Location"]
        forger = Client()
        forger.cookies["visitor"] = f"{Visitor.objects.get().pk}:forged"

        assert forger.get(mine).status_code == 404

    def test_the_owner_deletes_it_with_its_chain(self, program: Client) -> None:
        mine = post_json(program, URL, SEVEN)["Location"]

        assert program.delete(mine).status_code == 204

        assert program.get(mine).status_code == 404
        assert not Submission.objects.exists()
        assert not Prediction.objects.exists()


class TestOtherSites:
    @pytest.mark.parametrize("came_from", ["cross-site", "same-site"])
    def test_their_pages_store_nothing(self, program: Client, came_from: str) -> None:
        response = post_json(program, URL, SEVEN, **{"Sec-Fetch-Site": came_from})

        assert response.status_code == 403
        assert response.json()["error"]["code"] == "permission_denied"
        assert not Submission.objects.exists()

    @pytest.mark.parametrize(
        "origin",
        [
            *("http://evil.example", "null", "http://testserver.evil.example"),
            *("http://testserver:8080", "https://sub.testserver", "http://[nonsense"),
        ],
    )
    def test_are_known_by_origin_where_browsers_say_no_more(
        self, program: Client, origin: str
    ) -> None:
        program.cookies["visitor"] = "kept"
        form = {"image": SimpleUploadedFile("seven.png", b"png")}

        answer = program.post(URL, form, headers={"Origin": origin})

        assert answer.status_code == 403
        assert not answer.cookies
        assert not Visitor.objects.exists()

    @pytest.mark.parametrize("origin", ["http://testserver", "https://TestServer"])
    def test_are_not_our_own_pages(self, program: Client, origin: str) -> None:
        assert post_json(program, URL, SEVEN, Origin=origin).status_code == 201

    def test_may_be_trusted(self, program: Client, settings: LazySettings) -> None:
        settings.CSRF_TRUSTED_ORIGINS = ["https://other.example"]
        headers = {"Origin": "https://other.example"}

        assert post_json(program, URL, SEVEN, **headers).status_code == 201

    def test_a_signed_in_browser_needs_the_csrf_token(
        self, program: Client, django_user_model: Any
    ) -> None:
        program.force_login(django_user_model.objects.create_user("reviewer"))

        response = post_json(program, URL, SEVEN)

        assert response.status_code == 403
        assert "CSRF" in response.json()["error"]["message"]


class TestPicturesOfDrawings:
    def test_svg_holds_the_strokes_and_the_ink_outside(self, program: Client) -> None:
        drawing = {**SEVEN, "strokes": [[[-50, 10], [20, 30]], [[5, 5]]]}
        mine = post_json(program, URL, drawing)["Location"]

        svg = program.get(f"{mine}image.svg")

        assert svg["Content-Type"] == "image/svg+xml"
        assert "private" in svg["Cache-Control"]
        text = svg.content.decode()
        assert 'viewBox="-59 -4 339 284"' in text
        assert "M-50 10L20 30" in text
        assert "M5 5h0" in text

    def test_is_sent_to_whoever_asks_for_a_picture(self, program: Client) -> None:
        mine = post_json(program, URL, SEVEN)["Location"]

        for name, accept in (("image.png", "image/png"), ("image.svg", "image/*")):
            answer = program.get(mine + name, headers={"Accept": accept})
            assert answer.status_code == 200

    def test_png_is_dark_on_white(self, program: Client) -> None:
        mine = post_json(program, URL, SEVEN)["Location"]

        png = program.get(f"{mine}image.png")

        picture = np.asarray(Image.open(io.BytesIO(png.content)))
        assert picture.shape == (560, 560)
        assert picture[0, 0] == 255
        assert picture.min() == 0


class TestList:
    def test_is_one_s_own_newest_first(self, program: Client) -> None:
        first = post_json(program, URL, SEVEN).json()
        second = post_json(program, URL, SEVEN).json()
        post_json(Client(), URL, SEVEN)

        answer = program.get(URL).json()

        assert answer == {"next": None, "previous": None, "results": [second, first]}

    def test_is_empty_for_who_never_drew(self, program: Client) -> None:
        answer = program.get(URL).json()

        assert answer == {"next": None, "previous": None, "results": []}

    def test_pages_lead_there_and_back_while_new_drawings_arrive(
        self, program: Client
    ) -> None:
        ids = [post_json(program, URL, SEVEN).json()["id"] for _ in range(5)][::-1]
        pages = [program.get(f"{URL}?page_size=2").json()]
        post_json(program, URL, SEVEN)
        while pages[-1]["next"]:
            pages.append(program.get(pages[-1]["next"]).json())
        back = program.get(pages[-1]["previous"]).json()

        assert [item["id"] for page in pages for item in page["results"]] == ids
        assert back["results"] == pages[-2]["results"]

    def test_filters_by_what_was_shown(self, program: Client) -> None:
        seven = post_json(program, URL, SEVEN).json()
        blank = post_json(program, URL, {"pixels": [[0] * 28] * 28}).json()

        assert program.get(f"{URL}?digit=7").json()["results"] == [seven]
        assert program.get(f"{URL}?digit=3").json()["results"] == []
        assert program.get(f"{URL}?refused=true").json()["results"] == [blank]
        assert program.get(f"{URL}?refused=false").json()["results"] == [seven]

    @pytest.mark.parametrize(
        "query", ["digit=12", "refused=maybe", "page_size=0", "before=x", "colour=red"]
    )
    def test_a_wrong_filter_is_an_error(self, program: Client, query: str) -> None:
        response = program.get(f"{URL}?{query}")

        assert response.status_code == 400
        assert query.split("=")[0] in response.json()["error"]["fields"]
