"""Small files that would take gigabytes or hours: refused in one sentence, within bounded memory and time."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import io
import json
import pathlib
import random
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from shortlist.errors import DataError
from shortlist.tables import xlsx_reader
from shortlist.tables.spec import Dialect
from tests.shortlist.tables import formats
from tests.shortlist.tables.read_bomb import Result
from tests.shortlist.tables.tables import one_column, parquet_bytes, rows_of

MAX_MB = 1000
MAX_SECONDS = 20

Read = Callable[..., Result]


@pytest.fixture
def read(tmp_path: pathlib.Path) -> Read:
    """Returns a function that reads a file's content in a bounded process, and checks its memory and time."""

    def read_bounded(name: str, content: bytes, *columns: str) -> Result:
        path = tmp_path / name
        path.write_bytes(content)
        command = [sys.executable, "-m", "tests.shortlist.tables.read_bomb", str(path), *columns]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        result = Result(*json.loads(done.stdout))
        assert result.peak_mb < MAX_MB, result
        assert result.seconds < MAX_SECONDS, result
        assert len(result.error) < 2000
        return result

    return read_bounded


def test_a_json_line_with_one_key_many_times(read):
    pairs = ",".join(f'"{n % 150_000}":1' for n in range(300_000))
    result = read("log.jsonl", f"{{{pairs}}}\n".encode(), "x:id")
    assert result.error == "log.jsonl, line 1: expected each key once, got '0' again; rename or drop the others"
    assert result.seconds < 5


@pytest.mark.parametrize("depth", [64, 900, 100_000])
def test_a_json_value_nested_deeply(depth):
    row = f'{{"x": "a", "y": {"[" * depth}{"]" * depth}}}'
    for format_, text in (("jsonl", row), ("json", f"[{row}]")):
        with pytest.raises(DataError, match="nested (more than 64 levels|too) deep"):
            rows_of(text.encode(), one_column("multi_category", format_))
    flat = row.replace("[" * depth, "[" * 63).replace("]" * depth, "]" * 63)
    assert rows_of(flat.encode(), one_column("multi_category", "jsonl")) == [(0, {"x": ["a"]})]


LONG_NUMBERS = ["9" * 10**6, "1e999999999", "-1e-999999999", "0." + "1" * 10**6, "1e" + "9" * 10**6]
LONG_TEXTS = ["9" * 999 + "x", "+" * 10**6, "-" + "0" * 10**6 + "x", "1" * 999 + "..", "0x" + "f" * 10**6, "1_" * 400]


@pytest.mark.parametrize("column_type", ["id", "numeric", "timestamp", "order", "multi_category", "weight"])
def test_numbers_of_a_million_digits(column_type):
    files = [("jsonl", f'{{"x": {number}}}\n') for number in LONG_NUMBERS]
    files += [("csv", f"x\n{text}\n" * 10) for text in LONG_NUMBERS + LONG_TEXTS]
    start = time.perf_counter()
    for format_, content in files:
        is_text = format_ == "csv" and column_type in ("id", "multi_category")
        expected = contextlib.suppress(DataError) if is_text else pytest.raises(DataError, match="logs/ratings.csv, ")
        with expected:
            rows_of(content.encode(), one_column(column_type, format_))
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("condition", ["x > 1", "x == 1", 'x < "2020-01-01"', 'x in (1, "a")'])
def test_numbers_of_a_million_digits_in_a_filter(condition):
    start = time.perf_counter()
    for number in LONG_NUMBERS:
        spec = dataclasses.replace(one_column("category", "jsonl"), filter=condition)
        with pytest.raises(DataError, match="logs/ratings.csv, "):
            rows_of(f'{{"x": {number}}}\n'.encode(), spec)
    assert time.perf_counter() - start < 10


def test_a_long_cell_among_known_types_is_not_compared_letter_by_letter(read):
    result = read("log.jsonl", ('{"x": "' + "ab" * 5_000_000 + '"}\n').encode(), "x:multi_category")
    assert (result.rows, result.error) == (1, "")


