"""The rows that every contender gets, made from the files without any code of the product but its config.

What makes a split: the order (time, then the file's), `leave_last_out` or `leave_last_basket`, and
`repeats: first` where the config says so. `tests/benchmarks/test_quality_split.py` holds it against the product's own
windows row for row, and so does each run of Shortlist. The hash of each data set's rows is committed here: figures
of two runs are comparable where it holds.
"""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.quality import exchange
from shortlist.config.data import Data
from shortlist.config.load import load_config

TRAIN, EVAL, TEST = range(3)


class Recipe(NamedTuple):
    """A data set of the benchmark."""

    config: str
    """The product's preset; files, columns, split and repeats are read from it."""
    rows_sha256: str
    """`rows_sha256` of the split."""


RECIPES: Mapping[str, Recipe] = {
    "movielens-100k": Recipe(
        "configs/movielens_100k.yaml", "82449df12f96282d4046024f611120edaacca1be0dbe8618bc08711972318238"
    ),
    "movielens-1m": Recipe(
        "configs/movielens_1m.yaml", "425b19d9d54de98ef7b00c0cee047c21785cc16da7a134c9c36be327f9fedaaf"
    ),
    "online-retail": Recipe(
        "configs/online_retail.yaml", "9d13e9164aff56982115dc0557baa92f2a3f9028b23ed90d62da5e444a0d9e9d"
    ),
}


class LabelledSplit(NamedTuple):
    """A split, and the ids behind its numbers."""

    split: exchange.Split
    query_ids: np.ndarray
    """[num_queries] strings, sorted."""
    candidate_ids: np.ndarray
    """[num_candidates] strings, sorted: the whole catalogue."""
    rows_sha256: str


class WrongRowsError(Exception):
    """The files give another split than the committed one."""


def make(name: str, data_dir: pathlib.Path) -> LabelledSplit:
    """Returns the split of a data set of `RECIPES`.

    Raises:
      WrongRowsError: Its rows are not those that the committed figures are about.
    """
    recipe = RECIPES[name]
    labelled = split_tables(load_config(recipe.config).data, data_dir)
    if labelled.rows_sha256 != recipe.rows_sha256:
        raise WrongRowsError(
            f"{name} in {data_dir}: expected the split {recipe.rows_sha256[:12]}..., got {labelled.rows_sha256[:12]}"
            f"...; fetch the data anew, or commit the new hash where {recipe.config} was meant to change the rows"
        )
    return labelled


def protocol(data: Data) -> str:
    """Returns in words which rows are compared and how they are ranked."""
    rows = "first interactions with a candidate, " if data.interactions.repeats == "first" else ""
    return f"{data.split.kind}, {rows}whole corpus, seen excluded, ties against the target, fit on train alone"


def split_tables(data: Data, data_dir: pathlib.Path) -> LabelledSplit:
    """Returns the split of one interactions file and one catalogue."""
    log = _read(data_dir / data.interactions.path, data.interactions.query_id, data.interactions.candidate_id)
    log["time"] = pd.to_numeric(log[data.interactions.timestamp])
    catalogue = _read(data_dir / data.candidates.path, data.candidates.candidate_id)
    candidate_ids = np.array(sorted(catalogue[data.candidates.candidate_id], key=str.encode))
    log = log.rename(columns={data.interactions.query_id: "query_id", data.interactions.candidate_id: "candidate_id"})
    log = log[log.candidate_id.isin(candidate_ids)]
    log["row"] = np.arange(len(log))
    query_ids = np.array(sorted(log.query_id.unique(), key=str.encode))
    log["query"] = log.query_id.map({name: number for number, name in enumerate(query_ids)}).astype(np.int32)
    log["candidate"] = log.candidate_id.map({name: number for number, name in enumerate(candidate_ids)}).astype(
        np.int32
    )
    log = log.sort_values(["query", "time", "row"], ignore_index=True)
    if data.interactions.repeats == "first":
        log = log.drop_duplicates(["query", "candidate"], keep="first", ignore_index=True)
    log["part"] = _last_baskets(log) if data.split.kind == "leave_last_basket" else _last_rows(log)

    parts = [log[log.part == part] for part in (TRAIN, EVAL, TEST)]
    rows = [exchange.Rows(*(part[name].to_numpy() for name in exchange.Rows._fields)) for part in parts]
    split = exchange.Split(len(query_ids), len(candidate_ids), *rows)
    return LabelledSplit(split, query_ids, candidate_ids, rows_sha256(log, candidate_ids))


def _last_rows(log: pd.DataFrame) -> np.ndarray:
    """Returns the part of each row: the last one is test, the one before eval, where there are three."""
    rows = log.groupby("query").row
    from_end = rows.cumcount(ascending=False)
    return np.select([rows.transform("size") < 3, from_end == 0, from_end == 1], [TRAIN, TEST, EVAL], TRAIN)


def _last_baskets(log: pd.DataFrame) -> np.ndarray:
    """Returns the part of each row: the last time's rows are test, those before eval where there are three times."""
    times = log.groupby("query").time
    basket = times.rank(method="dense")
    baskets = times.transform("nunique")
    is_test = (baskets >= 2) & (basket == baskets)
    is_eval = (baskets >= 3) & (basket == baskets - 1)
    return np.select([is_test, is_eval], [TEST, EVAL], TRAIN)


def rows_sha256(log: pd.DataFrame, candidate_ids: np.ndarray) -> str:
    """Returns the SHA-256 of the catalogue's ids and of every row, in the order of queries and times."""
    digest = hashlib.sha256("\n".join(candidate_ids).encode() + b"\n\n")
    columns = (log.query_id, log.candidate_id, log.time.astype(str), log.part.astype(str))
    digest.update("\n".join(map("\t".join, zip(*columns, strict=True))).encode())
    return digest.hexdigest()


def _read(path: pathlib.Path, *ids: str) -> pd.DataFrame:
    """Returns a table; ids are texts, as in the product."""
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
    else:
        table = pd.read_csv(path, dtype=dict.fromkeys(ids, str), keep_default_na=False)
    return table.astype(dict.fromkeys(ids, str))
