"""Drawings as Parquet, in the form that Hugging Face's `datasets` loads.

`load_dataset("parquet", data_files=...)` reads the features from the file's metadata:
images become pictures, and labels become classes. pyarrow is optional; it is imported
where it is used.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

from recognizer.drawings.stream_buffer import CountingBuffer

MEDIA_TYPE = "application/vnd.apache.parquet"
ROWS_OF_A_GROUP = 500
BYTES_OF_A_GROUP = 8_000_000
"""A group is held in memory; a picture may have 3 MB, and strokes 10,000 points."""
_POINT_BYTES = 200  # as Python objects

_KINDS = {
    "text": {"dtype": "string", "_type": "Value"},
    "number": {"dtype": "float64", "_type": "Value"},
    "truth": {"dtype": "bool", "_type": "Value"},
    "time": {"dtype": "timestamp[us, tz=UTC]", "_type": "Value"},
    "image": {"_type": "Image"},
    "digit": {"names": list("0123456789"), "_type": "ClassLabel"},
    "strokes": [[[{"dtype": "float64", "_type": "Value"}]]],
}
"""The kinds of columns, as `datasets` describes them."""


class ParquetUnavailableError(RuntimeError):
    """pyarrow is not installed; the message says how to install it."""

    def __init__(self) -> None:
        super().__init__(
            "This server cannot write Parquet because pyarrow is not installed. "
            "Choose another format, or ask the operator to run "
            "pip install -r requirements/formats.txt."
        )


def is_installed() -> bool:
    """Return whether this process can write Parquet."""
    return find_spec("pyarrow") is not None


def require_parquet() -> None:
    """Raise ParquetUnavailableError if pyarrow is not installed."""
    if not is_installed():
        raise ParquetUnavailableError


def as_parquet(
    rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]
) -> Iterator[bytes]:
    """Yield a Parquet file; memory does not grow with the number of rows.

    Args:
        rows: values by column; see `image_cell` for images.
        columns: the kind of each column: "text", "number", "truth", "time", "image",
            "digit" or "strokes". Each value may be None.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(tuple(columns.items()))
    buffer = CountingBuffer()
    writer = pq.ParquetWriter(
        buffer,
        schema,
        compression="zstd",
        # Dictionaries of pictures and points would only fill memory, and their
        # smallest and largest values tell nothing.
        use_dictionary=[name for name, kind in columns.items() if kind == "text"],
        write_statistics=False,
    )
    with writer:
        for group in _groups(rows):
            writer.write_table(pa.Table.from_pylist(group, schema))
            yield buffer.take()
    yield buffer.take()


def image_cell(png: bytes, name: str) -> dict[str, Any]:
    """Return a PNG as the value of a column of images."""
    return {"bytes": png, "path": f"{name}.png"}


@cache
def _schema(columns: tuple[tuple[str, str], ...]) -> Any:
    import pyarrow as pa

    kinds = {
        "text": pa.string(),
        "number": pa.float64(),
        "truth": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
        "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        "digit": pa.int64(),
        "strokes": pa.list_(pa.list_(pa.list_(pa.float64()))),
    }
    features = {name: _KINDS[kind] for name, kind in columns}
    told = json.dumps({"info": {"features": features}})
    return pa.schema(
        [(name, kinds[kind]) for name, kind in columns],
        metadata={"huggingface": told},
    )


def _groups(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    group: list[Mapping[str, Any]] = []
    held = 0
    for row in rows:
        group.append(row)
        held += sum(map(_size_of, row.values()))
        if len(group) == ROWS_OF_A_GROUP or held >= BYTES_OF_A_GROUP:
            yield group
            group, held = [], 0
    if group:
        yield group


def _size_of(value: object) -> int:
    """Return about how many bytes a picture or strokes hold."""
    if isinstance(value, dict):
        return len(value["bytes"])
    if isinstance(value, list):
        return _POINT_BYTES * sum(map(len, value))
    return 0
