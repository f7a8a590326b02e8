"""Whatever is sent as a drawing gets a reading or a clear 4xx, never more.

Hypothesis makes drawings that are right, drawings with one thing wrong, and JSON of any
kind: structure, numbers, unicode, nesting, sizes.
"""

import json
import math
from typing import Any

import pytest
from django.conf import settings as site
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recognizer.models import Submission
from recognizer.tests.conftest import SEVEN

pytestmark = pytest.mark.usefixtures("active_model")

FUZZ = settings(
    max_examples=100,
    deadline=None,
    # One database for all examples; each looks at its own rows alone.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

ANY_NUMBER = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([2**53 + 1, -(2**63), 2**64, 1e308, -0.0, 5e-324, 1e400]),
)
ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | ANY_NUMBER | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner)
    ),
    max_leaves=30,
)
FAR = site.MAX_COORDINATE
COORDINATE = st.floats(-FAR, FAR) | st.integers(-FAR, FAR)
POINT = st.lists(COORDINATE, min_size=2, max_size=2)
TIMED_POINT = st.builds(lambda xy, t: [*xy, t], POINT, st.floats(0, 1e7))
STROKE = st.lists(POINT | TIMED_POINT, min_size=1, max_size=40)
RIGHT = st.fixed_dictionaries(
    {
        "strokes": st.lists(STROKE, min_size=1, max_size=8),
        "width": st.floats(1, 10_000),
        "height": st.integers(1, 10_000),
    },
    optional={
        "pen_width": st.floats(0.1, 10_000),
        "pointer": st.sampled_from(["mouse", "touch", "pen", "keyboard", "", None]),
    },
) | st.fixed_dictionaries(
    {
        "pixels": st.lists(
            st.lists(st.integers(0, 255), min_size=28, max_size=28),
            min_size=28,
            max_size=28,
        )
    }
)


@st.composite
def nearly_right(draw: st.DrawFn) -> Any:
    """A right drawing with one place changed to anything."""
    drawing: Any = draw(st.just(SEVEN) | RIGHT)
    drawing = json.loads(json.dumps(drawing))
    place, key = drawing, draw(st.sampled_from(sorted(drawing)))
    while isinstance(place[key], list) and place[key] and draw(st.booleans()):
        place, key = place[key], draw(st.integers(0, len(place[key]) - 1))
    place[key] = draw(ANY_JSON)
    return drawing


def send(body: bytes) -> tuple[int, Any]:
    answer = Client().post(
        "/api/v1/submissions/", body, content_type="application/json"
    )
    return answer.status_code, answer.json()


def is_clear(answer: Any) -> bool:
    error = answer["error"]
    return (
        set(error) == {"code", "message", "fields"}
        and 20 < len(error["message"]) < 500
        and len(json.dumps(error["fields"])) < 2000
    )


def is_sound(prediction: Any) -> bool:
    probabilities = prediction["probabilities"]
    return (
        math.isclose(sum(probabilities), 1, abs_tol=1e-6)
        and prediction["confidence"] == max(probabilities)
        and (prediction["digit"] is None) != (prediction["refusal"] is None)
        and 0 <= prediction["digitness"] <= 1
    )


@pytest.mark.long
class TestDrawings:
    @FUZZ
    @given(drawing=RIGHT)
    def test_that_are_right_are_read_and_kept(self, drawing: Any) -> None:
        status, answer = send(json.dumps(drawing).encode())

        assert status == 201
        assert is_sound(answer["prediction"])
        if "strokes" in drawing:
            kept = Submission.objects.get(pk=answer["id"])
            assert kept.strokes == drawing["strokes"]

    @FUZZ
    @given(drawing=nearly_right())
    def test_that_are_nearly_right_are_read_or_refused(self, drawing: Any) -> None:
        before = Submission.objects.count()

        status, answer = send(json.dumps(drawing).encode())

        assert status in (201, 400)
        if status == 400:
            assert is_clear(answer)
        else:
            assert is_sound(answer["prediction"])
        assert Submission.objects.count() == before + (status == 201)

    @FUZZ
    @given(body=ANY_JSON)
    def test_of_any_json_are_refused(self, body: Any) -> None:
        status, answer = send(json.dumps(body).encode())

        assert status == 400
        assert is_clear(answer)

    @FUZZ
    @given(body=st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
    def test_of_any_bytes_are_refused(self, body: bytes) -> None:
        status, answer = send(body)

        assert status == 400
        assert is_clear(answer)

    @FUZZ
    @given(picture=st.binary(max_size=300), start=st.integers(0, 3))
    def test_of_any_bytes_called_a_picture_are_refused(
        self, picture: bytes, start: int
    ) -> None:
        heads = (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WEBP")

        answer = Client().post(
            "/api/v1/submissions/", heads[start] + picture, content_type="image/png"
        )

        assert answer.status_code in (400, 413)
        assert is_clear(answer.json())

    @FUZZ
    @given(batch=st.lists(RIGHT | nearly_right() | ANY_JSON, min_size=1, max_size=6))
    def test_in_a_batch_are_answered_one_by_one(self, batch: list[Any]) -> None:
        answer = Client().post(
            "/api/v1/readings/",
            json.dumps({"drawings": batch}),
            content_type="application/json",
        )

        # NaN and the infinities are no JSON: the whole body is refused.
        if answer.status_code == 400:
            assert answer.json()["error"]["code"] == "malformed_body"
            return
        assert answer.status_code == 200
        readings = answer.json()["readings"]
        assert len(readings) == len(batch)
        assert all(
            is_clear(one) if "error" in one else is_sound(one) for one in readings
        )

    @pytest.mark.parametrize("depth", [10, 1_000, 100_000])
    def test_nested_deep_are_refused(self, depth: int) -> None:
        nested = "[" * depth + "]" * depth

        status, answer = send(f'{{"strokes": {nested}}}'.encode())

        assert status == 400
        assert is_clear(answer)
