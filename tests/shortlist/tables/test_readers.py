from __future__ import annotations

import dataclasses
import io
import json
import resource

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.config.features import Feature
from shortlist.config.table import Candidates, Weight
from shortlist.errors import DataError
from shortlist.tables import readers
from shortlist.tables.spec import TableSpec, table_spec
from tests.shortlist.tables.tables import INTERACTIONS, csv_rows, one_column, parquet_bytes, rows_of

HEADER = "user,item,time,rating,device\n"
SPEC = table_spec("interactions", INTERACTIONS)


def reader_of(content: str, spec: TableSpec = SPEC) -> readers.TableReader:
    return readers.open_table(io.BytesIO(content.encode()), spec, "logs/ratings.csv")


@pytest.mark.parametrize("name", ["log.xml", "log", "log.gz", "csv"])
def test_a_name_without_a_known_ending(name):
    with pytest.raises(
        DataError, match=r"expected a file name that ends in .csv, .*data.interactions.format"
    ) as refused:
        readers.open_table(io.BytesIO(HEADER.encode()), SPEC, name)
    assert str(refused.value).startswith(name)


def test_dropped_rows_are_counted_and_not_checked():
    spec = dataclasses.replace(SPEC, filter='rating >= 4 and device != "test"')
    content = HEADER + "u0,i0,0,4,tv\n,,,1,tv\nu1,i1,nonsense,5,test\n,,,,\nu2,i2,2,5,tv\n"
    reader = reader_of(content, spec)
    rows = [(row, values["query_id"]) for row, values in readers.parsed_rows(reader, spec)]
    assert rows == [(0, ["u0"]), (4, ["u2"])]
    assert (reader.rows_read, reader.rows_dropped) == (5, 3)


def test_a_filter_may_look_at_a_column_that_is_not_read():
    spec = dataclasses.replace(one_column("id"), filter="keep == 1")
    assert csv_rows("keep,x\n1,a\n0,b\n", spec) == [(0, {"x": ["a"]})]


def test_invalid_filters_are_refused():
    with pytest.raises(DataError, match=r"a column 'ratng'.* set data.interactions.filter .*did you mean 'rating'\?"):
        csv_rows(HEADER, dataclasses.replace(SPEC, filter="ratng >= 4"))
    with pytest.raises(DataError, match=r"row 0 .*line 2, column 'rating': expected a number, got 'good'"):
        csv_rows(HEADER + "u,i,1,good,tv\n", dataclasses.replace(SPEC, filter="rating >= 4"))


def test_reading_may_end_after_some_rows():
    spec = dataclasses.replace(SPEC, filter="rating >= 4")
    reader = reader_of(HEADER + "u0,i0,0,4,tv\nu1,i1,1,1,tv\nu2,i2,2,5,tv\n", spec)
    assert [row for row, _ in readers.parsed_rows(reader, spec, max_rows=2)] == [0]
    assert (reader.rows_read, reader.rows_dropped) == (2, 1)


def test_weights_and_parts_of_seconds_are_features():
    table = INTERACTIONS.model_copy(update={"weight": Weight(column="device", values={"tv": 2.0})})
    spec = table_spec("interactions", table, "milliseconds")
    [(_, values)] = csv_rows(HEADER + "u,i,881250949123,1,tv\n", spec)
    assert values["timestamp"] == [881250949]
    assert values["timestamp_nanos"] == [123_000_000]
    assert values["weight"] == [2.0]
    with pytest.raises(DataError, match=r"row 0 .*column 'device': expected one of 'tv', got 'tvs'.*did you mean 'tv'"):
        csv_rows(HEADER + "u,i,881250949123,1,tvs\n", spec)


def test_one_corrupted_time_among_a_hundred_thousand_is_named():
    rows = [f"u{i % 100},i,{881_250_949 + i},1,tv" for i in range(100_000)]
    rows[98_765] = "u,i,881250949000,1,tv"
    with pytest.raises(DataError) as refused:
        csv_rows(HEADER + "\n".join(rows), table_spec("interactions", INTERACTIONS, "seconds"))
    assert str(refused.value) == (
        "logs/ratings.csv, row 98765 (from 0), line 98767, column 'time': expected a time in seconds since 1970 from "
        "1990-01-01 until tomorrow, got '881250949000', which looks like milliseconds, but "
        "data.interactions.timestamp_unit is seconds; write all rows in one unit, or set "
        "data.interactions.timestamp_unit: milliseconds if all rows have it"
    )


