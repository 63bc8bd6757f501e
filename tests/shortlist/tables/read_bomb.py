"""Reads one file as the pipeline does, with bounded memory: `python -m ... FILE COLUMN:TYPE`."""

from __future__ import annotations

import json
import pathlib
import re
import resource
import sys
import time
from typing import NamedTuple

from shortlist.errors import DataError
from shortlist.tables import readers
from shortlist.tables.spec import ColumnSpec, TableSpec

ADDRESS_SPACE = 3 * 2**30


class Result(NamedTuple):
    """The end of a reading."""

    rows: int
    error: str
    """The refusal; empty if all rows were read."""
    seconds: float
    """Without the imports."""
    peak_mb: int


def main(path: pathlib.Path, *columns: str) -> Result:
    """Returns the end of reading a file in batches, with imports and all."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    specs = [column.split(":") for column in columns]
    spec = TableSpec("interactions", None, tuple(ColumnSpec(n, n, t, f"data.{n}", "|") for n, t in specs))  # type: ignore
    if path.suffix == ".parquet":
        import shortlist.tables.parquet_reader  # noqa: F401
    start, rows, error = time.perf_counter(), 0, ""
    try:
        with path.open("rb") as file:
            for batch in readers.batches(readers.open_table(file, spec, path.name), spec):
                rows += len(batch)
    except DataError as refused:
        error = str(refused)
    seconds = time.perf_counter() - start
    # Not ru_maxrss, which begins with the memory of the process that started this one.
    peak = re.search(r"VmHWM:\s*(\d+)", pathlib.Path("/proc/self/status").read_text(encoding="ascii"))
    assert peak is not None
    return Result(rows, error, seconds, int(peak[1]) // 1024)


if __name__ == "__main__":
    print(json.dumps(main(pathlib.Path(sys.argv[1]), *sys.argv[2:])))
