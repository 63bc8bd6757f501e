from __future__ import annotations

import dataclasses
import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.config.features import Feature
from shortlist.errors import DataError
from shortlist.tables import readers
from shortlist.tables.spec import TableSpec, table_spec
from tests.shortlist.tables.tables import INTERACTIONS, one_column, rows_of

SPEC = table_spec(
    "interactions",
    INTERACTIONS.model_copy(
        update={"format": "jsonl", "features": INTERACTIONS.features | {"tags": Feature(type="multi_category")}}
    ),
)
ROW = {"user": "007", "item": "a b", "time": 881250949, "rating": 3.5, "device": None, "tags": ["x", "y"]}


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def read(content: str | bytes, spec: TableSpec = SPEC):
    return rows_of(content.encode() if isinstance(content, str) else content, spec)


def value(cell: str, column_type) -> list:
    [(_, values)] = read(f'{{"x": {cell}}}', one_column(column_type, "jsonl"))
    return values["x"]


def refusal(content: str | bytes, spec: TableSpec = SPEC) -> str:
    with pytest.raises(DataError) as refused:
        read(content, spec)
    sentence = str(refused.value)
    assert sentence.startswith("logs/ratings.csv")
    assert "expected" in sentence
    assert "\n" not in sentence
    return sentence


def test_row():
    assert read(lines(ROW)) == [
        (
            0,
            {
                "query_id": ["007"],
                "candidate_id": ["a b"],
                "timestamp": [881250949],
                "rating": [3.5],
                "device": [],
                "tags": ["x", "y"],
            },
        )
    ]


@pytest.mark.parametrize(
    "dialect",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: gzip.compress(text.encode()),
        lambda text: text.rstrip("\n").encode(),
        lambda text: ("\n \n" + text.replace("\n", "\n\n")).encode(),
    ],
    ids=["bom", "crlf", "gzip", "no last line end", "blank lines"],
)
def test_dialects_give_the_same_rows(dialect):
    text = lines(ROW, ROW | {"user": "ï🦊"})
    assert read(dialect(text)) == read(text)
    assert [row for row, _ in read(dialect(text))] == [0, 1]


def test_a_missing_key_is_a_blank_cell_also_in_the_first_row():
    del (short := dict(ROW))["tags"]
    assert [values["tags"] for _, values in read(lines(short, ROW, short))] == [[], ["x", "y"], []]


@pytest.mark.parametrize(
    ("cell", "column_type", "expected"),
    [
        ('"007"', "id", ["007"]),
        ("7", "id", ["7"]),
        ("7.0", "id", ["7"]),
        ("12345678901234567890123", "id", ["12345678901234567890123"]),
        ("0.1000", "id", ["0.1000"]),
        ("true", "category", ["true"]),
        ("7", "category", ["7"]),
        ("null", "category", []),
        ('"a|b"', "multi_category", ["a", "b"]),
        ('["a|b", null, "", 7, 0.5]', "multi_category", ["a|b", "7", "0.5"]),
        ("[]", "multi_category", []),
        ("5", "numeric", [5.0]),
        ("0.1", "numeric", [0.1]),
        ('"0.1"', "numeric", [0.1]),
        ("null", "numeric", []),
        ('"1970-01-02"', "timestamp", [86400]),
        (r'"\ud83e\udd8a"', "id", ["🦊"]),
    ],
)
def test_cells(cell, column_type, expected):
    assert value(cell, column_type) == expected


