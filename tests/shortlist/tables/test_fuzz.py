"""Mutated files of every format: the right rows, or one sentence, in bounded time."""

from __future__ import annotations

import collections
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
# Formats with a checksum, which notices every change of the rows.
CHECKED = ["log.csv.gz", "log.ndjson.gz", "array.json.gz", "csv.zip", "gz.zip"]
PLAIN = ["log.csv", "log.dat", "blanks.txt", "utf16.csv", "log.jsonl", "pretty.json", "log.xlsx"]


def outcomes(name: str, cases: int) -> collections.Counter[str]:
    command = [sys.executable, "-m", "tests.shortlist.tables.fuzz", name, str(cases)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.partition(" ")[2] for line in done.stdout.splitlines()]
    assert len(lines) == cases, done.stdout
    return collections.Counter(lines)


@pytest.mark.parametrize("name", PLAIN)
def test_a_mutated_file_is_read_or_refused(name):
    counts = outcomes(name, 250)
    assert counts.keys() <= {"same", "other", "refused"}
    assert counts["refused"] > 50


@pytest.mark.parametrize("name", CHECKED)
def test_a_mutated_compressed_file_has_its_rows_or_is_refused(name):
    counts = outcomes(name, 250)
    assert counts.keys() <= {"same", "refused"}
    assert counts["refused"] > 100


@pytest.mark.parametrize("name", ["log.parquet", "parquet.zip"])
def test_a_mutated_parquet_file_seldom_takes_the_process_down(name):
    counts = outcomes(name, 100)
    crashes = counts.pop("signal 6", 0) + counts.pop("signal 11", 0)
    assert counts.keys() <= {"same", "other", "refused"}
    # As in test_parquet_reader: pyarrow 10 checks some of a file's numbers only by using them.
    assert crashes <= 3
