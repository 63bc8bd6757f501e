"""Writes the three tables of a planted log to Parquet, some thousand queries at a time, and the ceiling of its truth.

    python -m benchmarks.planted.log FOLDER --interactions 1000000 --candidates 200000

Equal arguments give equal rows. Times of a query are strictly increasing, so that its last interaction is known. No
query has an item twice.
"""

from __future__ import annotations

import argparse
import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.planted.truth import CLUSTERS_PER_QUERY, State, Truth, drift, rank

TRUTH_FILE = "truth.json"
TABLES = ("interactions", "candidates", "queries")
_MEAN_LENGTH = 50
_MIN_LENGTH, _MAX_LENGTH = 3, 500
_QUERIES_PER_PART = 5_000
_ITEMS_PER_PART = 100_000
_START, _YEAR = 1_700_000_000, 365 * 86_400
_HOUR = 3_600
_CLUSTERS_PER_CATEGORY = 5
_CEILING_ROWS = 2_000
_WORDS = ("amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "harbor", "iris", "juniper", "kelp", "lagoon")


class Part(NamedTuple):
    """The interactions of some queries, in the order of query and time; [rows] each."""

    query: np.ndarray
    item: np.ndarray
    time: np.ndarray
    cluster: np.ndarray
    """The cluster that the query was in."""


def main(argv: Sequence[str] | None = None) -> None:
    """Writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--interactions", type=int, default=1_000_000)
    parser.add_argument("--candidates", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    print(json.dumps(write(args.folder, args.interactions, args.candidates, args.seed), indent=2))


def write(folder: pathlib.Path, interactions: int, candidates: int, seed: int = 1) -> dict[str, float | int]:
    """Writes a Parquet file per table, and `truth.json`, whose content it returns.

    Args:
      folder: Folder to make.
      interactions: Wanted number of rows, reached to within a few percent.
      candidates: Number of items.
      seed: Seed of all random numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    truth = Truth.plant(candidates, np.random.default_rng(seed))
    queries = max(interactions // _MEAN_LENGTH, 1)
    ceiling = _Ceiling(truth, queries)
    rows = 0
    schema = pa.schema([("user_id", pa.string()), ("item_id", pa.string()), ("timestamp", pa.int64())])
    with pq.ParquetWriter(folder / "interactions.parquet", schema) as writer:
        for part in parts(truth, queries, seed):
            columns = [_names("u", part.query), _names("i", part.item), pa.array(part.time)]
            writer.write_table(pa.table(columns, schema=schema))
            ceiling.add(part)
            rows += len(part.query)
    _write_candidates(folder / "candidates.parquet", truth, seed)
    _write_queries(folder / "queries.parquet", queries, seed)
    facts = {
        "seed": seed,
        "interactions": rows,
        "candidates": candidates,
        "queries": queries,
        "clusters": truth.clusters,
        **ceiling.metrics(),
    }
    (folder / TRUTH_FILE).write_text(json.dumps(facts, indent=2) + "\n")
    return facts


def parts(truth: Truth, queries: int, seed: int) -> Iterator[Part]:
    """Yields the log, `_QUERIES_PER_PART` queries at a time; a part depends on the seed and its number alone."""
    for number, first in enumerate(range(0, queries, _QUERIES_PER_PART)):
        random = np.random.default_rng([seed, 1, number])
        yield _part(truth, np.arange(first, min(first + _QUERIES_PER_PART, queries)), random)


def _part(truth: Truth, queries: np.ndarray, random: np.random.Generator) -> Part:
    number = len(queries)
    # A few queries are long, as in most logs: the mean of this distribution is `_MEAN_LENGTH`.
    lengths = np.exp(random.normal(np.log(_MEAN_LENGTH) - 0.32, 0.8, number)).astype(np.int64)
    lengths = np.clip(lengths, _MIN_LENGTH, _MAX_LENGTH)
    own = random.integers(truth.clusters, size=(number, CLUSTERS_PER_QUERY))
    place = np.zeros(number, np.int64)
    last = np.full(number, -1)
    time = _START + random.integers(_YEAR, size=number)
    had: list[set[int]] = [set() for _ in range(number)]
    rows: list[tuple[np.ndarray, ...]] = []
    for step in range(int(lengths.max())):
        active = np.flatnonzero(lengths > step)
        cluster = own[active, place[active]]
        items = _draw_new(truth, State(cluster, last[active]), [had[index] for index in active], random)
        time[active] += 1 + random.exponential(_HOUR, len(active)).astype(np.int64)
        last[active] = items
        rows.append((queries[active], items, time[active].copy(), cluster))
        place[active] = drift(place[active], own[active], random)
    columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
    return Part(*(column[np.lexsort((columns[2], columns[0]))] for column in columns))


def _draw_new(truth: Truth, state: State, had: list[set[int]], random: np.random.Generator) -> np.ndarray:
    """Draws an item per query that it did not have yet, and adds it to `had`."""
    items = truth.draw(state, random)
    pending = np.array([index for index, item in enumerate(items) if item in had[index]], np.int64)
    while len(pending):
        items[pending] = truth.draw(State(state.cluster[pending], state.last[pending]), random)
        pending = np.array([index for index in pending if items[index] in had[index]], np.int64)
    for index, item in enumerate(items.tolist()):
        had[index].add(item)
    return items


class _Ceiling:
    """Ranks of the last interactions of some queries by the planted probabilities."""

    def __init__(self, truth: Truth, queries: int) -> None:
        self._truth = truth
        self._step = max(queries // _CEILING_ROWS, 1)
        self._ranks: list[int] = []

    def add(self, part: Part) -> None:
        ends = np.flatnonzero(np.append(part.query[1:] != part.query[:-1], True))
        starts = np.append(0, ends[:-1] + 1)
        for start, end in zip(starts, ends, strict=True):
            if part.query[end] % self._step == 0:
                scores = self._truth.probabilities(int(part.cluster[end]), int(part.item[end - 1]))
                self._ranks.append(rank(scores, int(part.item[end]), part.item[start:end]))

    def metrics(self) -> dict[str, float | int]:
        ranks = np.array(self._ranks)
        gains = np.where(ranks <= 10, 1.0 / np.log2(1.0 + ranks), 0.0)
        return {
            "ceiling_rows": len(ranks),
            "ceiling_top_10": round(float(np.mean(ranks <= 10)), 4),
            "ceiling_ndcg_at_10": round(float(np.mean(gains)), 4),
            "ceiling_top_100": round(float(np.mean(ranks <= 100)), 4),
        }


def _write_candidates(path: pathlib.Path, truth: Truth, seed: int) -> None:
    names = [("item_id", pa.string()), ("title", pa.string()), ("category", pa.string()), ("price", pa.float32())]
    schema = pa.schema(names)
    with pq.ParquetWriter(path, schema) as writer:
        for number, first in enumerate(range(0, len(truth.cluster_of), _ITEMS_PER_PART)):
            random = np.random.default_rng([seed, 2, number])
            items = np.arange(first, min(first + _ITEMS_PER_PART, len(truth.cluster_of)))
            category = truth.cluster_of[items] // _CLUSTERS_PER_CATEGORY
            words = np.array(_WORDS)[random.integers(len(_WORDS), size=(len(items), 2))]
            titles = [f"{one} {two} {item}" for (one, two), item in zip(words.tolist(), items.tolist(), strict=True)]
            price = np.exp(random.normal(2.0 + category % 7 * 0.3, 0.5)).astype(np.float32)
            columns = [_names("i", items), pa.array(titles), _names("c", category), pa.array(price)]
            writer.write_table(pa.table(columns, schema=schema))


def _write_queries(path: pathlib.Path, queries: int, seed: int) -> None:
    random = np.random.default_rng([seed, 3])
    countries = np.array(["de", "fr", "it", "es", "pl", "nl", "se", "fi"])
    columns = {
        "user_id": _names("u", np.arange(queries)),
        "country": pa.array(countries[random.integers(len(countries), size=queries)].tolist()),
        "age": pa.array(random.integers(18, 80, queries).astype(np.float32)),
    }
    pq.write_table(pa.table(columns), path)


def _names(letter: str, numbers: np.ndarray) -> pa.Array:
    return pa.array([f"{letter}{number:07d}" for number in numbers.tolist()])


if __name__ == "__main__":
    main()