@pytest.mark.parametrize(
    ("cell", "column_type", "part"),
    [
        ("null", "id", "got null"),
        ('""', "id", "a blank"),
        ("true", "id", "got true"),
        ("[1]", "id", "a list, [1]"),
        ('{"id": 1}', "id", "an object"),
        ('{"id": 1}', "category", "an object"),
        ('[["a"]]', "multi_category", "a list, ['a']"),
        ("true", "numeric", "got true"),
        ("[1]", "numeric", "[1]"),
        ("1e39", "numeric", "32-bit float"),
        ("1e999999999", "numeric", "number"),
        ("1e999999999", "id", "1,000 digits"),
        (r'"a\u0000"', "id", "control characters"),
        (r'"a\u0000"', "category", "NUL"),
        (r'"\ud800"', "category", r"half a character, '\ud800'"),
        (r'["\udfff"]', "multi_category", "half a character"),
    ],
)
def test_cells_refused(cell, column_type, part):
    with pytest.raises(DataError) as refused:
        value(cell, column_type)
    assert "row 0 (from 0), line 1, column 'x'" in str(refused.value)
    assert part in str(refused.value)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("{", "write each row as an object on its own line"),
        ("[", "write each row as an object on its own line"),
        ('[{"user": 1}]', "got an array; write each row"),
        ("5", "got a number"),
        ('"x"', "got a text"),
        ("null", "got null"),
        ('{"user": 1} {"user": 2}', "Extra data at character 13"),
        ("{'user': 1}", "property name enclosed in double quotes at character 2"),
        ('{"user": 1, "user": 2}', "expected each key once, got 'user' again"),
        ('{"other": {"a": 1, "a": 1}}', "expected each key once"),
        ('{"user": ' + "9" * 5000 + "}", "got one of 5,000"),
        ('{"user": 1e99999999999999999999}', "got '1e99999999999999999999'"),
        ("[" * 100_000, "nested too deeply"),
        ('{"user": "\n"}', "Invalid control character at character 11"),
        ("user,item", "Expecting value"),
    ],
)
def test_lines_refused(line, part):
    sentence = refusal(lines(ROW) + line + "\n" + lines(ROW))
    assert sentence.startswith("logs/ratings.csv, line 2: ")
    assert part in sentence


def test_nan_is_a_blank_cell_and_does_no_harm_elsewhere():
    text = '{"x": 1.5, "other": NaN}\n{"x": NaN, "other": -Infinity}\n'
    spec = one_column("numeric", "jsonl")
    assert [values["x"] for _, values in rows_of(text.encode(), spec)] == [[1.5], []]
    for number, part in (("Infinity", "a finite number"), ('"NaN"', "a finite number")):
        with pytest.raises(DataError, match=f"row 0 .*line 1, column 'x': expected {part}"):
            rows_of(f'{{"x": {number}}}'.encode(), spec)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (lines(ROW).encode() + b'{"user": "\xe9"}\n', "line 2: expected UTF-8, got the byte 0xe9 at position 10"),
        (lines(ROW).encode() + b"\0\n", "line 2: expected text, got a NUL byte"),
        (lines(ROW).encode("utf-16-le"), "got a NUL byte; set data.interactions.encoding: utf-16-le"),
        (gzip.compress(lines(ROW).encode() * 100, mtime=0)[:-12], "read to its end"),
        (b'{"user": "' + b"x" * (16 * 2**20) + b'"}', "over 16 MB"),
    ],
)
def test_files_refused(content, part):
    assert part in refusal(content)


def test_a_file_without_rows_is_none_of_anything():
    assert read("") == read("\n\n") == []


def test_a_column_that_none_of_the_first_thousand_rows_has_is_missing():
    late = lines(*[{"usr": "u"}] * 999, {"user": "u"})
    spec = dataclasses.replace(SPEC, columns=SPEC.columns[:1])
    assert "row 0 (from 0), line 1, column 'user': expected an id, got null" in refusal(late, spec)
    later = lines(*[{"usr": "u"}] * 1000, {"user": "u"})
    assert "expected a column 'user', got the columns 'usr'" in refusal(later, spec)
    assert "set data.interactions.query_id to one of them; did you mean 'usr'?" in refusal(later, spec)


def test_all_columns_are_listed_where_none_is_asked_for():
    spec = TableSpec("interactions", "jsonl", ())
    reader = readers.open_table(io.BytesIO(lines({"a": 1}, {"b": 2, "a": 3}).encode()), spec, "x.jsonl")
    assert reader.columns == ["a", "b"]
    assert list(reader) == [(0, {}), (1, {})]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(
    records=st.lists(st.dictionaries(st.sampled_from(list(ROW)), JSON), max_size=4),
    dirt=st.text(max_size=10) | st.sampled_from(["{", '{"user":', "[]", r'"\ud800"', r'{"user":"\ud800"}', "9" * 5000]),
)
def test_any_lines_are_read_or_refused(records, dirt):
    for content in (lines(ROW, *records), lines(ROW) + dirt):
        try:
            rows = read(content)
        except DataError:
            continue
        for _, values in rows:
            assert json.dumps(values).encode("utf-8")
