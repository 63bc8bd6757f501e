from __future__ import annotations

import contextlib
import datetime
import gzip
import io

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.table_example_gen import readers
from components.table_example_gen.spec import table_spec
from shortlist.config import types
from shortlist.errors import DataError
from tests.components.table_example_gen.tables import (
    INTERACTIONS,
    csv_rows,
    one_column,
    parquet_bytes,
    parquet_values,
    rows_of,
)

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
        (b"", "an empty file"),
        (b"\n\n", "an empty file"),
        (HEADER.encode("utf-16"), "UTF-16"),
        (b"PAR1\0\0", "NUL"),
        (HEADER.replace(",", ";").encode(), "expected columns separated by commas, got the header 'user;item"),
        (b"user,item,time,rating,device,user\n", "2 of that name"),
        (gzip.compress(HEADER.encode() * 100)[:-12], "read to its end"),
        (gzip.compress(HEADER.encode())[:5], "read to its end"),
        (b"\x1f\x8bnot gzip", "read to its end"),
        (b"a" * (16 * 2**20 + 1), "over 16 MB"),
        (
            HEADER.encode() + b'u,i,1,1,"' + (b"x" * 1_000_000 + b"\n") * 17,
            "line 2: expected CSV with quotes that close",
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


def test_parquet_row_numbers_run_through_row_groups_and_batches():
    count = 10_000
    content = parquet_bytes({"x": [f"{i:05}" for i in range(count)], "y": range(count)}, row_group_size=3_000)
    rows = rows_of(content, one_column("id", "parquet"))
    assert rows == [(i, {"x": [f"{i:05}"]}) for i in range(count)]


@pytest.mark.parametrize(
    ("array", "column_type", "expected"),
    [
        (pa.array(["007", "ü"]), "id", [["007"], ["ü"]]),
        (pa.array(["a"], pa.large_string()), "id", [["a"]]),
        (pa.array([2**53 + 1, 7]), "id", [["9007199254740993"], ["7"]]),
        (pa.array([2**64 - 1], pa.uint64()), "id", [["18446744073709551615"]]),
        (pa.array([17850.0]), "id", [["17850"]]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), "id", [["a"], ["b"], ["a"]]),
        (pa.array([b"a"]), "id", [["a"]]),
        (pa.array(["x", None]), "category", [["x"], []]),
        (pa.array([1, None]), "category", [["1"], []]),
        (pa.array([True, None]), "category", [["true"], []]),
        (pa.array([["a", None, ""], [], None]), "multi_category", [["a"], [], []]),
        (pa.array(["a|b", None]), "multi_category", [["a", "b"], []]),
        (pa.array([1.5, None, float("nan")]), "numeric", [[1.5], [], []]),
        (pa.array([1, None]), "numeric", [[1.0], []]),
        (pa.array(["2.5"]), "numeric", [[2.5]]),
        (pa.array([881250949]), "order", [[881250949]]),
        (pa.array([881250949.0]), "order", [[881250949]]),
        (pa.array([datetime.datetime(1970, 1, 2)], pa.timestamp("us")), "order", [[86400]]),
        (pa.array([datetime.datetime(1970, 1, 2)], pa.timestamp("ns")), "order", [[86400]]),
        (pa.array([86400], pa.timestamp("s", "Asia/Tokyo")), "order", [[86400]]),
        (pa.array([datetime.date(1970, 1, 3), None]), "timestamp", [[172800], []]),
        (pa.array([datetime.date(1970, 1, 3)], pa.date64()), "timestamp", [[172800]]),
        (pa.array([None, None], pa.null()), "category", [[], []]),
    ],
)
def test_parquet_cells(array, column_type, expected):
    assert parquet_values(array, column_type) == expected


@pytest.mark.parametrize(
    ("array", "column_type", "parts"),
    [
        (pa.array(["a", None]), "id", ["row 1 (from 0)", "column 'x'", "null"]),
        (pa.array([1.0, float("nan")]), "id", ["row 1", "null"]),
        (pa.array([1.0, 1.5]), "id", ["row 1", "a whole number"]),
        (pa.array([1.0], pa.float32()), "id", ["float", "lost digits"]),
        (pa.array([881250949.0], pa.float32()), "order", ["lost digits"]),
        (pa.array([["a"]]), "id", ["column 'x'", "a string or integer column", "list"]),
        (pa.array([True]), "id", ["bool"]),
        (pa.array([datetime.datetime(1970, 1, 2)]), "category", ["a string column", "timestamp"]),
        (pa.array([datetime.datetime(1970, 1, 2)]), "numeric", ["a numeric column", "timestamp"]),
        (pa.array([{"a": 1}]), "text", ["a string column", "struct"]),
        (pa.array([[["a"]]]), "multi_category", ["a string column"]),
        (pa.array([1_500], pa.timestamp("ms")), "order", ["row 0", "part seconds"]),
        (pa.array([-1]), "order", ["row 0", "0 or more"]),
        (pa.array([None], pa.int64()), "order", ["row 0", "null"]),
        (pa.array([b"ok", b"\xff"]).view(pa.string()), "category", ["row 1", "UTF-8"]),
    ],
)
def test_parquet_refusals(array, column_type, parts):
    with pytest.raises(DataError) as refused:
        parquet_values(array, column_type)
    for part in ["logs/ratings.csv", *parts]:
        assert part in str(refused.value)


