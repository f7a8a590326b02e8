"""GET submissions/export/: all of one's own, as a stream."""

import gc
import io
import json
import random
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mlcore.training.data import parse_idx
from recognizer.api import export
from recognizer.api.zip_stream import ZipStream
from recognizer.models import Submission, User, Visitor
from recognizer.tests.conftest import SEVEN, bearer, post_json
from recognizer.tests.test_models import make_prediction, make_submission, make_version
from recognizer.tests.test_submissions_api import seven_png

URL = "/api/v1/submissions/"


def exported(client: Client, query: str) -> bytes:
    answer = client.get(f"{URL}export/{query}")
    assert answer.status_code == 200
    return b"".join(answer)


def lines(content: bytes) -> list[Any]:
    return [json.loads(line) for line in content.splitlines()]


@pytest.fixture
def drawn(active_model: object, program: Client) -> Client:
    """Who drew a seven, sent a picture and a blank, and said what the first is."""
    mine = post_json(program, URL, SEVEN)["Location"]
    program.post(URL, seven_png(), content_type="image/png")
    post_json(program, URL, {"pixels": [[0] * 28] * 28})
    post_json(program, f"{mine}feedback/", {"verdict": "right"})
    post_json(Client(), URL, SEVEN)
    return program


class TestNdjson:
    def test_holds_one_s_own_as_the_list_has_them(self, drawn: Client) -> None:
        listed = drawn.get(URL).json()["results"]

        assert lines(exported(drawn, "?as=ndjson")) == listed[::-1]
        assert lines(exported(drawn, "")) == listed[::-1]

    def test_keeps_to_the_filters(self, drawn: Client) -> None:
        (blank,) = lines(exported(drawn, "?refused=true"))

        assert blank["prediction"]["refusal"]["code"] == "blank"

    def test_is_a_file_of_its_kind(self, drawn: Client) -> None:
        answer = drawn.get(f"{URL}export/")
        answer.close()

        assert answer["Content-Type"] == "application/x-ndjson"
        assert 'filename="submissions.ndjson"' in answer["Content-Disposition"]

    def test_of_nobody_is_empty(self, active_model: object) -> None:
        assert exported(Client(), "") == b""

    def test_joins_all_visitors_of_a_user(
        self, active_model: object, reviewer: User
    ) -> None:
        for _ in range(2):
            make_prediction(
                submission=make_submission(visitor=reviewer.visitors.create()),
                model_version=active_model,
            )

        answer = Client().get(f"{URL}export/", headers=bearer(reviewer, "read"))

        assert len(lines(b"".join(answer))) == 2

    @pytest.mark.parametrize("query", ["?as=pdf", "?colour=red", "?digit=x", "?as="])
    def test_refuses_what_it_does_not_know(self, drawn: Client, query: str) -> None:
        assert drawn.get(f"{URL}export/{query}").status_code == 400


class TestZip:
    def test_holds_the_lines_and_a_picture_of_each(self, drawn: Client) -> None:
        content = exported(drawn, "?as=zip")

        archive = zipfile.ZipFile(io.BytesIO(content))
        assert archive.testzip() is None
        rows = lines(archive.read("submissions.ndjson"))
        assert rows == lines(exported(drawn, "?as=ndjson"))
        assert archive.namelist()[1:] == [f"images/{row['id']}.png" for row in rows]
        for name in archive.namelist()[1:]:
            assert Image.open(io.BytesIO(archive.read(name))).format == "PNG"


class TestIdx:
    def test_reads_back_byte_for_byte(
        self, active_model: object, program: Client
    ) -> None:
        rng = np.random.default_rng(3)
        images = rng.integers(0, 256, (60, 28, 28), dtype=np.uint8)
        labels = []
        for number, image in enumerate(images):
            answer = post_json(program, URL, {"pixels": image.tolist()})
            shown = answer.json()["prediction"]["digit"]
            digit = (number % 10) if number % 10 != shown else (number + 1) % 10
            labels.append(digit)
            post_json(
                program,
                f"{answer['Location']}feedback/",
                {"verdict": "wrong", "digit": digit},
            )

        archive = zipfile.ZipFile(io.BytesIO(exported(program, "?as=idx")))

        back = parse_idx(archive.read("images-idx3-ubyte"))
        assert back.tobytes() == images.tobytes()
        assert back.shape == (60, 28, 28)
        assert parse_idx(archive.read("labels-idx1-ubyte")).tolist() == labels
        ids = archive.read("ids.txt").decode().split()
        assert ids == [str(UUID(one)) for one in sorted(ids)]

    def test_holds_those_whose_digit_is_known(self, drawn: Client) -> None:
        archive = zipfile.ZipFile(io.BytesIO(exported(drawn, "?as=idx")))

        assert parse_idx(archive.read("labels-idx1-ubyte")).tolist() == [7]
        (image,) = parse_idx(archive.read("images-idx3-ubyte"))
        assert image.max() == 255

    @pytest.mark.parametrize(
        ("columns", "known"),
        [
            ({}, None),
            ({"verdict": "right"}, 7),
            ({"verdict": "wrong", "corrected_digit": 1}, 1),
            ({"verdict": "not_a_digit"}, None),
            ({"verdict": "right", "label_digit": 9}, 9),
            ({"verdict": "right", "rejection": "ambiguous"}, None),
        ],
    )
    def test_believes_the_reviewer_before_the_visitor(
        self, columns: dict[str, Any], known: int | None
    ) -> None:
        assert Submission(shown_digit=7, **columns).known_digit == known


@pytest.mark.database
class TestMemory:
    @pytest.mark.parametrize(
        ("stream", "most"),
        # A lot's worth; zipfile keeps 0.6 kB of each entry. All would be 2 MB.
        [(export.as_ndjson, 100_000), (export.as_zip, 500_000)],
    )
    def test_hardly_grows_with_the_number_of_drawings(
        self, db: None, stream: Callable[..., Iterable[bytes]], most: int
    ) -> None:
        visitor, version = Visitor.objects.create(), make_version()
        for _ in range(600):
            make_prediction(
                submission=make_submission(visitor=visitor, verdict="right"),
                model_version=version,
            )

        tracemalloc.start()
        held = []
        pieces = stream(Submission.objects.all(), [visitor], shows_numbers=True)
        for number, _ in enumerate(pieces):
            if number % 100 == 99:
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()

        assert len(held) >= 6
        assert held[-1] < held[1] + most


def packed(entries: Iterable[tuple[str, list[bytes]]]) -> bytes:
    stream = ZipStream()
    pieces = [piece for name, content in entries for piece in stream.add(name, content)]
    return b"".join([*pieces, *stream.finish()])


class TestZipStream:
    # A busy machine may take seconds for one example.
    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.dictionaries(
            st.text("abcdé/", min_size=1, max_size=9), st.lists(st.binary()), max_size=5
        )
    )
    def test_is_read_by_others(self, entries: dict[str, list[bytes]]) -> None:
        archive = zipfile.ZipFile(io.BytesIO(packed(entries.items())))

        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            name: b"".join(content) for name, content in entries.items()
        }

    @pytest.mark.long
    def test_takes_more_entries_than_the_old_format_has_numbers_for(
        self, tmp_path: Path
    ) -> None:
        content = random.Random(5).randbytes(9)

        archive = zipfile.ZipFile(
            io.BytesIO(packed((str(number), [content]) for number in range(70_000)))
        )

        assert len(archive.namelist()) == 70_000
        assert archive.read("69999") == content
