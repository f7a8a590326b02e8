"""What is sent is judged by the contract's models, and mistakes are named in words."""

from typing import Any

import pytest

from recognizer.api.contract import incoming
from recognizer.api.contract.judging import judged
from recognizer.reader.drawing import DrawingError, StrokeDrawing
from recognizer.tests.drawings import SEVEN

MODELS = [
    model
    for model in vars(incoming).values()
    if isinstance(model, type) and issubclass(model, incoming.In)
]


def refusal_of(data: Any) -> DrawingError:
    with pytest.raises(DrawingError) as caught:
        incoming.drawing_in(data)
    return caught.value


class TestModels:
    @pytest.mark.parametrize("model", MODELS)
    def test_say_in_a_sentence_what_belongs_into_each_field(
        self, model: type[incoming.In]
    ) -> None:
        for name, field in model.model_json_schema().get("properties", {}).items():
            assert field["description"].endswith("."), name

    @pytest.mark.parametrize("digit", [7, 7.0])
    def test_take_a_whole_number_however_json_writes_it(self, digit: float) -> None:
        assert judged(incoming.LabelIn, {"digit": digit}).digit == 7

    @pytest.mark.parametrize("digit", ["7", True, 7.5, 10, -1, 1e300, [7], {}])
    def test_take_no_other_value_for_one(self, digit: Any) -> None:
        with pytest.raises(DrawingError, match="a whole number from 0 to 9") as caught:
            judged(incoming.LabelIn, {"digit": digit})

        assert list(caught.value.fields) == ["digit"]


class TestMistakes:
    def test_in_a_point_are_named_by_its_place(self) -> None:
        good = [[1, 2]] * 8
        bad = [*good[:7], [1, "2"]]

        error = refusal_of({**SEVEN, "strokes": [good, good, good, bad]})

        assert error.fields == {"strokes[3][7]": "got a list of 2"}
        assert error.message.startswith("A point must be [x, y] or [x, y, t]")

    def test_in_a_row_of_pixels_are_named_by_its_place(self) -> None:
        error = refusal_of({"pixels": [[0] * 28] * 5 + [[256] * 28] * 23})

        assert list(error.fields) == ["pixels[5]"]

    def test_are_all_named_at_once(self) -> None:
        error = refusal_of({**SEVEN, "width": "280", "height": 0})

        assert error.fields == {"width": "got '280'", "height": "got 0"}
        assert error.message.count(".") == 2

    def test_show_no_more_than_a_piece_of_a_huge_value(self) -> None:
        error = refusal_of({**SEVEN, "pointer": "x" * 1000})

        assert len(error.fields["pointer"]) < 80


class TestStrokes:
    def test_are_kept_as_they_were_sent(self) -> None:
        sent = [[[1, 2.5], [3, 4, 5]]]

        drawing = incoming.drawing_in({**SEVEN, "strokes": sent})

        assert isinstance(drawing, StrokeDrawing)
        assert drawing.strokes == sent
        assert type(drawing.strokes[0][0][0]) is int