def endless(content: bytes, size: int) -> bytes:
    """Returns the gzip file of a repeated content, at least `size` bytes long when unpacked."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=6, mtime=0) as file:
        piece = content * (2**20 // len(content) + 1)
        for _ in range(-(-size // len(piece))):
            file.write(piece)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "line", "part"),
    [
        (
            "open.csv.gz",
            b"a\n",
            "expected rows of at most 16 MB and 100,000 lines, got a longer one, in quotes; close every quote",
        ),
        (
            "open.csv.gz",
            b'\n","',
            "expected rows of at most 16 MB and 100,000 lines, got a longer one, in quotes; close every quote",
        ),
        ("log.csv.gz", b"abcd", "expected lines of text, got a line of over 16 MB"),
        ("log.dat.gz", b"::::", "expected lines of text, got a line of over 16 MB"),
        ("log.jsonl.gz", b'{"x":', "expected lines of text, got a line of over 16 MB"),
        ("log.json.gz", b'"x",', "expected objects of text, got one of over 16 MB"),
        ("log.csv.gz", b"\n", "expected rows, got 1,000,000 blank lines"),
        ("log.jsonl.gz", b" \n", "expected rows, got 1,000,000 blank lines"),
    ],
    ids=["open quote", "quoted line ends", "line", "fields", "JSON line", "JSON array", "blank CSV", "blank JSON"],
)
def test_an_endless_record_in_gzip(read, name, line, part):
    head = {
        "log.csv.gz": b"x\n",
        "open.csv.gz": b'x\n"',
        "log.dat.gz": b"x\n",
        "log.json.gz": b'[{"x":[',
        "log.jsonl.gz": b"",
    }[name]
    result = read(name, gzip.compress(head) + endless(line, 40_000_000), "x:category")
    assert part in result.error


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.csv.gz", gzip.compress(b"x\n") + endless(b"u1" * 500 + b"\n", 80_000_000)),
        ("log.json.gz", gzip.compress(b"[") + endless(b"          ", 80_000_000)),
        ("log.jsonl.gz", endless(b'{"y":' + b" " * 1_000_000 + b"1}\n", 80_000_000)),
    ],
    ids=["rows", "blanks", "long blanks"],
)
def test_a_file_that_unpacks_to_200_times_its_size(read, name, content):
    result = read(name, content, *([] if name == "log.jsonl.gz" else ["x:category"]))
    assert re.search(r"expected at most 6\d MB, unpacked from \d{2,3},\d{3} bytes, got more", result.error)
    assert result.error.endswith(
        " bytes, got more; such a file consists of repetitions: check how it was written, or unpack it"
    )


def test_a_zip_file_that_unpacks_to_200_times_its_size(read):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("log.csv", "w") as member:
        for _ in range(80):
            member.write(b"x" * 2**20)
    result = read("log.zip", content.getvalue(), "x:category")
    assert result.error.startswith("log.zip/log.csv: expected at most 64 MB, unpacked from ")
    assert result.seconds < 1


def test_many_members_of_gzip_are_read(read):
    members = b"".join(gzip.compress(b"u%d\n" % number) for number in range(20_000))
    result = read("log.csv.gz", gzip.compress(b"x\n") + members, "x:id")
    assert (result.rows, result.error) == (20_000, "")


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        (
            "log.csv",
            ",".join(f"c{n}" for n in range(10**6)) + "\n1\n",
            "log.csv: expected at most 10,000 columns, got more",
        ),
        ("log.csv", ",".join(f"c{n}" for n in range(9_000)) + "\n1\n", "got the columns 'c0', 'c1', "),
        ("log.csv", "y" * 10**7 + "\n1\n", "log.csv: expected a column 'x', got the columns 'yyyy"),
        (
            "log.jsonl",
            json.dumps({f"c{n}": n for n in range(20_000)}),
            "log.jsonl: expected at most 10,000 columns, got more",
        ),
        (
            "log.jsonl",
            "".join(json.dumps({f"c{row}_{n}": n for n in range(20)}) + "\n" for row in range(1000)),
            "log.jsonl: expected at most 10,000 columns, got more",
        ),
        ("log.jsonl", '{"x": [' + "[]," * 1_500_000 + "1]}\n", "log.jsonl, row 0 (from 0), line 1, column 'x': "),
        ("log.jsonl", '{"x": [' + "0.1," * 1_000_000 + "1]}\n", "log.jsonl, row 0 (from 0), line 1, column 'x': "),
    ],
    ids=["CSV", "CSV's message", "long name", "JSON", "keys of rows", "lists", "numbers"],
)
def test_a_million_columns_or_elements(read, name, content, part):
    result = read(name, content.encode(), "x:id")
    assert part in result.error
    assert len(result.error) < 2000


def dictionary(entry: object, rows: int) -> pa.Array:
    """Returns a column that refers to one entry of a dictionary in each row."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([entry]))


