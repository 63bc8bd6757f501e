"""Vectors in a `.npy` file beside a list of ids: the join, and one sentence per fault."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shortlist.config.features import Feature
from shortlist.config.table import Candidates
from shortlist.errors import DataError
from shortlist.tables import content, readers
from shortlist.tables.input_table import InputTable
from shortlist.tables.spec import TableSpec, table_spec

_FEATURE = {"type": "vector", "dim": 2, "path": "looks.npy", "ids": "ids.txt"}
_MATRIX = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float32)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "items.csv").write_text("item,name\nc2,Two\nc0,Zero\n")
    write(tmp_path)
    return tmp_path


def write(root, matrix=_MATRIX, ids="c0\nc1\nc2\n"):
    np.save(root / "looks.npy", matrix)
    (root / "ids.txt").write_bytes(ids.encode() if isinstance(ids, str) else ids)


def section(**feature):
    features = {"look": {**_FEATURE, **feature}, "name": "text"}
    return Candidates.model_validate({"path": "items.csv", "candidate_id": "item", "features": features})


def read(root, **feature):
    table = InputTable.of("candidates", section(**feature), root)
    with table.opened(table.files[0]) as reader:
        return [row["look"] for _, row in readers.parsed_rows(reader, table.spec)]


def message(root, **feature):
    with pytest.raises(DataError) as refused:
        read(root, **feature)
    text = str(refused.value)
    assert "\n" not in text
    return text.replace(f"{root}/", "")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_vectors_are_joined_by_id(root, dtype, order):
    write(root, np.asarray(_MATRIX, dtype, order=order), "\ufeffc0\r\nc1\r\nc2")
    assert read(root) == [[5.0, 6.0], [1.0, 2.0]]


def test_another_version_of_the_files_is_read_anew(root):
    read(root)
    write(root, np.concatenate([_MATRIX * 10, _MATRIX]), "c0\nc1\nc2\na\nb\nc\n")
    assert read(root) == [[50.0, 60.0], [10.0, 20.0]]


def test_an_id_without_a_vector_is_refused_or_zero(root):
    (root / "items.csv").write_text("item,name\nc2,Two\nc7,Seven\n")
    assert message(root) == (
        "items.csv, row 1 (from 0), line 3, column 'item': expected a vector of 2 finite numbers in looks.npy for 'c7',"
        " got none; add it to ids.txt and the matrix, or set data.candidates.features.look.missing: zero"
    )
    assert read(root, missing="zero") == [[5.0, 6.0], []]


@pytest.mark.parametrize("number", [np.nan, -np.inf, 1e39])
def test_a_number_that_is_none_is_named_with_its_place(root, number):
    matrix = _MATRIX.astype(np.float64)
    matrix[2, 1] = number
    write(root, matrix)
    text = message(root)
    assert text.startswith("items.csv, row 0 (from 0), line 2, column 'item': expected a vector of 2 finite numbers")
    assert text.endswith("in row 2, column 1, counted from 0; correct the matrix")
    # A row that no candidate has is not read.
    (root / "items.csv").write_text("item,name\nc0,Zero\n")
    assert read(root) == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("matrix", "ids", "expected"),
    [
        (
            _MATRIX[:, :1],
            "c0\nc1\nc2\n",
            "looks.npy: expected 2 columns, as in data.candidates.features.look.dim, got 1; set "
            "data.candidates.features.look.dim to 1",
        ),
        (_MATRIX, "c0\nc1\n", "ids.txt: expected 3 ids, one per row of looks.npy, got 2; write both files anew"),
        (_MATRIX, "", "ids.txt: expected 3 ids, one per row of looks.npy, got 0; write both files anew"),
        (
            _MATRIX,
            "c0\nc2\nc0\n",
            "ids.txt, line 3: expected each id once, got 'c0', which line 1 has, too; remove one of the lines and its "
            "row of looks.npy",
        ),
        (_MATRIX, "c0\n\nc2\n", "ids.txt, line 2: expected an id, got a blank; write one id per line"),
        (_MATRIX, b"c0\nc\xff\nc2\n", "ids.txt: expected ids in UTF-8, one per line, got other bytes"),
        (_MATRIX[0], "c0\n", "looks.npy: expected a matrix of floats, one row per id, got shape (2,) of type float32"),
        (_MATRIX.astype(int), "c0\n", "looks.npy: expected a matrix of floats, one row per id, got shape (3, 2)"),
        (np.array([[None, 1]], object), "c0\n", "looks.npy: expected a matrix in NumPy's format .npy, got: "),
    ],
)
def test_files_that_do_not_fit_are_one_sentence(root, matrix, ids, expected):
    write(root, matrix, ids)
    assert message(root).startswith(expected)


def test_files_that_are_none(root):
    (root / "looks.npy").write_bytes(b"PK\x03\x04 no matrix")
    assert message(root).startswith("looks.npy: expected a matrix in NumPy's format .npy, got: the magic string")
    (root / "looks.npy").write_bytes(b"")
    assert message(root).startswith("looks.npy: expected a matrix in NumPy's format .npy, got: ")
    np.save(root / "looks.npy", _MATRIX)
    with open(root / "looks.npy", "r+b") as file:
        file.truncate(140)
    assert message(root).startswith("looks.npy: expected a matrix in NumPy's format .npy, got: mmap length")
    (root / "looks.npy").unlink()
    assert message(root) == "looks.npy: expected a readable file, got: No such file or directory; correct the path"


def test_the_fingerprint_of_a_table_has_the_content_of_the_vectors(root):
    tables = {"candidates": section()}
    first = content.tables_sha256(tables, root)
    assert content.tables_sha256(tables, root) == first
    write(root, _MATRIX + 1.0)
    second = content.tables_sha256(tables, root)
    assert second != first
    write(root, _MATRIX + 1.0, "c1\nc0\nc2\n")
    assert content.tables_sha256(tables, root) not in (first, second)
    (root / "ids.txt").unlink()
    with pytest.raises(DataError, match=r"ids.txt: expected a readable file, got: No such file or directory"):
        content.tables_sha256(tables, root)


def test_the_spec_is_relative_to_the_data_root(root):
    spec = table_spec("candidates", section())
    assert TableSpec.from_json(spec.to_json()) == spec
    look = spec.column("look")
    assert (look.column, look.vectors.path, look.vectors.ids) == ("item", "looks.npy", "ids.txt")
    assert spec.located(root).column("look").vectors.path == str(root / "looks.npy")
    without = table_spec("candidates", Candidates.model_validate({"path": "items.csv", "features": {"name": "text"}}))
    assert "vectors" not in json.dumps(json.loads(without.to_json()))


@pytest.mark.parametrize(
    ("feature", "sentence"),
    [
        ({"ids": None}, "expected both path and ids, or neither"),
        ({"path": None}, "expected both path and ids, or neither"),
        ({"column": "look"}, "expected either column or path"),
        ({"type": "numeric", "dim": None}, "path and ids need type vector, got numeric"),
        ({"path": "*.npy"}, "expected the path of one file of this machine"),
        ({"path": "gs://bucket/looks.npy"}, "expected the path of one file of this machine"),
        ({"ids": ""}, "expected a path, got an empty one"),
    ],
)
def test_keys_that_do_not_fit_each_other(feature, sentence):
    with pytest.raises(ValueError, match=sentence):
        Feature.model_validate({**_FEATURE, **feature})
