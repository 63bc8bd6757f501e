"""The same rows from every format, and files whose content is not what their name says."""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import pickle
import sqlite3
import tarfile
import zipfile
from typing import Any

import numpy as np
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.config.table import Interactions
from shortlist.errors import DataError
from shortlist.tables import readers, xlsx_reader
from shortlist.tables.json_array_reader import JsonArrayReader
from shortlist.tables.spec import ColumnSpec, TableSpec, table_spec
from tests.shortlist.tables import formats
from tests.shortlist.tables.tables import one_column, parquet_bytes

COLUMNS = ["user", "item", "time", "rating", "tags", "event", "seen", "other"]
ROWS: list[list[Any]] = [
    ["007", "a, b", "2011-12-09 12:50:00", "3.5", "x|y", "view", "2020-02-29", "n"],
    ["café", 'Say "yes;"', "2011-12-10", "4", "x", "buy", "1582934400", None],
    ["u 3", "1e3", "2011-12-11T00:00:01Z", None, None, "view", None, "n"],
]
TABLE = {
    "query_id": "user",
    "candidate_id": "item",
    "timestamp": "time",
    "filter": 'other is None or other == "n"',
    "weight": {"column": "event", "values": {"view": 1, "buy": 2}},
    "features": {
        "rating": "numeric",
        "tags": "multi_category",
        "event": "category",
        "seen": "timestamp",
        "note": {"type": "text", "column": "other"},
    },
}
FILES = formats.files(COLUMNS, ROWS)


def spec_of(**options: Any) -> TableSpec:
    return table_spec("interactions", Interactions(path="log", **TABLE | options), "iso8601")


def rows_of(name: str, content: bytes, spec: TableSpec) -> list[Any]:
    with io.BytesIO(content) as file:
        return list(readers.parsed_rows(readers.open_table(file, spec, name), spec))


def refusal(name: str, content: bytes, spec: TableSpec | None = None) -> str:
    with pytest.raises(DataError) as refused:
        rows_of(name, content, spec or spec_of())
    sentence = str(refused.value)
    assert len(sentence.splitlines()) == 1
    assert len(sentence) < 1000
    return sentence


@pytest.mark.parametrize("name", FILES)
def test_all_formats_have_the_same_rows(name):
    content, options = FILES[name]
    assert rows_of(name, content, spec_of(**options)) == [
        (
            0,
            # 2011-12-09 is 15,317 days after 1970-01-01: 15,317 * 86,400 + 12 * 3,600 + 50 * 60 = 1,323,435,000.
            {
                "query_id": ["007"],
                "candidate_id": ["a, b"],
                "timestamp": [1_323_435_000],
                "timestamp_nanos": [0],
                "weight": [1.0],
                "rating": [3.5],
                "tags": ["x", "y"],
                "event": ["view"],
                "seen": [1_582_934_400],
                "note": ["n"],
            },
        ),
        (
            1,
            {
                "query_id": ["café"],
                "candidate_id": ['Say "yes;"'],
                "timestamp": [1_323_475_200],
                "timestamp_nanos": [0],
                "weight": [2.0],
                "rating": [4.0],
                "tags": ["x"],
                "event": ["buy"],
                "seen": [1_582_934_400],
                "note": [],
            },
        ),
        (
            2,
            {
                "query_id": ["u 3"],
                "candidate_id": ["1e3"],
                "timestamp": [1_323_561_601],
                "timestamp_nanos": [0],
                "weight": [1.0],
                "rating": [],
                "tags": [],
                "event": ["view"],
                "seen": [],
                "note": ["n"],
            },
        ),
    ]


@functools.cache
def _many_rows() -> dict[str, Any]:
    return formats.files(COLUMNS, [[f"u{i}", "i", "2011-12-09", "1", "", "view", "", "n"] for i in range(3000)])


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith((".parquet", "parquet.zip"))])
def test_rows_are_estimated_in_every_format(name):
    content, options = _many_rows()[name]
    spec = spec_of(**options)
    with io.BytesIO(content) as file:
        reader = readers.open_table(file, spec, name)
        assert sum(1 for _ in reader) == 3000
        assert reader.estimated_rows(len(content)) == 3000


