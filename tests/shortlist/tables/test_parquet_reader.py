"""Parquet files, of which a damaged one may take the whole process down: those are read in a child."""

from __future__ import annotations

import dataclasses
import datetime
import fractions
import io
import pathlib
import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.config.table import Interactions
from shortlist.errors import DataError
from shortlist.tables import readers
from shortlist.tables.parquet_reader import ParquetReader
from shortlist.tables.spec import table_spec
from tests.shortlist.tables.tables import one_column, parquet_bytes, parquet_values, rows_of

ROOT = pathlib.Path(__file__).parents[3]


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
        (pa.array([1_500], pa.timestamp("ms")), "order", ["row 0", "fractions of a second"]),
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


def test_row_groups_are_counted_over_the_whole_file():
    content = parquet_bytes({"x": [str(i) for i in range(25)]}, row_group_size=10)
    spec = one_column("id", "parquet")
    whole = ParquetReader(io.BytesIO(content), spec, "x.parquet")
    assert whole.row_groups == 3
    assert whole.estimated_rows(len(content)) == 25
    reader = readers.open_table(io.BytesIO(content), spec, "x.parquet", row_groups=(1, 3))
    assert list(readers.parsed_rows(reader, spec)) == [(i, {"x": [str(i)]}) for i in range(10, 25)]
    assert reader.rows_read == 15
    nothing = readers.open_table(io.BytesIO(content), spec, "x.parquet", row_groups=(1, 1))
    assert list(nothing) == []
    assert nothing.rows_read == 0


def times_table(**changes) -> Interactions:
    return Interactions(path="x.parquet", earliest=datetime.date(1970, 1, 1), **changes)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@given(nanos=st.integers(0, 1_700_000_000 * 10**9))
def test_times_are_exact_in_every_unit(unit, nanos):
    units = nanos // {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]
    spec = table_spec("interactions", times_table(), "iso8601")
    spec = dataclasses.replace(spec, columns=spec.columns[2:])
    content = parquet_bytes({"timestamp": pa.array([units], pa.timestamp(unit))}, version="2.6")
    [(_, values)] = rows_of(content, dataclasses.replace(spec, format="parquet"))
    exact = fractions.Fraction(units, {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit])
    assert values == {"timestamp": [exact // 1], "timestamp_nanos": [exact % 1 * 10**9]}


def test_filter_by_times_and_numbers():
    days = [datetime.datetime(2011, 1, day) for day in (1, 2, 3)]
    content = parquet_bytes({"at": pa.array(days, pa.timestamp("us")), "n": [1.0, None, 3.0], "x": ["a", None, "c"]})
    spec = dataclasses.replace(one_column("id", "parquet"), filter='at >= "2011-01-02" and n == 3')
    assert rows_of(content, spec) == [(2, {"x": ["c"]})]
    for filter_, part in (
        ('at == "2011-01-02"', "compare times with <, <=, > or >= in the filter"),
        ("time > 3", "a column 'time'"),
    ):
        with pytest.raises(DataError, match=part):
            rows_of(content, dataclasses.replace(spec, filter=filter_))
    nested = parquet_bytes({"x": ["a"], "n": [{"a": 1}]})
    with pytest.raises(DataError, match=r"column 'n': expected a column of strings, numbers or times to filter by"):
        rows_of(nested, dataclasses.replace(spec, filter="n > 3"))


def test_a_column_whose_name_has_a_point():
    assert rows_of(
        parquet_bytes({"x.y": ["a"], "x": [{"y": "b"}]}),
        dataclasses.replace(
            one_column("id", "parquet"), columns=(dataclasses.replace(one_column("id").columns[0], column="x.y"),)
        ),
    ) == [(0, {"x": ["a"]})]


def test_large_rows_are_read_a_few_at_a_time():
    content = parquet_bytes({"x": [f"{i}" * 10**6 for i in range(10)] * 4}, use_dictionary=False)
    reader = ParquetReader(io.BytesIO(content), one_column("text", "parquet"), "x.parquet")
    next(iter(reader))
    assert reader.bytes_read <= 17 * 2**20


DAMAGES = """
import io, os, random, sys
from shortlist.tables import readers
from shortlist.errors import DataError
from tests.shortlist.tables.tables import one_column, parquet_bytes

content = parquet_bytes({"x": [str(i % 50) for i in range(300)]}, row_group_size=100)
spec = one_column("id", "parquet")
for seed in range(int(sys.argv[1])):
    # A file that takes pyarrow down takes this child of the child alone.
    if os.fork():
        status = os.wait()[1]
        print(f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
        continue
    chosen = random.Random(seed)
    damaged = bytearray(content)
    for _ in range(chosen.choice([1, 2, 5])):
        damaged[chosen.randrange(len(damaged))] = chosen.randrange(256)
    try:
        list(readers.parsed_rows(readers.open_table(io.BytesIO(damaged), spec, "log.parquet"), spec))
    except DataError as error:
        os._exit(2 if str(error).startswith("log.parquet") else 1)
    except BaseException:
        os._exit(1)
    os._exit(0)
"""


def test_any_damage_is_read_or_refused_and_seldom_takes_the_process_down():
    child = subprocess.run([sys.executable, "-c", DAMAGES, "200"], cwd=ROOT, capture_output=True, text=True, check=True)
    outcomes = child.stdout.split("\n")[:-1]
    assert len(outcomes) == 200
    assert outcomes.count("2") > 100
    # pyarrow 10 crashes on about one damaged page in a thousand, which nobody here can keep it from.
    assert sum(outcome not in ("0", "2") for outcome in outcomes) <= 2
    assert "1" not in outcomes
