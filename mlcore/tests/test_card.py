"""What docs/ and the README say of the model is what the shipped bundle does."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlcore.judging import card as cards
from mlcore.judging.card import (
    CARD,
    PICTURES,
    README,
    card,
    load_evaluation,
    load_study,
)
from mlcore.judging.judge import Evaluation
from mlcore.reading.bundle import Bundle
from mlcore.reading.inference import Recogniser
from mlcore.training.data import DataError, Mnist
from mlcore.training.figures import read_mnist


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return load_evaluation()


class TestCard:
    def test_is_of_the_shipped_bundle(
        self, evaluation: Evaluation, starter_bundle: Bundle
    ) -> None:
        assert evaluation["bundle"] == starter_bundle.digest
        assert CARD.read_text() == card(starter_bundle, evaluation, load_study())

    def test_shows_every_picture_there_is(self) -> None:
        shown = re.findall(r"\]\(model/(.+?\.png)\)", CARD.read_text())

        assert sorted(shown) == sorted(path.name for path in PICTURES.glob("*.png"))
        assert len(shown) >= 6

    def test_quotes_what_the_bundle_reads(
        self, evaluation: Evaluation, starter: Recogniser, mnist: Mnist
    ) -> None:
        read = read_mnist(starter, mnist.test).figures()

        quoted = evaluation["digits"]["MNIST test, as pixels"]
        assert quoted["accuracy"] == read["accuracy"]
        assert quoted["refused"] == read["refused"]
        assert quoted["ece"] == pytest.approx(read["ece"], abs=1e-6)

    def test_says_whether_the_study_has_what_ships(
        self, starter_bundle: Bundle
    ) -> None:
        study = load_study()
        is_in_it = starter_bundle.digest in study["pen"]["bundles"]

        card = cards.CARD.read_text()

        assert ("The seed that ships has the lowest log-loss" in card) == is_in_it
        assert ("The shipped network is newer" in card) != is_in_it
        assert all(of_recipe["bundles"] for of_recipe in study.values())


class TestReadme:
    def test_holds_the_same_results(self, evaluation: Evaluation) -> None:
        readme = README.read_text()

        assert cards.with_results(readme, evaluation) == readme
        assert cards.readme_results(evaluation) in readme

    def test_without_marks_is_refused(self, evaluation: Evaluation) -> None:
        with pytest.raises(DataError, match="no marks"):
            cards.with_results("# Digitsite\n", evaluation)


class TestStudy:
    def test_that_is_missing_says_how_to_make_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cards, "PICTURES", tmp_path)

        with pytest.raises(DataError, match=r"python -m mlcore\.judging\.study"):
            load_study()

    def test_says_mean_and_deviation(
        self, evaluation: Evaluation, starter_bundle: Bundle
    ) -> None:
        study: dict[str, Mapping[str, Any]] = {
            "mnist": {**load_study()["mnist"]},
        }
        study["mnist"] = {
            **study["mnist"],
            "MNIST test, as pixels: accuracy": [0.996, 0.997, 0.998],
        }

        assert "99.70 % ± 0.10" in card(starter_bundle, evaluation, study)