def test_time_cells_of_a_workbook():
    rows = formats.time_cells([[*row[:2], row[2].rstrip("Z"), *row[3:]] for row in ROWS], 2)
    times = [values["timestamp"] for _, values in rows_of("log.xlsx", formats.workbook(COLUMNS, rows), spec_of())]
    assert times == [[1_323_435_000], [1_323_475_200], [1_323_561_601]]


def test_numbers_of_a_workbook_are_exact():
    content = formats.workbook(["x"], [[17850], [17850.0], [2**53], ["007"], [None], [True]])
    assert [values["x"] for _, values in rows_of("x.xlsx", content, one_column("category", "xlsx"))] == [
        *(["17850"], ["17850"], [str(2**53)], ["007"], ["true"])
    ]


def test_blank_rows_and_columns_of_a_workbook():
    rows: list[list[Any]] = [[None], ["x", None, None], [None], ["a"], [None, None], ["b", None, None, None]]
    spec = one_column("category", "xlsx")
    assert rows_of("x.xlsx", formats.workbook(None, rows), spec) == [(0, {"x": ["a"]}), (1, {"x": ["b"]})]
    assert rows_of("x.xlsx", formats.workbook(None, []), spec) == []
    sentence = refusal("x.xlsx", formats.workbook(["x"], [["a"], ["b", None, "c"]]), spec)
    assert "x.xlsx, row 1 (from 0), sheet row 3: expected at most 1 cells as in the header, got a cell in column 3" in (
        sentence
    )
    assert "a column 'x'" in refusal("x.xlsx", formats.workbook(["y"], [["a"]]), spec)


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("sqlite") / "log.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("create table log (user, item)")
    return path.read_bytes()


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("log.csv"), io.BytesIO())
    return buffer.getvalue()


def array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


