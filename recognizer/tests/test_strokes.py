"""What is stored of a drawing is few bytes, and all of it."""

import json
import zlib
from typing import Any

import numpy as np
import orjson
import pytest
from django.core import serializers
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.reading.specimens import specimens
from recognizer.models import Prediction, Submission
from recognizer.models.strokes import DamagedError, pack_strokes, unpack_strokes
from recognizer.reader import active, engine
from recognizer.reader.drawing import StrokeDrawing
from recognizer.tests.drawings import real_pen_drawings
from recognizer.tests.learning import hands, make_person, submit
from recognizer.tests.test_fuzz import STROKE

AS_THE_PAGE_SENDS = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, 2800).map(lambda tenths: tenths / 10),
            st.integers(0, 2800).map(lambda tenths: tenths / 10),
            st.integers(0, 86_400_000),
        ).map(list),
        min_size=1,
        max_size=60,
    ),
    min_size=1,
    max_size=8,
)


def as_javascript_writes(value: Any) -> Any:
    """Write whole floats as integers, as JSON.stringify does."""
    if isinstance(value, list):
        return [as_javascript_writes(one) for one in value]
    return int(value) if value == int(value) else value


class TestStrokes:
    @given(st.lists(STROKE, min_size=1, max_size=8))
    def test_come_back_as_they_were_whatever_is_sent(self, drawn: Any) -> None:
        packed = pack_strokes(drawn)

        assert unpack_strokes(packed) == drawn

    @settings(deadline=None)
    @given(AS_THE_PAGE_SENDS)
    def test_come_back_letter_by_letter_from_the_page(self, drawn: Any) -> None:
        sent = json.dumps(as_javascript_writes(drawn))

        packed = pack_strokes(json.loads(sent))

        assert json.dumps(unpack_strokes(packed)) == sent
        scale = orjson.loads(zlib.decompress(packed))[0]
        assert scale in (1, 10)  # by changes

    def test_take_less_than_plain_compressed_json(self) -> None:
        drawn = real_pen_drawings(each=5) or [(o.digit, o.strokes) for o in specimens()]
        json_bytes = packed_bytes = 0
        for _, strokes in drawn:
            rounded = [np.round(s.astype(float), 1).tolist() for s in strokes]
            json_bytes += len(zlib.compress(orjson.dumps(rounded), 9))
            packed_bytes += len(pack_strokes(rounded))

        assert packed_bytes < 0.8 * json_bytes

    @pytest.mark.parametrize(
        "written",
        [
            b"",
            b"[]",
            b"[1]",
            b"7",
            b"[1, [3], [0, 0], [0, 0]]",
            b"[1, [2], [0, 0]]",
            b"[1, [2], [0, 0], [0]]",
            b"[0, [1], [0], [0]]",
            b'[1, [1], ["x"], [0]]',
        ],
    )
    def test_that_are_damaged_are_an_error(self, written: bytes) -> None:
        with pytest.raises(DamagedError):
            unpack_strokes(written)
        with pytest.raises(DamagedError):
            unpack_strokes(zlib.compress(written))

    @pytest.mark.parametrize("number", [2**53 / 1000, 1e17, 1e300, 5e-324, 0.1234])
    def test_are_exact_where_numbers_are_odd(self, number: float) -> None:
        strokes = [[[number, -number], [0, number]]]

        assert unpack_strokes(pack_strokes(strokes)) == strokes


@pytest.mark.usefixtures("active_model")
class TestStoredDrawings:
    def test_are_read_as_the_shown_ones_to_the_digit_image(self) -> None:
        person = make_person()
        drawn = [one.strokes for hand in hands(2) for one in hand]
        drawn += [strokes for _, strokes in real_pen_drawings(each=2)]
        for strokes in drawn:
            shown = submit(person, strokes)
            stored = Submission.objects.with_shown_prediction().get(pk=shown.pk)

            seen = active.seen_in(engine.drawing_of(stored))

            sent = StrokeDrawing(shown.strokes or [], 280, 280, 18)
            assert seen is not None
            np.testing.assert_array_equal(active.seen_in(sent), seen)
            assert stored.strokes == shown.strokes
            assert stored.shown_prediction.probabilities == (
                shown.shown_prediction.probabilities
            )

    def test_survive_a_fixture(self) -> None:
        one = submit(make_person(), specimens()[0].strokes)
        rows = [one, one.shown_prediction]

        written = serializers.serialize("json", rows)
        submission, prediction = (
            read.object for read in serializers.deserialize("json", written)
        )

        assert isinstance(submission, Submission)
        assert submission.strokes == one.strokes
        assert isinstance(prediction, Prediction)
        assert prediction.probabilities == one.shown_prediction.probabilities
