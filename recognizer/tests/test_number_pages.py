"""A number on its own page: its digits at their places, and their correction."""

import re
from typing import Any

import pytest
from django.test import Client

from recognizer.models import Prediction, Submission
from recognizer.tests.conftest import post_json
from recognizer.tests.test_numbers_api import scribbled, sevens

pytestmark = pytest.mark.usefixtures("active_model")
LINK = re.compile(
    r'<a class="read-digit" href="([^"]*)" aria-label="([^"]*)"( aria-current="true")?>'
    r'<rect x="([\d.-]*)" y="[\d.-]*" width="([\d.-]*)" height="[\d.-]*"/>'
)


def draw(client: Client, drawing: dict[str, Any]) -> str:
    """Store a drawing; return the address of its page."""
    made = post_json(client, "/api/v1/submissions/", drawing).json()
    return f"/history/{made['id']}/"


def text_of(client: Client, path: str, **headers: str) -> str:
    return client.get(path, headers=headers).content.decode()


def buttons(client: Client, path: str) -> dict[str, tuple[str, str]]:
    """Return what each digit's button sends."""
    page = text_of(client, path)
    found = re.findall(r'name="(\w+)" value="(\w+)" aria-pressed="\w+">(\d)<', page)
    return {digit: (name, value) for name, value, digit in found}


class TestDigits:
    @pytest.mark.parametrize("language", ["en", "de"])
    def test_are_links_at_their_places(self, client: Client, language: str) -> None:
        path = draw(client, sevens(3, expect="number"))

        page = text_of(client, path, accept_language=language)

        links = LINK.findall(page)
        assert [href for href, *_ in links] == [
            f"?place={place}#feedback" for place in (1, 2, 3)
        ]
        assert [label for _, label, *_ in links] == {
            "en": [f"Digit {place} of 3: 7" for place in (1, 2, 3)],
            "de": [f"Ziffer {place} von 3: 7" for place in (1, 2, 3)],
        }[language]
        # The strokes' boxes, with half a pen and a little around them.
        assert [(float(x), float(width)) for *_, x, width in links] == [
            (70 + 200 * at - 10, 135 + 20) for at in range(3)
        ]

    def test_keep_the_filters_of_the_history(self, client: Client) -> None:
        path = draw(client, sevens(2, expect="number"))

        page = text_of(client, f"{path}?number=true")

        assert LINK.findall(page)[0][0] == "?number=true&amp;place=1#feedback"

    def test_of_a_guess_are_shown_too(self, client: Client) -> None:
        path = draw(client, scribbled(expect="number"))
        prediction = Prediction.objects.get()
        assert prediction.refusal == "several"

        page = text_of(client, path)

        assert prediction.number is not None
        assert len(LINK.findall(page)) == len(prediction.number["text"])
        assert f'value="{prediction.number["text"]}"' in page

    def test_are_at_their_places_on_a_picture(self, client: Client) -> None:
        path = draw(client, {"pixels": [[0] * 28] * 28})
        digit = {"digit": 7, "confidence": 0.9, "second": 1, "strokes": []}
        digits = [{**digit, "box": [10 * at, 4, 8, 20]} for at in range(2)]
        Prediction.objects.update(
            number={"text": "77", "digits": digits, "ignored": []}
        )

        page = text_of(client, path)

        assert 'viewBox="0 0 28 31.5"' in page
        assert [float(x) for *_, x, _ in LINK.findall(page)] == [-1.0, 9.0]

    def test_may_be_empty_boxes(self, client: Client) -> None:
        path = draw(client, sevens(3, expect="number"))
        prediction = Prediction.objects.get()
        assert prediction.number is not None
        digits = prediction.number["digits"]
        digits[1] |= {"digit": None, "second": None}
        number = {**prediction.number, "text": "7_7", "digits": digits}
        Prediction.objects.update(number=number)

        links = LINK.findall(text_of(client, path))

        assert links[1][1] == "Digit 2 of 3: _"
        assert buttons(client, f"{path}?place=3")["1"] == ("digit", "7_1")
        assert buttons(client, f"{path}?place=2")["0"] == ("digit", "707")

    def test_of_one_digit_are_not_links(self, client: Client) -> None:
        page = text_of(client, draw(client, sevens(1, expect="number")))

        assert LINK.findall(page) == []


class TestCorrection:
    def test_of_one_digit_sends_the_whole_number(self, client: Client) -> None:
        path = draw(client, sevens(3, expect="number"))

        page = text_of(client, f"{path}?place=2")
        sent = buttons(client, f"{path}?place=2")
        client.post(f"{path}feedback/", dict([sent["1"]]))

        assert 'aria-label="Digit 2 of 3: 7" aria-current="true"' in page
        assert "Digit 2 is" in page
        assert sent == {
            str(digit): ("digit", f"7{digit}7") for digit in range(10) if digit != 7
        }
        submission = Submission.objects.get()
        assert (submission.verdict, submission.corrected_number) == ("wrong", "717")

    def test_goes_on_from_what_was_corrected_before(self, client: Client) -> None:
        path = draw(client, sevens(3, expect="number"))
        client.post(f"{path}feedback/", {"digit": "717"})

        assert buttons(client, f"{path}?place=1")["2"] == ("digit", "217")
        # The number that was read is right: it is no correction.
        assert buttons(client, f"{path}?place=2")["7"] == ("verdict", "right")

    @pytest.mark.parametrize("place", ["0", "4", "-1", "x", "1.0", "\u0661", ""])
    def test_ignores_places_that_do_not_exist(self, client: Client, place: str) -> None:
        path = draw(client, sevens(3, expect="number"))

        sent = buttons(client, f"{path}?place={place}")

        assert sent["1"] == ("digit", "1")

    def test_of_a_digit_is_as_before(self, client: Client) -> None:
        path = draw(client, sevens(1))

        sent = buttons(client, f"{path}?place=1")

        assert sent == {
            str(digit): ("digit", str(digit)) for digit in range(10) if digit != 7
        }