def noise(size: int) -> str:
    return "".join(random.Random(0).choices("abcdefgh", k=size))


@pytest.mark.parametrize("is_dictionary", [False, True], ids=["text", "dictionary"])
def test_a_parquet_file_of_one_repeated_megabyte(read, is_dictionary):
    content = parquet_bytes({"x": dictionary(noise(10**6), 5000), "y": dictionary("u1", 5000)}, compression="zstd")
    assert len(content) < 400_000
    if not is_dictionary:  # The same bytes, for readers that do not know of Arrow's types.
        content = content.replace(b"ARROW:schema", b"ARROW:nobody")
    result = read("log.parquet", content, "x:category", "y:id")
    assert result.error.startswith("log.parquet, after row ")
    assert "expected at most 363 MB of cells in a file of" in result.error
    assert result.peak_mb < 500


@pytest.mark.parametrize("entry", [noise(10**5), 10**5 * "x"], ids=["noise", "x"])
def test_a_list_of_one_repeated_text(read, entry):
    content = parquet_bytes({"x": pa.ListArray.from_arrays([0, 1, 3000], pa.array([entry] * 3000))})
    result = read("log.parquet", content, "x:multi_category")
    assert "expected rows of at most 16 MB in the needed columns, got one of 286 MB" in result.error
    assert result.peak_mb < 300


@pytest.mark.parametrize("element", ["a", 7], ids=["text", "number"])
def test_a_list_of_many_elements(read, element):
    array = pa.array(np.full(2_000_000, element)) if element == 7 else dictionary("a", 2_000_000).dictionary_decode()
    content = parquet_bytes({"x": pa.ListArray.from_arrays([0, 1, 2_000_000], array)})
    result = read("log.parquet", content, "x:multi_category")
    assert "expected lists of at most 1,000,000 elements, got one of 1,999,999" in result.error


def test_a_row_group_of_too_many_list_elements(read):
    content = parquet_bytes(
        {"x": pa.ListArray.from_arrays([0, 1, 33_000_000], pa.array(np.zeros(33_000_000, np.int8)))}
    )
    result = read("log.parquet", content, "x:multi_category")
    assert "expected at most 32,000,000 list elements per row group, got 33,000,000 in the column" in result.error


def test_a_large_page(read):
    content = parquet_bytes(
        {"x": [bytes(300 * 2**20)]}, compression="zstd", use_dictionary=False, write_statistics=False
    )
    assert len(content) < 50_000
    result = read("log.parquet", content, "x:category")
    assert "expected pages of at most 256 MB, got one of 300 MB" in result.error


def test_a_parquet_cell_of_100_megabytes(read):
    content = parquet_bytes({"x": ["a", "b" * 10**8]}, compression="zstd", use_dictionary=False)
    result = read("log.parquet", content, "x:category")
    assert "expected rows of at most 16 MB in the needed columns, got one of 95 MB" in result.error


