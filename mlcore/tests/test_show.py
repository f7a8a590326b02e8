"""Digits in the terminal."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlcore.judging import show
from mlcore.judging.show import dots_and_zeros, mnist_digit, picture_in, shown
from mlcore.reading.inference import BLANK, Recogniser
from mlcore.tests.making import encoded, picture_of, specimen
from mlcore.training.data import DataError, Mnist


class TestDotsAndZeros:
    def test_keep_the_form(self) -> None:
        image = np.array([[0, 255, 0], [84, 85, 255]], np.uint8)

        assert dots_and_zeros(image) == [". 0 .", ". 0 0"]


class TestShown:
    def test_says_digit_runner_up_and_all_ten(
        self, starter: Recogniser, mnist: Mnist
    ) -> None:
        reading = starter.read(mnist.test.images[0])

        lines = shown("MNIST test 0", reading).splitlines()

        assert lines[0] == "MNIST test 0"
        assert len(lines) == 30
        assert all(len(line) <= 80 and line.isascii() for line in lines)
        assert sum("read as 7" in line for line in lines) == 1
        assert f"{reading.second} second" in "\n".join(lines)
        assert any("  7 ============  99." in line for line in lines)
        picture = [line[:55] for line in lines[2:]]
        ink = sum(line.count("0") for line in picture)
        assert ink == (mnist.test.images[0] >= 85).sum()

    def test_says_why_it_refuses(self, starter: Recogniser) -> None:
        scattered = np.zeros((200, 200), np.uint8)
        scattered[20:40, 20:180] = scattered[160:180, 20:60] = 255
        scattered[90:110, 90:190] = scattered[60:150, 10:20] = 255

        reading = starter.read(scattered)

        assert reading.refusal
        assert "refused: " in shown("", reading)
        assert "refused: no ink" in shown("", BLANK)

    def test_breaks_a_long_title(self) -> None:
        lines = shown("a file of a long name " * 20, BLANK).splitlines()

        assert max(map(len, lines)) <= 80


class TestMnistDigit:
    def test_counts_as_the_files_do(self) -> None:
        image, label = mnist_digit("train", 0)

        assert label == 5
        assert image.shape == (28, 28)

    @pytest.mark.parametrize(("part", "index"), [("test", 10_000), ("train", -1)])
    def test_says_how_far_it_goes(self, part: show.Part, index: int) -> None:
        with pytest.raises(DataError, match=r"counted from 0 to (9,999|59,999)"):
            mnist_digit(part, index)


class TestPictureIn:
    def test_is_read(self, starter: Recogniser, tmp_path: Path) -> None:
        seven = Image.fromarray(picture_of(specimen("7 crossed").strokes))
        path = tmp_path / "seven.png"
        path.write_bytes(encoded(seven, "PNG"))

        assert starter.read_picture(picture_in(path)).digit == 7

    @pytest.mark.parametrize(
        ("name", "said"),
        [("none.png", "No such file"), ("bad.png", "not a PNG"), (".", "directory")],
    )
    def test_of_no_picture_says_so(self, name: str, said: str, tmp_path: Path) -> None:
        (tmp_path / "bad.png").write_bytes(b"no picture")

        with pytest.raises(DataError, match=said):
            picture_in(tmp_path / name)


class TestCommand:
    def test_prints_a_digit(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["show", "test", "0"])

        show.main()

        assert "MNIST test 0, labelled 7, read by" in capsys.readouterr().out

    def test_says_in_one_sentence_what_is_wrong(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["show", "test", "seven"])

        with pytest.raises(SystemExit, match="belongs after test, not 'seven'"):
            show.main()
