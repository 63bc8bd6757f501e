from __future__ import annotations

import contextlib
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.errors import DataError
from shortlist.tables.spec import table_spec
from tests.shortlist.tables.tables import INTERACTIONS, csv_rows, one_column

HEADER = "user,item,time,rating,device\n"
SPEC = table_spec("interactions", INTERACTIONS)


def refusal(content: str | bytes, spec=SPEC) -> str:
    with pytest.raises(DataError) as refused:
        csv_rows(content, spec)
    sentence = str(refused.value)
    assert "expected" in sentence
    assert "got" in sentence
    assert "\n" not in sentence
    return sentence


def test_csv_row():
    assert csv_rows(HEADER + "007,a b,881250949,3.5,\n") == [
        (0, {"query_id": ["007"], "candidate_id": ["a b"], "timestamp": [881250949], "rating": [3.5], "device": []})
    ]


def test_csv_reads_needed_columns_only_in_any_order():
    rows = csv_rows('device,"a, b",rating,time,item,user\ntv,x,1,5,i,u\n')
    assert rows == [
        (0, {"query_id": ["u"], "candidate_id": ["i"], "timestamp": [5], "rating": [1.0], "device": ["tv"]})
    ]


@pytest.mark.parametrize(
    "dialect",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: gzip.compress(text.encode()),
        lambda text: gzip.compress(text[:40].encode()) + gzip.compress(text[40:].encode()),
        lambda text: text.rstrip("\n").encode(),
        lambda text: text.replace("\n", "\n\n").encode(),
    ],
    ids=["bom", "crlf", "gzip", "gzip members", "no last line end", "blank lines"],
)
def test_csv_dialects_give_the_same_rows(dialect):
    text = HEADER + "u1,i1,1,1.0,tv\nu2,ï🦊,2,2.0,\n"
    assert csv_rows(dialect(text)) == csv_rows(text)
    assert [row for row, _ in csv_rows(text)] == [0, 1]


def test_csv_quoted_newlines_and_quotes():
    [(_, values)] = csv_rows('x\n"two\r\nlines, ""quoted"""\n', one_column("text"))
    assert values["x"] == ['two\r\nlines, "quoted"']


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ("u1,i1,1,1.0", ["row 1 (from 0), line 3", "5 fields", "got 4"]),
        ("u1,i1,1,1.0,tv,", ["row 1 (from 0), line 3", "5 fields", "got 6"]),
        (",i1,1,1.0,tv", ["row 1", "column 'user'", "an id", "a blank"]),
        ("u1,  ,1,1.0,tv", ["column 'item'", "a blank"]),
        ('u1,"i\n1",1,1.0,tv', ["column 'item'", r"'i\n1'"]),
        ("u1,i1,881250949.5,1.0,tv", ["column 'time'", "'881250949.5'", "without decimals"]),
        ("u1,i1,,1.0,tv", ["column 'time'", "a blank"]),
        ("u1,i1,1,abc,tv", ["column 'rating'", "a finite number", "'abc'"]),
        ("u1,i\0,1,1.0,tv", ["line 3", "NUL"]),
        ('u1,"i1,1,1.0,tv', ["line 3", "close every quote"]),
        ('u1,"i"1,1,1.0,tv', ["line 3", "close every quote"]),
        ("u1,i1\rx,1,1.0,tv", ["line 3", "LF or CRLF"]),
    ],
)
def test_csv_bad_rows_are_named(row, parts):
    sentence = refusal(HEADER + "u0,i0,0,0,tv\n" + row + "\nu9,i9,9,9,tv\n")
    assert sentence.startswith("logs/ratings.csv, ")
    for part in parts:
        assert part in sentence


def test_csv_invalid_utf8_names_line_and_byte():
    sentence = refusal(HEADER.encode() + b"u0,i0,0,0,tv\nu1,caf\xe9,1,1,tv\n")
    assert "line 3" in sentence
    assert "0xe9 at position 6" in sentence


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (HEADER.encode("utf-16-be"), "got a NUL byte; set data.interactions.encoding: utf-16-be"),
        (b"PAR1\0\0", "got a Parquet file; set data.interactions.format: parquet"),
        (HEADER.replace(",", ";").encode(), "expected columns separated by commas, got the line 'user;item"),
        (b"user,item,time,rating,device,user\n", "2 of that name"),
        (gzip.compress(HEADER.encode() * 100, mtime=0)[:-12], "read to its end"),
        (gzip.compress(HEADER.encode(), mtime=0)[:5], "read to its end"),
        (b"\x1f\x8bnot gzip", "read to its end"),
        (b"a" * (16 * 2**20 + 1), "over 16 MB"),
        (
            HEADER.encode() + b'u,i,1,1,"' + (b"x" * 1_000_000 + b"\n") * 17,
            "line 2: expected rows of at most 16 MB and 100,000 lines, got a longer one, in quotes; close every quote",
        ),
    ],
)
def test_csv_files_refused(content, part):
    assert part in refusal(content)


def test_missing_column_lists_all_and_suggests_the_nearest():
    sentence = refusal("users,item,time,rating,device\n")
    assert "a column 'user'" in sentence
    assert "'users', 'item', 'time', 'rating', 'device'" in sentence
    assert "set data.interactions.query_id to one of them; did you mean 'users'?" in sentence
    assert "did you mean 'User'?" in refusal("User,item,time,rating,device\n")
    assert "data.interactions.features.device.column" in refusal("user,item,time,rating,tool\n")


def test_a_text_of_a_megabyte_is_a_cell():
    text = "word " * 200_000
    assert csv_rows(f"x\n{text}\n", one_column("text")) == [(0, {"x": [text]})]


@given(content=st.binary(max_size=200), cut=st.integers(0, 200), at=st.integers(0, 200))
def test_any_damage_to_a_csv_file_is_read_or_refused(content, cut, at):
    whole = (HEADER + "u1,i1,1,1.0,tv\nu2,i2,2,2.0,\n").encode()
    for damaged in (content, whole[:at] + content + whole[at:], gzip.compress(whole)[:cut] + content):
        with contextlib.suppress(DataError):
            csv_rows(damaged)
