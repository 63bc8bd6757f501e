"""The checksum of a Parquet file's rows: changes that matter and changes that do not."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from shortlist.datasets.parquet import rows_sha256, to_parquet

COLUMNS: dict[str, list[Any]] = {"id": [7, 5, 7], "text": ["é,\n", None, "b"], "price": [0.1, 2.0, 1e-9]}


def written(table: pa.Table, **options: Any) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, **options)
    return buffer.getvalue()


def test_the_hash_is_of_the_documented_text() -> None:
    # Distinct values as they first occur, then each row's place among them.
    text = b'["id",[7,5]]\n' + b"\0\0\0\0\1\0\0\0\0\0\0\0"
    assert rows_sha256(to_parquet({"id": [7, 5, 7]})) == hashlib.sha256(text).hexdigest()
    text = '["text",["é,\\n","b"]]\n'.encode() + b"\0\0\0\0\xff\xff\xff\xff\1\0\0\0"
    assert rows_sha256(to_parquet({"text": COLUMNS["text"]})) == hashlib.sha256(text).hexdigest()


def test_how_the_rows_were_packed_does_not_matter() -> None:
    table = pa.table(COLUMNS)
    narrow = pa.schema([("id", pa.int32()), ("text", pa.large_string()), ("price", pa.float64())])
    expected = rows_sha256(to_parquet(COLUMNS))
    assert expected is not None
    for other in (
        written(table, compression="zstd", version="1.0"),
        written(table, row_group_size=1),
        written(table.cast(narrow), use_dictionary=False),
    ):
        assert rows_sha256(other) == expected


@pytest.mark.parametrize(
    "other",
    [
        {"id": [7, 5, 7], "text": ["é,\n", None, "b"], "price": [0.1, 2.0, 1.1e-9]},
        {"id": [7, 5, 7], "text": ["é,\n", "", "b"], "price": [0.1, 2.0, 1e-9]},
        {"id": [5, 7, 7], "text": [None, "é,\n", "b"], "price": [2.0, 0.1, 1e-9]},
        {"id": [7, 5, 7, 7], "text": ["é,\n", None, "b", "b"], "price": [0.1, 2.0, 1e-9, 1e-9]},
        {"id": ["7", "5", "7"], "text": ["é,\n", None, "b"], "price": [0.1, 2.0, 1e-9]},
        {"text": ["é,\n", None, "b"], "id": [7, 5, 7], "price": [0.1, 2.0, 1e-9]},
        {"id": [7, 5, 7], "name": ["é,\n", None, "b"], "price": [0.1, 2.0, 1e-9]},
        {"id": [7, 5, 7], "text": ["é,\n", None, "b"]},
        {"id": [], "text": [], "price": []},
    ],
    ids=["value", "null", "order", "rows", "type", "columns' order", "column's name", "fewer columns", "empty"],
)
def test_any_other_content_has_another_hash(other: dict[str, list[Any]]) -> None:
    assert rows_sha256(to_parquet(other)) not in (rows_sha256(to_parquet(COLUMNS)), None)


def test_other_files_than_parquet_have_no_checksum() -> None:
    whole = to_parquet(COLUMNS)
    assert [rows_sha256(content) for content in (b"", b"id\n7\n", whole[:-9], whole[20:])] == [None] * 4


def test_a_checksum_of_some_columns_ignores_the_others() -> None:
    some = {name: COLUMNS[name] for name in ("text", "id")}
    assert rows_sha256(to_parquet(COLUMNS), ["text", "id"]) == rows_sha256(to_parquet(some))
    assert rows_sha256(to_parquet(COLUMNS), ["text", "missing"]) is None


def test_times_of_somebody_elses_file_are_no_reason_to_fail() -> None:
    assert rows_sha256(written(pa.table({"t": pa.array([0], pa.timestamp("us"))}))) is not None
