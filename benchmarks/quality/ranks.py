"""Ranks of all test rows by all trials, stored beside the records: intervals can be computed from them again."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

FILE = "quality_ranks.parquet"


class TrialKey(NamedTuple):
    """Identity of a trial."""

    data: str
    model: str
    seed: int
    recipe_sha256: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> TrialKey:
        """Returns the key of a record's trial."""
        return cls(*(record[name] for name in cls._fields))


def read(folder: pathlib.Path) -> dict[TrialKey, np.ndarray]:
    """Returns the ranks of each trial, int64 [test rows], in the order of `split.make`."""
    if not (folder / FILE).exists():
        return {}
    rows = parquet.read_table(folder / FILE).to_pylist()
    return {TrialKey.of(row): np.array(row["ranks"], np.int64) for row in rows}


def write(
    folder: pathlib.Path, rank_arrays: Mapping[TrialKey, np.ndarray], records: Sequence[Mapping[str, Any]]
) -> None:
    """Writes the ranks of the trials that have a record, in the records' order."""
    trial_keys = [TrialKey.of(record) for record in records if TrialKey.of(record) in rank_arrays]
    columns = {name: [getattr(key, name) for key in trial_keys] for name in TrialKey._fields}
    ranks = pa.array([rank_arrays[key].astype(np.uint32) for key in trial_keys], pa.list_(pa.uint32()))
    parquet.write_table(pa.table({**columns, "ranks": ranks}), folder / FILE, compression="zstd")
