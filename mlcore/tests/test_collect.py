import json
import sys
from pathlib import Path

import numpy as np
import pytest

from mlcore.training import collect
from mlcore.training.collect import read_quickdraw, read_unipen, write_pen_drawings
from mlcore.training.data import DataError, PenDrawing, read_pen_drawings

INK_FOLLOWS = """
.VERSION 1.0
.COORD X Y
.SEGMENT DIGIT    0 ? "8"
.COMMENT 8 12  224
.PEN_DOWN
 267  333
 267  336
.PEN_UP
.PEN_DOWN
 10 20
.PEN_UP
.SEGMENT DIGIT    0 ? "1"
.COMMENT 1 30  225
.PEN_DOWN
 5 5
 5 0
.PEN_UP
"""

INK = """
.COORD T X Y
.PEN_DOWN
0 1 2
1 3 4
.PEN_UP
2 9 9
.PEN_DOWN
3 5 6
.PEN_DOWN
4 7 8
"""

SEGMENTS = """
.WRITER_ID Ann Lee
.INCLUDE ink.dat
.SEGMENT WORD 0-3 OK "47"
.SEGMENT CHARACTER 0-2 OK "4"
.SEGMENT CHARACTER 3:0-3:5 ? "\\""
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def points(drawing: PenDrawing) -> list[list[list[float]]]:
    return [stroke.tolist() for stroke in drawing.strokes]


class TestUnipen:
    def test_takes_the_ink_that_follows_a_segment(self, tmp_path: Path) -> None:
        path = written(tmp_path, "pendigits.tra", INK_FOLLOWS)

        eight, one = read_unipen(path, writers="pd-")

        assert (eight.label, eight.writer) == ("8", "pd-12")
        assert points(eight) == [[[267, -333], [267, -336]], [[10, -20]]]
        assert (one.label, one.writer) == ("1", "pd-30")
        assert points(one) == [[[5, -5], [5, 0]]]

    def test_takes_the_components_that_a_segment_names(self, tmp_path: Path) -> None:
        written(tmp_path, "ink.dat", INK)
        path = written(tmp_path, "chars.seg", SEGMENTS)

        four, quote = read_unipen(path)

        assert (four.label, four.writer) == ("4", "Ann Lee")
        assert points(four) == [[[1, -2], [3, -4]], [[5, -6]]]
        assert quote.label == '"'
        assert points(quote) == [[[7, -8]]]

    def test_looks_for_included_files_where_it_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "include").mkdir()
        written(tmp_path / "include", "ink.dat", INK)
        path = written(tmp_path, "chars.seg", SEGMENTS)

        assert len(list(read_unipen(path, include=tmp_path / "include"))) == 2
        with pytest.raises(DataError, match=r"ink\.dat cannot be read"):
            list(read_unipen(path))

    def test_names_the_line_that_is_no_point(self, tmp_path: Path) -> None:
        path = written(tmp_path, "bad.tra", ".PEN_DOWN\n1 2\n3 x\n")

        with pytest.raises(DataError, match="line 3 is no point: '3 x'"):
            list(read_unipen(path))

    def test_stops_where_files_include_each_other(self, tmp_path: Path) -> None:
        path = written(tmp_path, "loop.dat", ".INCLUDE loop.dat\n")

        with pytest.raises(DataError, match="never end"):
            list(read_unipen(path))


class TestQuickDraw:
    def test_takes_recognised_sketches(self, tmp_path: Path) -> None:
        sketches = [
            {"word": "cat", "key_id": "7", "drawing": [[[0, 9], [1, 2], [0, 50]]]},
            {
                "word": "cat",
                "key_id": "8",
                "drawing": [[[0], [1]]],
                "recognized": False,
            },
        ]
        lines = "".join(json.dumps(sketch) + "\n" for sketch in sketches)

        (cat,) = read_quickdraw(written(tmp_path, "cat.ndjson", lines))

        assert (cat.id, cat.label, cat.writer) == ("quickdraw-7", "cat", None)
        assert points(cat) == [[[0, 1], [9, 2]]]

    def test_names_the_line_that_is_no_sketch(self, tmp_path: Path) -> None:
        path = written(tmp_path, "cat.ndjson", '{"word": "cat"}\n')

        with pytest.raises(DataError, match="line 1 is not a sketch: KeyError"):
            list(read_quickdraw(path))


class TestWriting:
    def test_comes_back_as_it_was(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.jsonl.gz"
        drawing = PenDrawing("a", "7", "me", [np.array([[1, 2.5], [3, -4]], "f4")])

        assert write_pen_drawings(path, [drawing]) == 1

        (back,) = read_pen_drawings(path)
        assert (back.id, back.label, back.writer) == ("a", "7", "me")
        assert back.collection == "mine"
        assert points(back) == [[[1, 2.5], [3, -4]]]

    def test_leaves_no_half_file(self, tmp_path: Path) -> None:
        def broken() -> list[PenDrawing]:
            raise DataError("line 3 is no point")

        with pytest.raises(DataError, match="no point"):
            write_pen_drawings(
                tmp_path / "mine.jsonl.gz", (d for _ in "x" for d in broken())
            )

        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("name", "says"),
        [("mine.jsonl.gz", "No labelled drawing"), ("mine.json", "must end in")],
    )
    def test_refuses_to_write_what_cannot_be_used(
        self, tmp_path: Path, name: str, says: str
    ) -> None:
        with pytest.raises(DataError, match=says):
            write_pen_drawings(tmp_path / name, [])


class TestCommand:
    def test_imports_files(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        source = written(tmp_path, "pendigits.tra", INK_FOLLOWS)
        out = tmp_path / "pen" / "mine.jsonl.gz"
        flags = ["--out", str(out), "--at-most", "1"]
        monkeypatch.setattr(sys, "argv", ["collect", "unipen", str(source), *flags])

        collect.main()

        assert "1 drawings in" in capsys.readouterr().out
        assert [drawing.label for drawing in read_pen_drawings(out)] == ["8"]

    def test_says_what_is_wrong_in_one_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flags = ["--out", str(tmp_path / "mine.jsonl.gz")]
        monkeypatch.setattr(sys, "argv", ["collect", "unipen", "nowhere.tra", *flags])

        with pytest.raises(SystemExit, match=r"^nowhere\.tra cannot be read.*\.$"):
            collect.main()