def test_parquet_invalid_utf8_in_a_list_names_the_row():
    texts = pa.array([b"a", b"\xff"]).view(pa.string())
    with pytest.raises(DataError, match=r"row 1 .*UTF-8"):
        parquet_values(pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), texts), "multi_category")


def test_parquet_truncated_anywhere_is_refused():
    content = parquet_bytes({"x": [str(i) for i in range(100)]})
    for length in range(0, len(content), 7):
        with pytest.raises(DataError, match="a whole Parquet file"):
            rows_of(content[:length], one_column("id", "parquet"))


def test_parquet_missing_and_repeated_columns():
    with pytest.raises(DataError, match="did you mean 'x2'"):
        rows_of(parquet_bytes({"x2": ["a"]}), one_column("id", "parquet"))
    buffer = io.BytesIO()
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["x", "x"])
    pa.parquet.write_table(table, buffer)
    with pytest.raises(DataError, match="2 of that name"):
        rows_of(buffer.getvalue(), one_column("id", "parquet"))


TEXTS = st.text(max_size=6) | st.sampled_from(["007", " ", "", "🦊", "a\nb", "a\0", '"', "a,b", "\r", "nan"])
RECORDS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS | st.integers(-5, 10**13).map(str), TEXTS, TEXTS), max_size=6)


def written(records: list[tuple[str, ...]]) -> bytes:
    """CSV with every field quoted; the csv module of Python 3.10 refuses to write a NUL."""
    quoted = [",".join('"' + field.replace('"', '""') + '"' for field in record) for record in records]
    return "\n".join([HEADER.strip(), *quoted]).encode()


@given(records=RECORDS)
def test_any_csv_table_is_read_exactly_or_refused(records):
    try:
        rows = csv_rows(written(records))
    except DataError:
        return
    assert [(values["query_id"][0], values["candidate_id"][0]) for _, values in rows] == [r[:2] for r in records]


@given(records=RECORDS, data=st.data())
def test_csv_and_parquet_of_a_table_agree(records, data):
    columns = HEADER.strip().split(",")
    spec = table_spec("interactions", INTERACTIONS.model_copy(update={"format": "parquet"}))
    content = parquet_bytes({c: pa.array([r[i] for r in records], pa.string()) for i, c in enumerate(columns)})

    def outcome(read):
        try:
            return read()
        except DataError:
            return "refused"

    from_csv = outcome(lambda: csv_rows(written(records)))
    from_parquet = outcome(lambda: rows_of(content, spec))
    # CSV refuses a NUL anywhere in the file; Parquet where text is needed, in the same columns here.
    assert from_csv == from_parquet


@given(content=st.binary(max_size=200), cut=st.integers(0, 200), at=st.integers(0, 200))
def test_any_damage_to_a_csv_file_is_read_or_refused(content, cut, at):
    whole = (HEADER + "u1,i1,1,1.0,tv\nu2,i2,2,2.0,\n").encode()
    for damaged in (content, whole[:at] + content + whole[at:], gzip.compress(whole)[:cut] + content):
        with contextlib.suppress(DataError):
            csv_rows(damaged)


def test_table_readers_take_any_seekable_binary_file(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text(HEADER + "u1,i1,1,1.0,tv\n")
    with path.open("rb", buffering=0) as raw:
        assert len(list(readers.open_table(raw, SPEC, "ratings.csv"))) == 1


def test_two_features_of_one_column():
    table = types.Candidates(
        path="c.csv",
        candidate_id="title",
        features={
            "title": types.Feature(type="text"),
            "words": types.Feature(type="multi_category", column="title", delimiter=" "),
        },
    )
    [(_, values)] = csv_rows("title\nToy Story\n", table_spec("candidates", table))
    assert values == {"candidate_id": ["Toy Story"], "title": ["Toy Story"], "words": ["Toy", "Story"]}
