"""`schema infer` on small files that would take gigabytes or hours."""

from __future__ import annotations

import gzip
import pathlib
import resource
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from tests.shortlist.tables.tables import parquet_bytes
from tests.shortlist.tables.test_bombs import dictionary, endless, noise

ROOT = pathlib.Path(__file__).parents[2]
ADDRESS_SPACE = 3 * 2**30


def repeated_megabyte() -> bytes:
    ids = {name: pa.array(np.arange(5000) % modulus) for name, modulus in (("user_id", 50), ("item_id", 70))}
    times = pa.array(1_600_000_000 + 3600 * np.arange(5000))
    return parquet_bytes({**ids, "timestamp": times, "text": dictionary(noise(10**6), 5000)}, compression="zstd")


BOMBS = {
    "log.csv.gz": (
        lambda: gzip.compress(b'user_id,item_id,timestamp\nu1,i1,"') + endless(b"a,b\n", 100_000_000),
        "expected rows of at most 16 MB and 100,000 lines, got a longer one, in quotes",
    ),
    "log.jsonl": (lambda: b'{"k":1' + b',"k":1' * 20_000 + b"}\n", "expected each key once, got 'k' again"),
    "deep.jsonl": (lambda: b'{"k":' + b"[" * 900 + b"]" * 900 + b"}\n", "got values nested more than 64 levels deep"),
    "wide.csv": (lambda: b"c," * 10**6 + b"c\n1\n", "wide.csv: expected at most 10,000 columns, got more"),
}


def infer(folder, name):
    return subprocess.run(
        [sys.executable, str(ROOT / "pipeline_runner.py"), "schema", "infer", name, "--name", "shop"],
        cwd=folder,
        env={"SHORTLIST_DATA_DIR": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE)),
    )


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_in_one_sentence(tmp_path, name):
    content, part = BOMBS[name]
    (tmp_path / name).write_bytes(content())
    done = infer(tmp_path, name)
    assert done.returncode == 2, done.stderr
    [line] = done.stderr.splitlines()
    assert part in line
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_a_column_that_is_not_needed_is_sampled_and_left_out(tmp_path):
    (tmp_path / "log.parquet").write_bytes(repeated_megabyte())
    done = infer(tmp_path, "log.parquet")
    assert done.returncode == 0, done.stderr
    assert "rows        2" in done.stdout  # 256 MB hold 256 of the 5,000 rows.
    assert "the first ones" in done.stdout
    assert "text (it has one value)" in done.stdout
