"""The rank that each cell gave each test row, kept beside the records: who has these has the intervals."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

FILE = "quality_ranks.parquet"


class TrialKey(NamedTuple):
    """Whose ranks they are."""

    data: str
    model: str
    seed: int
    recipe_sha256: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> TrialKey:
        """Returns the cell of a record."""
        return cls(*(record[name] for name in cls._fields))


def read(folder: pathlib.Path) -> dict[TrialKey, np.ndarray]:
    """Returns the ranks of each cell, int64 [test rows], in the order of `split.make`."""
    if not (folder / FILE).exists():
        return {}
    rows = parquet.read_table(folder / FILE).to_pylist()
    return {TrialKey.of(row): np.array(row["ranks"], np.int64) for row in rows}


def write(folder: pathlib.Path, found: Mapping[TrialKey, np.ndarray], records: Sequence[Mapping[str, Any]]) -> None:
    """Writes the ranks of the cells that have a record, in the records' order."""
    kept = [TrialKey.of(record) for record in records if TrialKey.of(record) in found]
    columns = {name: [getattr(cell, name) for cell in kept] for name in TrialKey._fields}
    ranks = pa.array([found[cell].astype(np.uint32) for cell in kept], pa.list_(pa.uint32()))
    parquet.write_table(pa.table({**columns, "ranks": ranks}), folder / FILE, compression="zstd")
