"""Delimited text as people have it: any delimiter, header, encoding, decimal mark and time format."""

from __future__ import annotations

import contextlib
import gzip
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.config.table import Interactions
from shortlist.errors import DataError
from shortlist.tables import readers
from shortlist.tables.spec import Dialect, TableSpec, table_spec
from tests.shortlist.tables.tables import one_column

COLUMNS = ["user", "item", "rating", "time"]
ROWS = [["007", "a b", "3.5", "881250949"], ["ü", "ï,🦊", "", "891717742"]]


def spec_of(unit: Any = "seconds", **options: Any) -> TableSpec:
    table = {"path": "x", "query_id": "user", "candidate_id": "item", "timestamp": "time"}
    return table_spec("interactions", Interactions(**table | {"features": {"rating": "numeric"}} | options), unit)


def rows_of(content: str | bytes, name: str = "log.csv", spec: TableSpec | None = None, **options: Any) -> list[Any]:
    """Returns query, candidate, rating and seconds of each row."""
    content = content.encode() if isinstance(content, str) else content
    spec = spec or spec_of(**options)
    reader = readers.open_table(io.BytesIO(content), spec, name)
    names = ("query_id", "candidate_id", "rating", "timestamp")
    return [[values[name] for name in names] for _, values in readers.parsed_rows(reader, spec)]


def text(delimiter: str, rows: list[list[str]] = ROWS, header: list[str] | None = COLUMNS) -> str:
    lines = rows if header is None else [header, *rows]
    return "".join(delimiter.join(line) + "\n" for line in lines)


def refusal(content: str | bytes, name: str = "log.csv", **options: Any) -> str:
    with pytest.raises(DataError) as refused:
        rows_of(content, name, **options)
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)


READ = [[["007"], ["a b"], [3.5], [881250949]], [["ü"], ["ï,🦊"], [], [891717742]]]


@pytest.mark.parametrize("delimiter", [";", "\t", "|", "::", "\x01", ", ;"])
def test_delimiters(delimiter):
    assert rows_of(text(delimiter), delimiter=delimiter) == READ


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [
        ("x.tsv", "\t"),
        ("x.data", "\t"),
        ("x.inter", "\t"),
        ("x.user", "\t"),
        ("X.ITEM", "\t"),
        ("x.tsv.gz", "\t"),
        ("x.dat", "::"),
    ],
)
def test_delimiters_by_the_ending(name, delimiter):
    content = text(delimiter).encode()
    assert rows_of(gzip.compress(content) if name.endswith(".gz") else content, name) == READ
    assert rows_of(text(";"), name, delimiter=";") == READ
    quoted = [["007", '"a, b"', "3.5", "881250949"]]
    assert rows_of(text(",", quoted), "x.txt")[0][1] == ["a, b"]


def test_blanks():
    content = "user  item rating\ttime\n  u1   i1\t 1 881250949  \n\nu2 'i' 2 881250949\n\"u 3\" i3 3 881250949\n"
    assert [row[:2] for row in rows_of(content, delimiter=" ")] == [
        [["u1"], ["i1"]],
        [["u2"], ["'i'"]],
        [["u 3"], ["i3"]],
    ]


def test_quotes_are_text_with_a_delimiter_of_several_characters():
    [(user, item, _, _)] = rows_of('user::item::rating::time\nu::Say "yes::1::881250949\r\n', "x.dat")
    assert (user, item) == (["u"], ['Say "yes'])


def test_no_header():
    content = text("::", header=None)
    assert rows_of(content, "ratings.dat", header=False, columns=COLUMNS) == READ
    sentence = refusal(content + "u::i::1\n", "ratings.dat", header=False, columns=COLUMNS)
    assert "ratings.dat, row 2 (from 0), line 3: expected 4 fields as data.interactions.columns, got 3" in sentence
    assert "a column 'time'" in refusal(content, "ratings.dat", header=False, columns=["user", "item", "rating", "t"])


def test_typed_headers_of_atomic_files():
    header = ["user:token", "item:token", "rating:float", "time:float"]
    assert rows_of(text("\t", header=header), "ml.inter") == READ
    assert "a column 'user'" in refusal(text("\t", header=header), "ml.tsv")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "gb18030", "utf-7", "utf_8"]
)
def test_encodings(encoding):
    assert rows_of(text(",", [ROWS[0], ["ü", '"ï,🦊"', "", "891717742"]]).encode(encoding), encoding=encoding) == READ


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks_name_the_encoding(encoding):
    content = text(";").encode(encoding)
    assert rows_of(content, delimiter=";") == READ
    assert rows_of(gzip.compress(content), delimiter=";", encoding="cp1252") == READ


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp437", "cp037", "shift_jis", "iso2022_jp"])
def test_encodings_of_some_characters(encoding):
    user = "ドラマ" if "jis" in encoding or "jp" in encoding else "café"
    assert rows_of(text(",", [[user, "i", "1", "881250949"]]).encode(encoding), encoding=encoding)[0][0] == [user]


