"""The rows for all contenders, made from the files without the product's code, except for its config.

A split is defined by the order (time, then row of the file), by `leave_last_out` or `leave_last_basket`, and by
`repeats: first` if the config has it. `tests/benchmarks/test_quality_split.py` compares it with the product's own
windows row by row, and so does each run of Shortlist. The hash of each data set's rows is committed here: the figures
of two runs are comparable if it is the same.
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
    """The product's preset, with the files, columns, split and repeats."""
    rows_sha256: str
    """`rows_sha256` of the split."""
    has_exact_times: bool = True
    """False if a copy may have estimated times: the checksum then covers the order of a query's rows instead."""


RECIPES: Mapping[str, Recipe] = {
    "movielens-100k": Recipe(
        "configs/movielens_100k.yaml", "82449df12f96282d4046024f611120edaacca1be0dbe8618bc08711972318238"
    ),
    "movielens-1m": Recipe(
        "configs/movielens_1m.yaml", "425b19d9d54de98ef7b00c0cee047c21785cc16da7a134c9c36be327f9fedaaf", False
    ),
    "amazon-beauty": Recipe(
        "configs/amazon_beauty.yaml", "f8d15bdeecbe11991aea792ee1fc10e542f198764c1680fbb0794e02a843eb23"
    ),
    "online-retail": Recipe(
        "configs/online_retail.yaml", "9d13e9164aff56982115dc0557baa92f2a3f9028b23ed90d62da5e444a0d9e9d"
    ),
}


class LabelledSplit(NamedTuple):
    """A split, with the ids of its numbered queries and candidates."""

    split: exchange.Split
    query_ids: np.ndarray
    """[num_queries] strings, sorted."""
    candidate_ids: np.ndarray
    """[num_candidates] strings, sorted: the whole catalogue."""
    rows_sha256: str
    times_sha256: str = ""
    """SHA-256 of the times, if `rows_sha256` covers only their order."""


class WrongRowsError(Exception):
    """The files give another split than the committed hash."""


def make(name: str, data_dir: pathlib.Path) -> LabelledSplit:
    """Returns the split of a data set of `RECIPES`.

    Raises:
      WrongRowsError: Its rows are not those of the committed figures.
    """
    recipe = RECIPES[name]
    labelled = split_tables(load_config(recipe.config).data, data_dir, recipe.has_exact_times)
    if labelled.rows_sha256 != recipe.rows_sha256:
        raise WrongRowsError(
            f"{name} in {data_dir}: expected the split {recipe.rows_sha256[:12]}..., got {labelled.rows_sha256[:12]}"
            f"...; fetch the data again, or commit the new hash if {recipe.config} was meant to change the rows"
        )
    return labelled


def protocol(data: Data) -> str:
    """Returns a description of the rows and of the ranking."""
    parts: list[str] = [data.split.kind]
    if data.interactions.repeats == "first":
        parts.append("first interactions with a candidate")
    return ", ".join([*parts, "whole corpus, seen excluded, ties against the target, fit on train alone"])


def split_tables(data: Data, data_dir: pathlib.Path, has_exact_times: bool = True) -> LabelledSplit:
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
    assign_parts = _last_rows
    if data.split.kind == "leave_last_basket":
        assign_parts = _last_baskets
    log["part"] = assign_parts(log)

    parts = [log[log.part == part] for part in (TRAIN, EVAL, TEST)]
    rows = [exchange.Rows(*(part[name].to_numpy() for name in exchange.Rows._fields)) for part in parts]
    split = exchange.Split(len(query_ids), len(candidate_ids), *rows)
    times_sha256 = ""
    if not has_exact_times:
        times_sha256 = hashlib.sha256("\n".join(log.time.astype(str)).encode()).hexdigest()
        log["time"] = log.groupby("query").cumcount()
    return LabelledSplit(split, query_ids, candidate_ids, rows_sha256(log, candidate_ids), times_sha256)


def _last_rows(log: pd.DataFrame) -> np.ndarray:
    """Returns the part of each row: a query's last row is test, the one before is eval, with at least three rows."""
    rows = log.groupby("query").row
    from_end = rows.cumcount(ascending=False)
    return np.select([rows.transform("size") < 3, from_end == 0, from_end == 1], [TRAIN, TEST, EVAL], TRAIN)


def _last_baskets(log: pd.DataFrame) -> np.ndarray:
    """Returns the part of each row: the rows of a query's last time are test, those of the time before are eval.

    Eval needs at least three times, test at least two.
    """
    times = log.groupby("query").time
    basket = times.rank(method="dense")
    baskets = times.transform("nunique")
    is_test = (baskets >= 2) & (basket == baskets)
    is_eval = (baskets >= 3) & (basket == baskets - 1)
    return np.select([is_test, is_eval], [TEST, EVAL], TRAIN)


def rows_sha256(log: pd.DataFrame, candidate_ids: np.ndarray) -> str:
    """Returns the SHA-256 of the catalogue's ids and of all rows, ordered by query and time."""
    digest = hashlib.sha256("\n".join(candidate_ids).encode() + b"\n\n")
    columns = (log.query_id, log.candidate_id, log.time.astype(str), log.part.astype(str))
    digest.update("\n".join(map("\t".join, zip(*columns, strict=True))).encode())
    return digest.hexdigest()


def _read(path: pathlib.Path, *ids: str) -> pd.DataFrame:
    """Returns a table whose ids are strings, as in the product."""
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
    else:
        table = pd.read_csv(path, dtype=dict.fromkeys(ids, str), keep_default_na=False)
    return table.astype(dict.fromkeys(ids, str))