OPEN_DOCUMENT = formats.zipped({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b"<"})
OTHERS = {
    "workbook": (formats.workbook(COLUMNS, ROWS), "an Excel workbook (.xlsx); set data.interactions.format: xlsx"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an old Excel workbook (.xls), or one with a password"),
    "ods": (OPEN_DOCUMENT, "an OpenDocument file; save it as .xlsx"),
    "parquet": (parquet_bytes({"x": ["a"]}), "a Parquet file; set data.interactions.format: parquet"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF document"),
    "gzip in gzip": (gzip.compress(gzip.compress(b"a,b\n")), "a gzip file; unpack it"),
    "pickle": (pickle.dumps({"a": 1}), "a Python pickle"),
    "numpy": (array(), "a NumPy array"),
    "tar": (tar(), "a tar archive"),
    "tar in gzip": (gzip.compress(tar()), "a tar archive"),
    "bzip2": (b"BZh91AY&SY" + bytes(9), "a bzip2 file; unpack it with bunzip2"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(9), "a zstd file"),
    "web page": (b"<!DOCTYPE html><html>", "a web page"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
    "several members": (formats.zipped({"a.csv": b"", "b/c.csv": b""}), "got 2: 'a.csv', 'b/c.csv'"),
    "no member": (formats.zipped({".hidden": b""}), "a zip file with one file in it, got none"),
    "zip in zip": (
        formats.zipped({"a.csv": formats.zipped({"b.csv": b""})}),
        "a zip file within another archive; unpack the outer one",
    ),
    "broken zip": (formats.zipped({"a.csv": b"x" * 99})[:-9], "a zip file that can be read"),
}


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.json", "log.tsv", "log.dat"])
@pytest.mark.parametrize("kind", OTHERS)
def test_other_content_is_named(name, kind):
    content, part = OTHERS[kind]
    sentence = refusal(name, content)
    assert sentence.startswith(name)
    assert part in sentence


@pytest.mark.parametrize("name", ["log.csv", "log.parquet", "log.xlsx", "log.json"])
def test_a_database_is_named_with_the_command_that_converts_it(name, sqlite):
    sentence = refusal(name, sqlite)
    assert sentence.startswith(f"{name}: expected ")
    assert "got an SQLite database; write its table as CSV: sqlite3 -header -csv" in sentence


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("log.xlsx", b"a,b\n1,2\n", "expected an Excel workbook (.xlsx), got no zip file"),
        ("log.xlsx", b"", "got no zip file"),
        ("log.xlsx", parquet_bytes({"x": ["a"]}), "got a Parquet file"),
        ("log.xlsx", formats.workbook(["x"], [["a"]])[:-30], "got an Excel workbook that is cut off or damaged"),
        ("log.xlsx", formats.zipped({"xl/x.xml": b"<"}), "log.xlsx: expected a whole Excel workbook with a sheet"),
        ("log.parquet", b"x,y\n1,2\n", "log.parquet: expected a whole Parquet file"),
        ("log.parquet", b"%PDF-1.7\n", "got a PDF document"),
        ("log.zip", formats.zipped({"log.xml": b""}), "log.zip/log.xml: expected a file name that ends in .csv"),
        ("log.zip", b"", "expected a file name that ends in"),
        (
            "log.zip",
            formats.zipped({"log.csv": b"a;b\n1;2\n"}),
            "log.zip/log.csv: expected columns separated by commas",
        ),
    ],
    # Bytes of a workbook depend on the time, and each process must name its tests in the same way.
    ids=range(10),
)
def test_files_refused(name, content, part):
    assert part in refusal(name, content)


@pytest.mark.parametrize("header", ["PAR1,PAR2", "ORC,x", "BZh9,x", "1AY&SY,x"])
def test_a_header_may_begin_like_another_kind(header):
    assert rows_of("x.csv", f"{header},x\n1,2,a\n".encode(), _renamed(header.split(",")[0])) == [(0, {"x": ["1"]})]


def _renamed(column: str) -> TableSpec:
    return TableSpec("candidates", None, (ColumnSpec("x", column, "category", "data.x"),))


def test_a_member_with_a_password_is_refused():
    content = bytearray(formats.zipped({"log.csv": b"a,b\n" * 9}))
    # Bit 0 of the flags of both headers says that the member is encrypted.
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert "password" in refusal("log.zip", bytes(content))


def test_a_damaged_member_is_refused_when_its_end_is_read():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("log.csv", formats.delimited(COLUMNS, ROWS))
    damaged = buffer.getvalue().replace(b"view", b"buys", 1)
    spec = spec_of(weight=None)
    assert "a file that can be read to its end, got Bad CRC-32" in refusal("log.zip", damaged, spec)


def test_workbooks_of_great_parts_are_refused(monkeypatch):
    monkeypatch.setattr(xlsx_reader, "_MAX_PART_BYTES", 2**16)
    content = io.BytesIO(formats.workbook(["x"], [["a"]]))
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/more.xml", b" " * 2**20)
    assert "got xl/more.xml with 1,048,576 bytes" in refusal("x.xlsx", content.getvalue(), one_column("id", "xlsx"))


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/workbook.xml"])
def test_entities_that_multiply_are_refused(part):
    entities = "".join(f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 9))
    declared = f'<!DOCTYPE x [<!ENTITY a0 "{"ha" * 50}">{entities}]>'
    source = zipfile.ZipFile(io.BytesIO(formats.workbook(["x"], [["a"]])))
    members = {name: source.read(name) for name in source.namelist()}
    text = members[part].decode()
    start, end = text.find("?>") + 2 if text.startswith("<?xml") else 0, text.rindex("</")
    cell = '<c r="B1" t="inlineStr"><is><t>&a8;</t></is></c>'
    text = text[:start] + declared + text[start:end].replace("</row>", f"{cell}</row>") + "<x>&a8;</x>" + text[end:]
    sentence = refusal("x.xlsx", formats.zipped(members | {part: text.encode()}), one_column("id", "xlsx"))
    assert "expected a whole Excel workbook with a sheet" in sentence
    assert "mplification" in sentence or "Entities" in sentence