@pytest.mark.parametrize(
    ("content", "encoding", "parts"),
    [
        (
            text(",", ROWS[:1] * 2).encode() + b"caf\xe9,i,1,1\n",
            "utf-8",
            ["line 4", "UTF-8", "0xe9", "data.interactions.encoding"],
        ),
        (
            text(",", ROWS[:1] * 2).encode("utf-16-le") + b"\x00\xd8,\x00\n\x00",
            "utf-16-le",
            ["line 4", "0x00", "encoding"],
        ),
        (text(",").encode("utf-16-le")[:-1], "utf-16-le", ["line 3", "encoding"]),
        (text(",").encode("utf-16-le"), "utf-16", ["line 1", "BOM", "data.interactions.encoding"]),
        (text(",").encode("utf-16-le"), "utf-8", ["line 1", "a NUL byte", "set data.interactions.encoding: utf-16-le"]),
        (text(",").encode("utf-16-be"), "latin-1", ["line 1", "set data.interactions.encoding: utf-16-be"]),
        (b"user,item,rating,time\n\x81,i,1,1\n", "cp1252", ["line 2", "text in cp1252", "0x81 at position 0"]),
        (b"user,item,rating,time\n\x81,i,1,1\n", "ascii", ["line 2", "text in ascii", "0x81"]),
        ("u\0,item\n".encode("utf-16"), "utf-8", ["line 1", "a NUL character"]),
        (("x" * (17 * 2**20)).encode("utf-16"), "utf-8", ["line 1", "over 16 MB"]),
    ],
)
def test_wrong_bytes(content, encoding, parts):
    sentence = refusal(content, encoding=encoding)[:500]
    for part in parts:
        assert part in sentence


def test_decimal_commas():
    content = text(";", [["u", "i", "3,5", "881250949,0"], ["u", "i", " -1e3 ", "881250950"]])
    options = {"delimiter": ";", "decimal": ",", "filter": 'rating < 3.6 and item == "i"'}
    assert [row[2:] for row in rows_of(content, **options)] == [[[3.5], [881250949]], [[-1000.0], [881250950]]]
    assert [row[2] for row in rows_of(content, **options | {"filter": "rating in (3.5, 8)"})] == [[3.5]]
    assert [row[2] for row in rows_of(content, **options | {"filter": 'rating == "3,5"'})] == [[3.5]]


@pytest.mark.parametrize(
    ("rating", "decimal", "parts"),
    [
        ("3,5", ".", ["'3,5'", 'set `decimal: ","` of the table']),
        ("3.5", ",", ["a number with a decimal comma", "'3.5'", "decimal"]),
        ("1.234,5", ",", ["a finite number", "'1.234,5'"]),
        ("1,2,3", ",", ["a finite number"]),
        ("x", ",", ["a finite number"]),
    ],
)
def test_wrong_decimals(rating, decimal, parts):
    sentence = refusal(text(";", [["u", "i", rating, "881250949"]]), delimiter=";", decimal=decimal)
    for part in ["row 0 (from 0), line 2, column 'rating'", *parts]:
        assert part in sentence


@pytest.mark.parametrize(
    ("time_format", "cell", "seconds"),
    [
        # 2010-12-01 is 14,944 days after 1970-01-01; 14,944 * 86,400 = 1,291,161,600.
        ("%m/%d/%Y %H:%M", "12/1/2010 8:26", 1_291_161_600 + 8 * 3600 + 26 * 60),
        ("%d.%m.%Y", " 01.12.2010 ", 1_291_161_600),
        ("%a %b %d %H:%M:%S %z %Y", "Wed Dec 01 00:00:10 -0700 2010", 1_291_161_610 + 7 * 3600),
        ("%d/%b/%Y:%H:%M:%S %z", "01/Dec/2010:01:00:00 +0100", 1_291_161_600),
        ("%Y%m%d%H%M%S", "20101201000001", 1_291_161_601),
    ],
)
def test_time_formats(time_format, cell, seconds):
    spec = spec_of("iso8601", timestamp_format=time_format, filter='time >= "2010-12-01" and time < "2010-12-02"')
    assert rows_of(text(";", [["u", "i", "1", cell]]), spec=_with_semicolons(spec))[0][3] == [seconds]


def test_parts_of_seconds_in_a_format_are_exact():
    spec = spec_of("iso8601", timestamp_format="%d.%m.%Y %H:%M:%S.%f", delimiter=";")
    content = text(";", [["u", "i", "1", "01.12.2010 00:00:00.123456"]])
    [(_, values)] = readers.parsed_rows(readers.open_table(io.BytesIO(content.encode()), spec, "x.csv"), spec)
    assert (values["timestamp"], values["timestamp_nanos"]) == ([1_291_161_600], [123_456_000])


@pytest.mark.parametrize("cell", ["13/1/2010 8:26", "2010-12-01", "", "12/1/1970 8:26", "12/1/2999 8:26", "1291161600"])
def test_times_of_another_format(cell):
    sentence = refusal(
        text(";", [["u", "i", "1", cell]]),
        spec=_with_semicolons(spec_of("iso8601", timestamp_format="%m/%d/%Y %H:%M")),
    )
    assert sentence.startswith(
        "log.csv, row 0 (from 0), line 2, column 'time': expected a time in the format '%m/%d/%Y"
    )


