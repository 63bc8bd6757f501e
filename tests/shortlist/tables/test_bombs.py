"""Small files that would take gigabytes or hours: refused in one sentence, within bounded memory and time."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from shortlist.errors import DataError
from tests.shortlist.tables.read_bomb import Result
from tests.shortlist.tables.tables import one_column, rows_of

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


@pytest.mark.parametrize("depth", [900, 990, 100_000])
def test_a_json_line_nested_deeply(read, depth):
    result = read("log.jsonl", f'{{"x": {"[" * depth}{"]" * depth}}}\n'.encode(), "x:id")
    assert result.error.startswith("log.jsonl, ")
    assert "Traceback" not in result.error


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
