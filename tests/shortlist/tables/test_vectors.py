"""Columns of vectors: cells, files, the config and what `schema infer` proposes."""

from __future__ import annotations

import json
import pathlib
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shortlist.config.features import Feature
from shortlist.config.table import Candidates
from shortlist.errors import DataError
from shortlist.infer.columns import columns_of
from shortlist.scalars import BadCell
from shortlist.tables import readers
from shortlist.tables.input_table import InputTable
from shortlist.tables.spec import ColumnSpec, TableSpec, table_spec
from shortlist.tables.values import parsers

_VECTOR = {"type": "vector", "dim": 2}


def _parse(cell, allows_missing=False):
    [parse] = parsers([ColumnSpec("v", "v", "vector", "key", dim=3, allows_missing=allows_missing)])
    return parse(cell)


@pytest.mark.parametrize("cell", [[1, 2.5, Decimal("-0.25")], "[1, 2.5, -0.25]", " [1,2.5,-2.5e-1]"])
def test_a_list_of_numbers_or_its_json(cell):
    assert _parse(cell) == [1.0, 2.5, -0.25]


@pytest.mark.parametrize(
    ("cell", "got", "remedy"),
    [
        ([1.0, 2.0], "2", "correct the row, or `dim` of the feature"),
        ([1.0, float("nan"), 2.0], "nan at position 1, counted from 0", "correct the row"),
        ([1.0, 2.0, float("inf")], "inf at position 2, counted from 0", "correct the row"),
        ([1.0, 2.0, 1e39], "1e+39 at position 2, counted from 0", "correct the row"),
        ([1.0, None, 2.0], "None at position 1, counted from 0", "correct the row"),
        ([1.0, True, 2.0], "True at position 1, counted from 0", "correct the row"),
        ([1.0, "2", 3.0], "'2' at position 1, counted from 0", "correct the row"),
        ([[1.0], 2.0, 3.0], "[1.0] at position 0, counted from 0", "correct the row"),
        ("1|2|3", "'1|2|3'", "write a list, such as [0.5, -1.25]"),
        ("7", "7", "name a column of lists of numbers"),
        (7.5, "7.5", "name a column of lists of numbers"),
        (None, "none", "fill it in, or set `missing: zero` for zeros"),
        ("  ", "none", "fill it in, or set `missing: zero` for zeros"),
        ([], "none", "fill it in, or set `missing: zero` for zeros"),
    ],
)
def test_a_cell_that_is_no_vector(cell, got, remedy):
    with pytest.raises(BadCell) as refused:
        _parse(cell)
    assert refused.value.expected == "a vector of 3 finite numbers"
    assert (refused.value.got, refused.value.remedy) == (got, remedy)


@pytest.mark.parametrize("cell", [None, "", [], " "])
def test_a_missing_vector_may_be_allowed(cell):
    assert _parse(cell, allows_missing=True) == []


def _write(path: pathlib.Path, rows: list) -> pathlib.Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"candidate_id": f"c{row}", "v": v}) + "\n" for row, v in enumerate(rows)))
    elif path.suffix == ".csv":
        path.write_text("candidate_id,v\n" + "".join(f'c{row},"{json.dumps(v)}"\n' for row, v in enumerate(rows)))
    else:
        kind = {"list": pa.list_(pa.float32()), "fixed": pa.list_(pa.float64(), 2), "large": pa.large_list(pa.int32())}
        vectors = pa.array(rows, kind[path.stem])
        pq.write_table(pa.table({"candidate_id": [f"c{row}" for row in range(len(rows))], "v": vectors}), path)
    return path


def _read(path: pathlib.Path, **feature: object) -> list:
    section = Candidates.model_validate({"path": str(path), "features": {"v": {**_VECTOR, **feature}}})
    table = InputTable.of("candidates", section, path.parent)
    with table.opened(table.files[0]) as reader:
        return [row["v"] for _, row in readers.parsed_rows(reader, table.spec)]


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv", "list.parquet", "fixed.parquet", "large.parquet"])
def test_every_format_with_lists(tmp_path, name):
    rows = [[1, 2], [-3, 4]]
    assert _read(_write(tmp_path / name, rows)) == [[1.0, 2.0], [-3.0, 4.0]]


def test_the_error_of_a_file_names_the_row(tmp_path):
    path = _write(tmp_path / "list.parquet", [[1.0, 2.0], [1.0]])
    with pytest.raises(DataError) as refused:
        _read(path)
    assert "list.parquet" in str(refused.value)
    assert "expected a vector of 2 finite numbers, got 1" in str(refused.value)
    nulls = [[1.0, 2.0], None]
    assert _read(_write(path, nulls), missing="zero") == [[1.0, 2.0], []]
    with pytest.raises(DataError, match="got a null; write the column as a list, whose rows may be null"):
        _read(_write(tmp_path / "fixed.parquet", nulls), missing="zero")


def test_a_column_of_texts_in_lists_is_no_vector(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"candidate_id": ["c0"], "v": [["a", "b"]]}), path)
    with pytest.raises(DataError, match="a column of lists of numbers"):
        _read(path)


@pytest.mark.parametrize(
    ("feature", "sentence"),
    [
        ({"type": "vector"}, "type vector needs dim"),
        ({"type": "numeric", "dim": 3}, "dim and missing need type vector, got numeric"),
        ({"type": "category", "missing": "zero"}, "dim and missing need type vector, got category"),
    ],
)
def test_a_vector_has_a_dim_and_nothing_else_has(feature, sentence):
    with pytest.raises(ValueError, match=sentence):
        Feature.model_validate(feature)


def test_other_features_and_columns_are_written_as_before():
    assert Feature.model_validate("category").model_dump(mode="json").keys().isdisjoint({"dim", "missing"})
    assert Feature.model_validate(_VECTOR).model_dump(mode="json")["dim"] == 2
    section = Candidates.model_validate({"path": "x.csv", "features": {"a": "category", "v": _VECTOR}})
    spec = table_spec("candidates", section)
    plain, vector = (column for column in json.loads(spec.to_json())["columns"] if column["name"] in "av")
    assert {"dim", "allows_missing"}.isdisjoint(plain)
    assert (vector["dim"], vector["allows_missing"]) == (2, False)
    assert TableSpec.from_json(spec.to_json()) == spec


def test_schema_infer_names_vectors_and_their_width():
    rows = [(row, {"v": [0.5 + row, 1.0, 2.0], "tags": ["a", "b"]}) for row in range(20)]
    vector, tags = columns_of(["v", "tags"], frozenset(), iter(rows))
    assert (vector.feature_type(), vector.vector_dim) == (None, 3)
    assert "`type: vector` with `dim: 3`" in str(vector.unsuitable())
    assert tags.vector_dim == 0
