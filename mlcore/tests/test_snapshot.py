"""Snapshots on disk, and what counts as the same drawing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlcore.reading.calibrate import ONE_DIGIT, SEVERAL, SOMETHING_ELSE
from mlcore.reading.specimens import jittered, specimens
from mlcore.training.data import DataError
from mlcore.training.dataset import NO_DIGIT, snapshot_dataset
from mlcore.training.snapshot import (
    DRAWINGS,
    Duplicates,
    as_read,
    line_of,
    load_snapshot,
    write_snapshot,
)

SEVEN = [[[70, 70], [205, 66], [125, 225]]]


def make_line(**overrides: Any) -> dict[str, object]:
    usual: dict[str, Any] = {
        "id": "one",
        "kind": "digit",
        "digit": 7,
        "split": "train",
        "strokes": SEVEN,
        "image": None,
        "is_borne_out": False,
    }
    return line_of(**{**usual, **overrides})


class TestFolder:
    def test_comes_back_as_it_was_written(self, tmp_path: Path) -> None:
        picture = np.arange(784, dtype=np.uint8).reshape(28, 28)
        written = write_snapshot(
            tmp_path,
            digest="a" * 64,
            lines=[
                make_line(),
                None,
                make_line(
                    id="two",
                    kind="several",
                    digit=None,
                    split="holdout",
                    strokes=None,
                    image=picture,
                    is_borne_out=True,
                    person="ada",
                ),
            ],
        )

        found = load_snapshot(tmp_path)

        assert (written, found.erased, found.digest) == (2, 1, "a" * 64)
        drawn, sent = found.drawings
        assert (drawn.id, drawn.kind, drawn.digit) == ("one", "digit", 7)
        assert drawn.strokes
        assert drawn.strokes[0].tolist() == SEVEN[0]
        assert np.array_equal(drawn.image, as_read(drawn.strokes))
        assert np.array_equal(sent.image, picture)
        assert [d.is_borne_out for d in found.drawings] == [False, True]
        assert [d.person for d in found.drawings] == ["", "ada"]
        assert [d.id for d in found.of("holdout")] == ["two"]

    def test_that_is_cut_off_is_refused(self, tmp_path: Path) -> None:
        write_snapshot(tmp_path, digest="a", lines=[make_line()] * 50)
        whole = (tmp_path / DRAWINGS).read_bytes()
        (tmp_path / DRAWINGS).write_bytes(whole[: len(whole) // 2])

        with pytest.raises(DataError, match="not a snapshot"):
            load_snapshot(tmp_path)


class TestPool:
    def test_knows_digits_from_what_is_none(self, tmp_path: Path) -> None:
        write_snapshot(
            tmp_path,
            digest="a",
            lines=[
                make_line(),
                make_line(kind="several", digit=None),
                make_line(kind="not_a_digit", digit=None),
            ],
        )

        dataset = snapshot_dataset(
            load_snapshot(tmp_path).drawings,
            renderings=2,
            rng=np.random.default_rng(1),
        )

        assert dataset.digits.tolist() == [7, 7, *[NO_DIGIT] * 4]
        assert dataset.kinds.tolist() == [
            *[ONE_DIGIT] * 2,
            *[SEVERAL] * 2,
            *[SOMETHING_ELSE] * 2,
        ]
        assert not np.array_equal(dataset.images[0], dataset.images[1])  # redrawn


class TestDuplicates:
    def test_finds_a_drawing_that_is_sent_again(self) -> None:
        seen = Duplicates()
        moved = [
            [stroke * np.float32(0.73) + np.float32(11.3) for stroke in one.strokes]
            for one in specimens()
        ]
        first = [seen.is_new(as_read(one.strokes), of=one.digit) for one in specimens()]

        again = [
            seen.is_new(as_read(strokes), of=one.digit)
            for strokes, one in zip(moved, specimens(), strict=True)
        ]

        assert np.mean(first) > 0.9  # a bare 1 is much like another
        assert not any(again)

    def test_leaves_other_hands_alone(self) -> None:
        seen = Duplicates()
        rng = np.random.default_rng(1)
        drawn = [jittered(one, rng) for one in specimens() for _ in range(5)]

        new = [seen.is_new(as_read(one.strokes), of=one.digit) for one in drawn]

        # These are jittered from one template each, so more alike than life's.
        assert np.mean(new) > 0.8

    def test_compares_within_a_label_only(self) -> None:
        seen = Duplicates()
        image = as_read(specimens()[0].strokes)

        assert seen.is_new(image, of=0)
        assert seen.is_new(image, of=6)
        assert not seen.is_new(image, of=0)
