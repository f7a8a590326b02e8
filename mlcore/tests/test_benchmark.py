import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlcore.judging.benchmark import (
    BenchmarkError,
    counted,
    open_benchmark,
    write_benchmark,
    write_sums,
)
from mlcore.tests.making import benchmark_drawings, make_benchmark


class TestWriting:
    def test_is_read_back_as_it_was(self, tmp_path: Path) -> None:
        drawings = benchmark_drawings()

        made = make_benchmark(tmp_path, drawings)
        read = open_benchmark(made.folder)

        assert read.digest == made.digest
        assert read.name == made.folder.name == f"digits-v1-{made.digest[:12]}"
        assert [one.as_line() for one in read.drawings] == [
            one.as_line() for one in drawings
        ]
        for one, other in zip(read.drawings, drawings, strict=True):
            assert np.array_equal(one.image, other.image)

    def test_is_read_by_numpy_and_json_alone(self, tmp_path: Path) -> None:
        made = make_benchmark(tmp_path)

        images = np.load(made.folder / "images.npy")
        with (made.folder / "drawings.jsonl").open() as lines:
            drawings = [json.loads(line) for line in lines]

        assert images.shape == (len(drawings), 28, 28)
        assert {one["split"] for one in drawings} == {"train", "test"}
        assert "strokes" not in drawings[-1]

    def test_has_sums_that_sha256sum_checks(self, tmp_path: Path) -> None:
        made = make_benchmark(tmp_path)

        done = subprocess.run(
            ["sha256sum", "--check", "--strict", "SHA256SUMS"],
            cwd=made.folder,
            capture_output=True,
            text=True,
            check=True,
        )

        assert sorted(done.stdout.split()[::2]) == [
            *("benchmark.json:", "datasheet.md:", "drawings.jsonl:", "images.npy:")
        ]

    def test_of_equal_drawings_is_one_and_of_others_the_next_version(
        self, tmp_path: Path
    ) -> None:
        drawings = benchmark_drawings()

        first = make_benchmark(tmp_path, drawings)
        _, is_new = write_benchmark(
            tmp_path, drawings, sources={}, datasheet=lambda _: "another text"
        )
        next_one = make_benchmark(tmp_path, drawings[1:])
        elsewhere = make_benchmark(tmp_path / "elsewhere", drawings)

        assert not is_new
        assert (first.version, next_one.version) == (1, 2)
        assert next_one.digest != first.digest == elsewhere.digest
        assert "another" not in (first.folder / "datasheet.md").read_text()
        assert len(list(tmp_path.glob("digits-*"))) == 2

    @pytest.mark.parametrize("change", ["image", "digit", "person", "strokes"])
    def test_has_another_digest_if_anything_changes(
        self, tmp_path: Path, change: str
    ) -> None:
        drawings = benchmark_drawings()
        first = drawings[0]
        changes: dict[str, dict[str, Any]] = {
            "image": {"image": first.image.T.copy()},
            "digit": {"digit": 9 - first.digit},
            "person": {"person": 7},
            "strokes": {"strokes": [[[1.0, 2.0]]]},
        }

        other = [replace(first, **changes[change]), *drawings[1:]]

        made = make_benchmark(tmp_path / "other", other)
        assert made.digest != make_benchmark(tmp_path, drawings).digest

    def test_refuses_a_person_in_two_splits_and_no_drawings(
        self, tmp_path: Path
    ) -> None:
        drawings = [replace(one, person=1) for one in benchmark_drawings()]

        with pytest.raises(BenchmarkError, match="Person 1 is in two splits"):
            make_benchmark(tmp_path, drawings)
        with pytest.raises(BenchmarkError, match="at least one"):
            make_benchmark(tmp_path, [])

        assert list(tmp_path.iterdir()) == []

    def test_counts_drawings_and_people(self) -> None:
        number = len(benchmark_drawings())
        tested = number // 3

        assert counted(benchmark_drawings()) == [
            ("pens", "test", tested, 1),
            ("site", "train", number - tested, 2),
        ]


class TestOpening:
    @pytest.mark.parametrize("name", ["drawings.jsonl", "images.npy", "datasheet.md"])
    def test_names_a_file_that_is_damaged_or_missing(
        self, tmp_path: Path, name: str
    ) -> None:
        made = make_benchmark(tmp_path)
        path = made.folder / name
        content = path.read_bytes()

        path.write_bytes(content[:-1])
        with pytest.raises(BenchmarkError, match=f"{name} is damaged"):
            open_benchmark(made.folder)
        path.unlink()
        with pytest.raises(BenchmarkError, match=f"{name} is missing"):
            open_benchmark(made.folder)
        path.write_bytes(content)

        assert open_benchmark(made.folder).digest == made.digest

    def test_refuses_a_file_that_nothing_vouches_for(self, tmp_path: Path) -> None:
        made = make_benchmark(tmp_path)
        (made.folder / "more.jsonl").write_text("{}\n")

        with pytest.raises(BenchmarkError, match=r"more\.jsonl is not listed"):
            open_benchmark(made.folder)

    def test_refuses_drawings_that_its_digest_does_not_name(
        self, tmp_path: Path
    ) -> None:
        made = make_benchmark(tmp_path)
        images = np.load(made.folder / "images.npy")
        np.save(made.folder / "images.npy", 255 - images)
        write_sums(made.folder)

        with pytest.raises(BenchmarkError, match="other drawings than its digest"):
            open_benchmark(made.folder)

    def test_refuses_what_is_no_benchmark(self, tmp_path: Path) -> None:
        with pytest.raises(BenchmarkError, match="has no SHA256SUMS"):
            open_benchmark(tmp_path)

        (tmp_path / "SHA256SUMS").write_text("")
        with pytest.raises(BenchmarkError, match="is not listed"):
            open_benchmark(tmp_path)
