import json
from pathlib import Path

import numpy as np
import pytest

from mlcore.judging.pictures import (
    BOXED,
    REPORTS,
    ROWS,
    Sample,
    outcomes,
    read_real,
    read_scenes,
    read_without_digit,
    real_pictures,
    together,
)
from mlcore.judging.report import scenes
from mlcore.judging.scenes import EMPTY, HARDER, SCENES
from mlcore.reading.calibrate import RefusalCode
from mlcore.reading.inference import Reading, Recogniser
from mlcore.reading.pictures import encode_png
from mlcore.reading.preprocess import Bitmap
from mlcore.reading.rasterise import draw_on_canvas
from mlcore.tests.making import picture_of, specimen


def drawn(name: str) -> Bitmap:
    strokes = specimen(name).strokes
    return draw_on_canvas(strokes, width=280, height=280, pen_width=12)


def sample(*, truth: int | None, digit: int | None) -> Sample:
    refusal: RefusalCode | None = "unsure" if digit is None else None
    reading = Reading(digit, (0.1,) * 10, None, 1.0, refusal, None)
    return Sample(np.zeros((9, 9, 3), np.uint8), truth, reading)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as PICTURES_DIR names one: a three, blank paper, and bug reports."""
    three = encode_png(picture_of(specimen("3 round").strokes))
    blank = encode_png(np.full((90, 90), 255, np.uint8))
    for name in ("own", "pages", "reports"):
        (tmp_path / name).mkdir()
    (tmp_path / "own/1.png").write_bytes(three)
    (tmp_path / "pages/1.png").write_bytes(blank)
    (tmp_path / "reports/1.png").write_bytes(three)
    truth = {
        "own/1.png": {"value": "3", "source": "we"},
        "pages/1.png": {"value": None, "refusal": "blank", "source": "we"},
    }
    reports = [
        {"file": "1.png", "right": "refuse"},
        {"file": "strokes.json", "right": 5},
    ]
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "reports/truth.json").write_text(json.dumps(reports))
    return tmp_path


class TestOutcomes:
    def test_are_right_refused_or_wrong(self) -> None:
        samples = [
            sample(truth=3, digit=3),
            sample(truth=3, digit=None),
            sample(truth=3, digit=5),
            sample(truth=3, digit=8),
        ]

        assert outcomes(samples) == {
            "pictures": 4,
            "right": 0.25,
            "refused": 0.25,
            "wrong": 0.5,
        }

    def test_are_right_if_what_has_no_digit_is_refused(self) -> None:
        samples = [sample(truth=None, digit=None), sample(truth=None, digit=1)]

        found = outcomes(samples)

        assert (found["right"], found["refused"], found["wrong"]) == (0.5, 0, 0.5)

    def test_of_several_sets_weigh_each_picture_the_same(self) -> None:
        one = outcomes([sample(truth=3, digit=3)])
        three = outcomes([sample(truth=3, digit=None)] * 3)

        assert together([one, three]) == {
            "pictures": 4,
            "right": 0.25,
            "refused": 0.75,
            "wrong": 0,
        }


class TestReading:
    def test_counts_each_scene_and_shows_what_was_missed(
        self, starter: Recogniser
    ) -> None:
        threes = [drawn("3 round"), drawn("3 round")]

        found, shown = read_scenes(starter, {"ours": (threes, np.array([3, 4]))})

        assert list(found) == list(shown) == list(SCENES)
        assert found["circled"]["ours"]["right"] == 0.5
        assert [one.is_right for one in shown["circled"]] == [True, False]
        sheet = scenes(shown)
        titles = [axes.get_title(loc="center") for axes in sheet.axes]
        assert "circled\n4 read as 3" in titles

    def test_counts_what_has_no_digit_by_kind(self, starter: Recogniser) -> None:
        found = read_without_digit(
            starter,
            number=2,
            others={"threes": [drawn("3 round")]},
            digits=[drawn("3 round"), drawn("7 crossed")],
        )

        assert {*EMPTY, *(f"{size} digits in a row" for size in ROWS)} < set(found)
        assert found["threes"]["wrong"] == found[f"threes, {BOXED}"]["wrong"] == 1
        assert found["8 digits in a row"]["right"] == 1


class TestRealPictures:
    def test_are_named_by_folder_and_source(self, folder: Path) -> None:
        assert list(real_pictures(folder)) == [
            ("own, we", folder / "own/1.png", 3),
            ("pages, we", folder / "pages/1.png", None),
            (REPORTS, folder / "reports/1.png", None),
        ]

    def test_need_no_bug_reports(self, folder: Path) -> None:
        (folder / "reports/truth.json").unlink()
        (folder / "reports/1.png").unlink()
        (folder / "reports").rmdir()

        assert len(list(real_pictures(folder))) == 2

    def test_are_counted_by_source(self, folder: Path, starter: Recogniser) -> None:
        found = read_real(starter, folder)

        assert found["own, we"]["right"] == found["pages, we"]["right"] == 1
        assert {f"own with {trouble}" for trouble in HARDER} < set(found)
        assert found["own with 1 px black border"]["right"] == 1
        assert found[REPORTS] == {
            "pictures": 1,
            "right": 0,
            "refused": 0,
            "wrong": 1,
        }
