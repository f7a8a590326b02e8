"""Real pictures by other people, where PICTURES_DIR names them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlcore import paths
from mlcore.reading.inference import Reading, Recogniser
from mlcore.reading.pictures import decode_picture

FOLDER = paths.pictures_folder() or Path()


def readings(part: str, by: Recogniser) -> Iterator[tuple[int | None, Reading]]:
    """Read a part's pictures; yield each with its digit, None if there is no single."""
    truth = json.loads((FOLDER / "truth.json").read_text())
    for name, known in truth.items():
        if name.startswith(f"{part}/"):
            digit = None if known["value"] is None else int(known["value"])
            picture = decode_picture((FOLDER / name).read_bytes())
            yield digit, by.read_picture(picture)


class TestRealPictures:
    __test__ = paths.pictures_folder() is not None  # None: nothing to collect

    @pytest.mark.parametrize(
        ("part", "least"),
        [("own", 0.97), ("boxes", 0.94)],
    )
    def test_of_one_digit_are_read(
        self, part: str, least: float, starter: Recogniser
    ) -> None:
        right = [
            reading.digit == digit for digit, reading in readings(part, by=starter)
        ]

        assert len(right) >= 80
        assert sum(right) / len(right) >= least

    def test_of_whole_pages_are_refused(self, starter: Recogniser) -> None:
        read = [reading.digit for _, reading in readings("pages", by=starter)]

        assert read
        assert set(read) == {None}