def _with_semicolons(spec: TableSpec) -> TableSpec:
    return TableSpec(**{**spec.__dict__, "dialect": Dialect(delimiter=";")})


def test_dates_of_eight_digits():
    rows = [["u", "i", "1", day] for day in ("20101130", "20101201")]
    assert [row[3] for row in rows_of(text(",", rows), spec=spec_of("dates"))] == [[1_291_075_200], [1_291_161_600]]
    assert [row[3] for row in rows_of(text(",", rows), spec=spec_of("order"))] == [[20101130], [20101201]]
    sentence = refusal(text(",", [["u", "i", "1", "20101131"]]), spec=spec_of("dates"))
    assert (
        "expected a date of eight digits, such as 20231114, from 1990-01-01 until tomorrow, got '20101131'" in sentence
    )
    assert "set data.interactions.timestamp_unit: order" in sentence


@pytest.mark.parametrize(
    ("name", "content", "delimiter"),
    [
        ("x.csv", text(";"), '";"'),
        ("x.csv", text("\t"), '"\\t"'),
        ("x.csv", text("::"), '"::"'),
        ("x.csv", text("|"), '"|"'),
        ("x.tsv", text(","), '","'),
        ("x.dat", text("\t"), '"\\t"'),
        ("x.csv", text(";", header=[f'"{name}"' for name in COLUMNS]), '";"'),
        ("x.csv", text(" ")[:24], '" "'),
        ("x.csv", "54991 1074638 7 1365029107\n", '" "'),
        # Commas in the names of a file with semicolons.
        ("x.csv", text(";", header=[*COLUMNS, "a, b"]), '";"'),
    ],
)
def test_another_delimiter_is_named(name, content, delimiter):
    sentence = refusal(content, name)
    assert sentence.startswith(f"{name}: expected columns separated by ")
    assert sentence.endswith(f"; set data.interactions.delimiter: {delimiter}")


def test_another_delimiter_without_a_header():
    sentence = refusal(text("\t", header=None), header=False, columns=COLUMNS)
    assert sentence.endswith('; set data.interactions.delimiter: "\\t"')


@pytest.mark.parametrize(
    ("name", "line"),
    [("x.csv", "196,242,3,881250949"), ("x.tsv", "196\t242\t3\t881250949"), ("x.csv", "u1,2017-01-01,i,b")],
)
def test_a_missing_header_is_suspected(name, line):
    sentence = refusal(f"{line}\n{line}\n", name)
    assert f"expected a header line with column names, got the line {line!r}" in sentence
    assert "set data.interactions.header: false and data.interactions.columns to the 4 columns' names" in sentence


def test_an_empty_file_has_no_rows():
    for content in (b"", b"\n\n", b"\xef\xbb\xbf", gzip.compress(b"")):
        assert rows_of(content) == []
        assert rows_of(content, header=False, columns=COLUMNS) == []


@pytest.mark.parametrize(
    "options",
    [{"delimiter": ";"}, {"header": False, "columns": ["user", "item", "rating", "time"]}, {"encoding": "cp1252"}],
)
def test_json_of_a_spec(options):
    spec = spec_of(**options)
    assert TableSpec.from_json(spec.to_json()) == spec
    formatted = spec_of("iso8601", timestamp_format="%d.%m.%Y")
    assert TableSpec.from_json(formatted.to_json()) == formatted
    assert "dialect" not in formatted.to_json()
    assert "time_format" not in spec.to_json()


FIELDS = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=5)


@given(
    rows=st.lists(st.lists(FIELDS, min_size=2, max_size=2), max_size=5),
    delimiter=st.sampled_from([",", ";", "\t", "|", "~"]),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-16-be", "utf-32", "gb18030", "utf-7"]),
)
def test_any_quoted_text_is_read_exactly(rows, delimiter, encoding):
    rows = [[field if field.strip() else "x" for field in row] for row in rows]
    content = text(delimiter, [['"' + field.replace('"', '""') + '"' for field in row] for row in rows], ["x", "y"])
    spec = one_column("text")
    spec = TableSpec(**{**spec.__dict__, "dialect": Dialect(delimiter, encoding=encoding)})
    reader = readers.open_table(io.BytesIO(content.encode(encoding)), spec, "x.csv")
    assert [values["x"] for _, values in readers.parsed_rows(reader, spec)] == [[row[0]] for row in rows]


@given(
    content=st.binary(max_size=200),
    delimiter=st.sampled_from([" ", "::", ";"]),
    encoding=st.sampled_from(
        [
            "utf-8",
            "utf-16",
            "utf-7",
            "cp037",
            "shift_jis",
            "gb18030",
            "iso2022_jp",
            "unicode_escape",
            "punycode",
            "idna",
        ]
    ),
)
def test_any_bytes_are_read_or_refused(content, delimiter, encoding):
    for whole in (content, f"user{delimiter}item{delimiter}rating{delimiter}time\n".encode("utf-16") + content):
        with contextlib.suppress(DataError):
            rows_of(whole, delimiter=delimiter, encoding=encoding)