def test_rows_that_cost_no_bytes(read):
    content = parquet_bytes({"x": pa.nulls(2_000_000, pa.int8())}, row_group_size=2_000_000)
    result = read("log.parquet", content, "x:category")
    assert "rows in " in result.error
    assert result.error.endswith("got 2,000,000; such rows are repetitions: write each row once, with a weight")
    assert result.seconds < 1


def test_a_parquet_file_of_many_columns(read):
    content = parquet_bytes({f"c{n}": [n] for n in range(9_000)}, write_statistics=False)
    result = read("log.parquet", content, "x:category")
    assert result.error.startswith("log.parquet: expected a column 'x', got the columns 'c0', 'c1', ")
    assert "'c19' and 8,980 more" in result.error


def test_a_footer_of_over_32_megabytes(read):
    size = 33 * 2**20
    content = b"PAR1" + bytes(size) + size.to_bytes(4, "little") + b"PAR1"
    assert "expected a footer of at most 32 MB, got one of 33 MB" in read("log.parquet", content, "x:category").error


@pytest.mark.parametrize(
    ("levels", "children", "expected"),
    [(100_000, 1, "columns nested at most 64 levels deep"), (1, 100_001, "at most 100,000 columns")],
    ids=["deep", "wide"],
)
def test_a_footer_of_columns_that_takes_pyarrow_down(read, levels, children, expected):
    """Written by hand, since no writer makes one: a schema in Thrift's compact protocol, no row groups."""
    parent, leaf = b"\x35\x02\x18\x01a\x15\x02\x00", b"\x15\x02\x25\x00\x18\x01x\x00"
    root = b"\x35\x02\x18\x01s\x15" + varint(2 * children) + b"\x00"
    nodes = parent * levels + leaf if levels > 1 else leaf * children
    count = 1 + levels + 1 if levels > 1 else 1 + children
    footer = b"\x15\x02\x19\xfc" + varint(count) + root + nodes + b"\x16\x00\x19\x0c\x00"
    content = b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"
    assert f"log.parquet: expected {expected}, got more" in read("log.parquet", content, "x:category").error


def varint(number: int) -> bytes:
    return bytes([number & 127 | 128]) + varint(number >> 7) if number > 127 else bytes([number])


def test_texts_of_very_different_lengths_are_read(read):
    """A dictionary with one large entry costs smaller batches, not the file."""
    texts = [f"t{n}" for n in range(20_000)] + [noise(500_000)]
    content = parquet_bytes({"x": texts * 2})
    result = read("log.parquet", content, "x:category")
    assert (result.rows, result.error) == (40_002, "")
    assert result.peak_mb < 300


def with_sheet(sheet: str) -> bytes:
    """Returns a workbook whose first sheet is replaced."""
    source = zipfile.ZipFile(io.BytesIO(formats.workbook(["x"], [["a"]])))
    members = {name: source.read(name) for name in source.namelist()}
    return formats.zipped(members | {"xl/worksheets/sheet1.xml": sheet.encode()})


@pytest.mark.parametrize("sheet", ["<a>" * 5_000_000, f"<row>{'<c/>' * 4_000_000}</row>"], ids=["deep", "wide"])
def test_a_sheet_of_repetitions(read, sheet):
    result = read("log.xlsx", with_sheet(sheet), "x:category")
    assert "and none of repetitions, got xl/worksheets/sheet1.xml with 1" in result.error
    assert result.seconds < 5


def test_cells_far_to_the_right(monkeypatch):
    monkeypatch.setattr(xlsx_reader, "_MAX_CELLS", 1_000_000)
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c><c r="XFD{n}"/></row>' for n in range(1, 100))
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    content = with_sheet(f'<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>')
    spec = dataclasses.replace(one_column("category", "xlsx"), dialect=Dialect(header=False, columns=("x",)))
    # A row has 16,384 cells: the 62nd goes over a million.
    with pytest.raises(DataError, match="expected at most 1,000,000 cells, with the blank ones before a row's last"):
        rows_of(content, spec)