def test_a_category_of_a_million_values_takes_no_memory():
    spec = one_column("category")
    content = io.BytesIO(b"x\n" + b"\n".join(b"value %d" % i for i in range(1_000_000)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count = sum(1 for _ in readers.parsed_rows(readers.open_table(content, spec, "x.csv"), spec))
    assert count == 1_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024  # KiB


def test_batches_are_bounded_by_rows_and_bytes():
    spec = one_column("text")
    small = readers.open_table(io.BytesIO(b"x\n" + b"a\n" * 2_500), spec, "x.csv")
    assert [len(batch) for batch in readers.batches(small, spec)] == [1000, 1000, 500]
    large = readers.open_table(io.BytesIO(b"x\n" + (b"a" * 3_000_000 + b"\n") * 14), spec, "x.csv")
    # The sixth row is the one that brings a batch past 16 MB.
    assert [len(batch) for batch in readers.batches(large, spec)] == [6, 6, 2]
    assert list(readers.batches(readers.open_table(io.BytesIO(b"x\n"), spec, "x.csv"), spec)) == []


def test_rows_are_estimated_from_the_part_that_was_read():
    content = HEADER + "u0,i0,00000,4,tv\n" * 10_000
    reader = reader_of(content)
    rows = iter(reader)
    for _ in range(500):
        next(rows)
    assert reader.estimated_rows(len(content)) == pytest.approx(10_000, rel=0.01)
    assert sum(1 for _ in rows) == 9_500
    assert reader.estimated_rows(len(content)) == 10_000


TEXTS = st.text(max_size=6) | st.sampled_from(["007", " ", "", "🦊", "a\nb", "a\0", '"', "a,b", "\r", "nan"])
TIMES = TEXTS | st.integers(-5, 10**13).map(str) | st.sampled_from(["2011-12-09 12:50", "881250949", "881250949.5"])
RECORDS = st.lists(st.tuples(TEXTS, TEXTS, TIMES, TEXTS, TEXTS), max_size=6)
UNITS = st.sampled_from(["order", "seconds", "milliseconds", "iso8601"])


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


@given(records=RECORDS, unit=UNITS, filter_=st.sampled_from([None, 'device != "x"', "rating >= 4", "rating is None"]))
def test_all_formats_of_a_table_agree(records, unit, filter_):
    columns = HEADER.strip().split(",")
    table = INTERACTIONS.model_copy(update={"filter": filter_})
    contents = {
        "csv": written(records),
        "jsonl": "\n".join(json.dumps(dict(zip(columns, record, strict=True))) for record in records).encode(),
        "parquet": parquet_bytes({c: pa.array([r[i] for r in records], pa.string()) for i, c in enumerate(columns)}),
    }

    def outcome(format):
        spec = table_spec("interactions", table.model_copy(update={"format": format}), unit)
        try:
            return rows_of(contents[format], spec)
        except DataError as error:
            return "refused" if len(str(error).splitlines()) == 1 else str(error)

    outcomes = {format: outcome(format) for format in contents}
    # CSV refuses a NUL anywhere in the file, the others where text is needed.
    if "\0" not in "".join(map("".join, records)):
        assert outcomes["csv"] == outcomes["jsonl"]
    assert outcomes["jsonl"] == outcomes["parquet"]


def test_table_readers_take_any_seekable_binary_file(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text(HEADER + "u1,i1,1,1.0,tv\n")
    with path.open("rb", buffering=0) as raw:
        assert len(list(readers.open_table(raw, SPEC, "ratings.csv"))) == 1


def test_two_features_of_one_column():
    table = Candidates(
        path="c.csv",
        candidate_id="title",
        features={
            "title": Feature(type="text"),
            "words": Feature(type="multi_category", column="title", delimiter=" "),
        },
    )
    [(_, values)] = csv_rows("title\nToy Story\n", table_spec("candidates", table))
    assert values == {"candidate_id": ["Toy Story"], "title": ["Toy Story"], "words": ["Toy", "Story"]}
