"""Formats that other tools open: Parquet and Label Studio's JSON."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from recognizer.drawings import parquet
from recognizer.models import Submission, User
from recognizer.reader import engine
from recognizer.reader.pictures import drawing_png
from recognizer.tests.conftest import SEVEN, post_json
from recognizer.tests.learning import fill
from recognizer.tests.test_submissions_api import seven_png

URL = "/api/v1/submissions/"
TWO_DIGITS = {
    "strokes": [
        [[20, 70], [90, 68], [50, 200]],
        [[160, 70], [158, 200]],
    ],
    "width": 280,
    "height": 280,
    "expect": "number",
}


@pytest.fixture
def drawn(active_model: object, program: Client) -> Client:
    """A seven that its author confirmed, a picture, a number and a blank."""
    mine = post_json(program, URL, SEVEN)["Location"]
    post_json(program, f"{mine}feedback/", {"verdict": "right"})
    program.post(URL, seven_png(), content_type="image/png")
    post_json(program, URL, TWO_DIGITS)
    post_json(program, URL, {"pixels": [[0] * 28] * 28})
    return program


def exported(client: Client, query: str) -> bytes:
    answer = client.get(f"{URL}export/{query}")
    assert answer.status_code == 200
    return b"".join(answer)


def ndjson(client: Client) -> list[Any]:
    lines = exported(client, "?include=number").splitlines()
    return [json.loads(line) for line in lines]


class TestParquet:
    def test_says_what_the_lines_say(self, drawn: Client) -> None:
        rows = pq.read_table(io.BytesIO(exported(drawn, "?as=parquet"))).to_pylist()

        for row, line in zip(rows, ndjson(drawn), strict=True):
            drawing = line.get("drawing", {})
            assert row["id"] == line["id"]
            assert row["strokes"] == drawing.get("strokes")
            assert row["width"] == drawing.get("width")
            assert row["prediction"] == line["prediction"]["digit"]
            assert row["confidence"] == line["prediction"]["confidence"]
            assert row["model"] == line["prediction"]["model"]
            submission = Submission.objects.get(pk=row["id"])
            assert row["created_at"] == submission.created_at
            assert row["image"]["bytes"] == drawing_png(engine.drawing_of(submission))
        assert [row["label"] for row in rows] == [7, None, None, None]
        assert rows[2]["prediction_number"] == "71"
        assert len({row["person"] for row in rows}) == 1

    def test_fills_groups_by_rows_and_by_bytes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(parquet, "ROWS_OF_A_GROUP", 3)
        monkeypatch.setattr(parquet, "BYTES_OF_A_GROUP", 100)
        sizes = [1, 1, 1, 1, 100, 1]
        rows = [{"image": parquet.image_cell(bytes(size), "a")} for size in sizes]

        content = b"".join(parquet.as_parquet(rows, {"image": "image"}))

        table = pq.ParquetFile(io.BytesIO(content))
        groups = [
            table.metadata.row_group(at).num_rows for at in range(table.num_row_groups)
        ]
        assert groups == [3, 2, 1]
        back = [len(row["image"]["bytes"]) for row in table.read().to_pylist()]
        assert back == sizes

    def test_of_nobody_is_an_empty_table(self, active_model: object) -> None:
        table = pq.read_table(io.BytesIO(exported(Client(), "?as=parquet")))

        assert table.num_rows == 0
        assert "image" in table.column_names

    def test_without_pyarrow_says_what_is_missing(self, drawn: Client) -> None:
        with mock.patch.object(parquet, "find_spec", return_value=None):
            answer = drawn.get(f"{URL}export/?as=parquet")

        assert answer.status_code == 501
        error = answer.json()["error"]
        assert error["code"] == "not_installed"
        assert "requirements/formats.txt" in error["message"]

    def test_is_loaded_by_hugging_face_in_one_line(
        self, drawn: Client, tmp_path: Path
    ) -> None:
        (tmp_path / "mine.parquet").write_bytes(exported(drawn, "?as=parquet"))

        told = loaded(
            tmp_path,
            'load_dataset("parquet", data_files="mine.parquet", split="train")',
            "[one['label'], one['image'].format, one['image'].size, one['strokes']]",
        )

        assert told[0] == [7, "PNG", [560, 560], SEVEN["strokes"]]
        assert told[1][0] is None


class TestSnapshotAsParquet:
    def test_is_loaded_by_hugging_face_with_its_splits(
        self, active_model: object, tmp_path: Path
    ) -> None:
        fill(people=3)

        call_command("export_snapshot", "--as", "parquet", "--to", str(tmp_path / "it"))

        sides = [
            loaded(
                tmp_path,
                f'load_dataset("it", split="{split}")',
                "[one['label'], one['person'], one['image'].size]",
            )
            for split in ("train", "test")
        ]
        people = [{person for _, person, _ in side} for side in sides]
        assert all(people)
        assert not people[0] & people[1]
        assert all(size == [28, 28] for side in sides for *_, size in side)
        assert {digit for digit, *_ in sides[0]} >= set(range(10))
        assert "held out" in (tmp_path / "it" / "datasheet.md").read_text()

    def test_without_pyarrow_makes_no_snapshot(self, db: None, tmp_path: Path) -> None:
        with (
            mock.patch.object(parquet, "find_spec", return_value=None),
            pytest.raises(CommandError, match="pyarrow"),
        ):
            call_command("export_snapshot", "--as", "parquet", "--to", str(tmp_path))


def loaded(folder: Path, load: str, say: str) -> list[Any]:
    """Load a data set in a process of its own and return what it says of each row."""
    code = (
        "import json\nfrom datasets import load_dataset\n"
        f"print(json.dumps([{say} for one in {load}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", "PATH": ""},
        capture_output=True,
        check=True,
    )
    rows: list[Any] = json.loads(done.stdout)
    return rows


class TestLabelStudio:
    def test_has_readings_as_predictions_and_answers_as_annotations(
        self, drawn: Client
    ) -> None:
        tasks = json.loads(exported(drawn, "?as=labelstudio"))

        seven, picture, number, blank = tasks
        choice = {"choices": ["7"]}
        assert seven["predictions"][0]["result"][0]["value"] == choice
        assert seven["annotations"][0]["result"][0]["value"] == choice
        assert picture["annotations"] == []
        assert number["predictions"][0]["result"][0]["value"] == {"text": ["71"]}
        assert blank["predictions"][0]["result"] == []
        for task in tasks:
            head, _, encoded = task["data"]["image"].partition(",")
            assert head == "data:image/png;base64"
            assert encoded

    def test_keeps_a_reviewer_s_reason(self, drawn: Client, reviewer: User) -> None:
        Submission.objects.update(rejection="ambiguous", label_digit=None)

        tasks = json.loads(exported(drawn, "?as=labelstudio"))

        values = [task["annotations"][0]["result"][0]["value"] for task in tasks]
        assert values == [{"choices": ["ambiguous"]}] * 4

    def test_of_nobody_is_an_empty_list(self, active_model: object) -> None:
        assert json.loads(exported(Client(), "?as=labelstudio")) == []