def test_a_sheet_that_names_a_distant_row_ends(monkeypatch):
    monkeypatch.setattr(xlsx_reader, "MAX_ROWS", 1000)
    book = openpyxl.Workbook()
    book.active["A1"] = "x"
    book.active["A900000"] = "a"
    buffer = io.BytesIO()
    book.save(buffer)
    assert "at most 1,000 rows, as in Excel" in refusal("x.xlsx", buffer.getvalue(), one_column("id", "xlsx"))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('[{"x": 1}, {"x": 2}', "line 1: expected a comma or the array's end, got the end of the file"),
        (
            '[{"x": 1},\n\n {"x": }]',
            "line 3: expected one JSON object, got '{\"x\": }]' (Expecting value at character 7)",
        ),
        ('[{"x": 1},\n{"x": "b', "line 2: expected one JSON object"),
        ('[{"x": 1},]', "expected an object after the comma, got the array's end"),
        ('[{"x": 1}] []', "expected nothing after the array, got '[]'"),
        ('[{"x": 1} {"x": 2}]', "expected a comma or the array's end, got '{\"x\": 2}]'"),
        ("[1, 2]", "expected an object in the array, got '1, 2]'"),
        ('[["a", "b"]]', "expected an object in the array, got an array"),
        ('["a"]', "expected an object in the array, got a text"),
        ('[{"x": 1, "x": 2}]', "expected each key once"),
        ('[{"y": 1}]', "a column 'x'"),
        ('{"data": [{"x": 1}]}', 'expected one JSON array of objects, got \'{"data"'),
        ("[" * 10_000, "expected an object in the array"),
        ('[{"x": ' + "[" * 100_000 + "]", "nested too deeply"),
        ('[{"x": "\\ud83d"}]', "row 0 (from 0), line 1, column 'x': expected text, got half a character"),
        ('[\n{"x": "a\0"}]', "line 2: expected text, got a NUL character"),
        ('[{"x": "' + "a" * 17 * 2**20 + '"}]', "expected objects of text, got one of over 16 MB"),
        ('[\n{"x": "é"}]', "line 2: expected UTF-8, got the byte 0xe9 at position 7"),
    ],
)
def test_arrays_refused(text, part):
    content = text.encode("latin-1" if "é" in text else "utf-8")
    assert part in refusal("x.json", content, one_column("category", "json"))


@pytest.mark.parametrize("text", ["[]", " \n[ \n] ", "", "\ufeff[]"])
def test_an_array_without_objects_has_no_rows(text):
    assert rows_of("x.json", text.encode(), one_column("category", "json")) == []


def test_an_array_of_any_size_takes_no_memory(monkeypatch):
    monkeypatch.setattr("shortlist.tables.text_lines._CHUNK_BYTES", 7)
    values = [{"x": f"{'é🦊' * (i % 9)}\\,]}}", "n": {"a": [i]}} for i in range(300)]
    for text in (json.dumps(values), json.dumps(values, indent=1, ensure_ascii=False)):
        rows = rows_of("x.json", text.encode(), one_column("category", "json"))
        assert [values["x"] for _, values in rows] == [[value["x"]] for value in values]
    reader = JsonArrayReader(io.BytesIO(text.encode()), one_column("category", "json"), "x.json")
    next(iter(reader))
    assert reader.bytes_read < 200


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=4,
)


@given(records=st.lists(st.fixed_dictionaries({"x": VALUES}), max_size=5), chunk=st.integers(1, 9))
def test_any_array_has_the_rows_of_its_lines(records, chunk):
    def outcome(content: str, format: Any) -> Any:
        try:
            return rows_of("x.json", content.encode(), one_column("multi_category", format))
        except DataError as error:
            return str(error).partition("column")[2]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shortlist.tables.text_lines._CHUNK_BYTES", chunk)
        array = outcome(json.dumps(records, indent=chunk % 3 or None), "json")
    assert array == outcome("\n".join(map(json.dumps, records)), "jsonl")


@given(
    name=st.sampled_from(sorted(FILES)),
    at=st.integers(0, 3000),
    bytes_=st.binary(max_size=6),
    cut=st.booleans(),
)
def test_any_damage_is_read_or_refused_in_one_sentence(name, at, bytes_, cut):
    content, options = FILES[name]
    damaged = content[:at] + bytes_ + (b"" if cut else content[at + len(bytes_) :])
    try:
        rows = rows_of(name, damaged, spec_of(**options))
    except DataError as error:
        rows = []
        sentences = str(error).splitlines()
    else:
        sentences = [""]
    assert len(sentences) == 1
    assert len(rows) <= len(ROWS) + 1 or os.path.splitext(name)[1] in (".txt", ".csv")
