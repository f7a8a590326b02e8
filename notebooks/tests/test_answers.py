"""What is said of an experiment follows from its figures alone."""

from typing import Any

import numpy as np
import pytest

from notebooks.answers import curves, verdict


def found(*accuracies: float) -> dict[str, Any]:
    """Make an answer: one seed for each accuracy."""
    return {
        "runs": [
            {"seed": seed, "accuracy": [0.5, accuracy], "loss": [1.0, 0.1]}
            for seed, accuracy in enumerate(accuracies, start=1)
        ]
    }


class TestVerdict:
    def test_names_the_best_on_average_wherever_it_stands(self) -> None:
        answers = {"a": found(0.90, 0.92), "b": found(0.95, 0.97), "c": found(0.8, 0.8)}

        assert verdict(answers) == (
            "Best on average: **b**, 96.00 % ± 1.41, over 2 seeds. Behind by more than "
            "the spread: a, by 5.00 points; c, by 16.00 points."
        )

    def test_does_not_tell_apart_what_lies_within_the_spread(self) -> None:
        answers = {"a": found(0.97, 0.99), "b": found(0.975, 0.975)}

        assert verdict(answers) == (
            "Best on average: **a**, 98.00 % ± 1.41, over 2 seeds. Behind by no more "
            "than the spread, so not told apart: b, 97.50 % ± 0.00."
        )

    def test_says_nothing_of_one_seed(self) -> None:
        answers = {"a": found(0.97), "b": found(0.5)}

        assert verdict(answers) == (
            "Best on average: **a**, 97.00 % (one seed). One seed says nothing of the "
            "spread."
        )


class TestCurves:
    def test_show_each_seed_and_name_what_is_too_far_off(self) -> None:
        answers = {"near": found(0.97, 0.98), "far": found(0.1, 0.2)}

        _, right = curves(answers, is_ordered=False).axes

        shown = [list(np.asarray(line.get_xdata())) for line in right.lines]
        assert shown == [pytest.approx([97, 98]), pytest.approx([97.5])]
        assert [text.get_text() for text in right.texts] == [" ◂ 15.0 %"]
        assert [label.get_text() for label in right.get_yticklabels()] == list(answers)
