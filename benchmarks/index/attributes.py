"""Measures filtered requests: recall and time by the share of the candidates that passes.

    python -m benchmarks.index.attributes                     # 200,000 candidates; minutes on 2 cores
    python -m benchmarks.index.attributes --size 20000

Attributes are independent of the vectors, and one, `region`, follows them: its value is the half-space that a candidate
is in, so that a query's own half or the other one passes. One query is asked at a time, both kinds of index in turns,
since a machine's speed changes within minutes. Times are of the clock, and of the CPU with all threads. Results go to
`benchmarks/results/filters.json` and `filters.md`.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from benchmarks.index import data, exports
from benchmarks.index.run import RESULTS, VECTORS
from components.indexer import export
from components.indexer.exact import ExactIndex
from components.indexer.filters import AttributeFilters
from shortlist import keys
from shortlist.config.features import FeatureType
from shortlist.serving import catalogue
from shortlist.serving.input_tensors import signature_inputs
from shortlist.serving.served_model import load_served

SHARES = (0.5, 0.1, 0.01, 0.001)
_KINDS = ("scann", "brute_force")
_QUERIES = 200
_CALLS = 200
_WARM_UP_CALLS = 20
_RECALLED = 100
_POOL = 500


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, writes the results and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=200_000)
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args(argv)
    records = measure(data.write(VECTORS, args.size))
    args.results.mkdir(parents=True, exist_ok=True)
    (args.results / "filters.json").write_text(json.dumps(records, indent=1) + "\n")
    (args.results / "filters.md").write_text(table(records))
    print(table(records))
    return 0


def measure(vectors: data.Vectors) -> list[dict[str, Any]]:
    """Returns a record per kind of index and filter."""
    candidates, queries = vectors.candidates, vectors.queries[:_QUERIES]
    values = attributes(candidates)
    records = []
    with tempfile.TemporaryDirectory() as folder:
        filters = AttributeFilters.of(_catalogue(pathlib.Path(folder, "candidates.parquet"), values), list(values))
        signatures = {kind: _exported(kind, vectors, filters, f"{folder}/{kind}") for kind in _KINDS}
        plain = [{keys.QUERY_ID: str(number), keys.K: data.K} for number in range(len(queries))]
        everything = np.ones((len(queries), len(candidates)), bool)
        for name, signature, rows, passing in [
            ("recommend", "recommend", plain, everything),
            ("no filter", "recommend_filtered", plain, everything),
            *(
                (name, "recommend_filtered", [row | rule for row, rule in zip(plain, rules, strict=True)], passing)
                for name, rules, passing in _filters(values, candidates, queries)
            ),
        ]:
            calls = [_Calls(signatures[kind][signature], rows) for kind in _KINDS]
            recalls = [_recall(one, candidates, queries, passing) for one in calls]
            for kind, recall, times in zip(_KINDS, recalls, _times(calls), strict=True):
                records.append(
                    {"index": kind, "filter": name, "candidates": len(candidates), "recall": recall, **times}
                )
                print(records[-1], flush=True)
    return records


def attributes(candidates: np.ndarray) -> dict[str, list[Any]]:
    """Returns values by attribute: a category per share, a number, and the half-space of each candidate."""
    generator = np.random.default_rng(0)
    found: dict[str, list[Any]] = {
        f"in_{share:g}".replace(".", "_"): [
            ["yes"] if it else ["no"] for it in generator.random(len(candidates)) < share
        ]
        for share in SHARES
    }
    found["number"] = generator.random(len(candidates)).astype(np.float32).tolist()
    found["region"] = [["right"] if it else ["left"] for it in candidates[:, 0] > 0]
    return found


def _catalogue(path: pathlib.Path, values: dict[str, list[Any]]) -> catalogue.Catalogue:
    kinds = dict.fromkeys(values, FeatureType.CATEGORY) | {"number": FeatureType.NUMERIC}
    size = len(values["number"])
    columns = {"row": range(size), "id": [f"{row:08d}" for row in range(size)], "title": [None] * size}
    columns |= {catalogue.column_of(name): line for name, line in values.items()}
    schema = catalogue.schema(None, kinds)
    pq.write_table(pa.Table.from_arrays([pa.array(columns[it.name], it.type) for it in schema], schema=schema), path)
    return catalogue.Catalogue(path)


def _exported(kind: str, vectors: data.Vectors, filters: AttributeFilters, folder: str) -> Any:
    tower = exports.LookupTower(vectors.candidates, vectors.queries)
    signatures = {"query_embedding": tower.query_embedding, "candidate_embedding": tower.candidate_embedding}
    tf.saved_model.save(tower, f"{folder}-tower", signatures=signatures)
    trained = tf.saved_model.load(f"{folder}-tower")
    candidates = trained.candidate_embeddings
    index = exports.tune(vectors, candidates).index if kind == "scann" else ExactIndex(k=data.K).index(candidates)
    export.save(export.ServedModel(trained, index, data.K, _POOL, filters), folder, folder)
    export.write_index_file(folder, {"kind": kind})
    return load_served(folder).signatures


def _filters(
    values: dict[str, list[Any]], candidates: np.ndarray, queries: np.ndarray
) -> list[tuple[str, list[dict[str, Any]], np.ndarray]]:
    """Returns name, inputs per query, and the passing candidates, bool [num_queries, num_candidates]."""
    number = len(queries)
    found: list[tuple[str, list[dict[str, Any]], np.ndarray]] = []
    for share in SHARES:
        name = f"in_{share:g}".replace(".", "_")
        passes = np.array([line == ["yes"] for line in values[name]])
        rule: dict[str, Any] = {f"filter_any_{name}": ["yes"]}
        found.append((f"category, {share:.1%}", [rule] * number, np.broadcast_to(passes, (number, len(passes)))))
    numbers = np.array(values["number"], np.float32)
    for share in SHARES:
        limit = {"filter_max_number": share}
        passes = numbers <= np.float32(share)
        found.append((f"number, {share:.1%}", [limit] * number, np.broadcast_to(passes, (number, len(passes)))))
    is_right, query_is_right = candidates[:, 0] > 0, queries[:, 0] > 0
    for name, wanted in (("the query's half", query_is_right), ("the other half", ~query_is_right)):
        rules = [{"filter_any_region": ["right" if it else "left"]} for it in wanted]
        found.append((name, rules, is_right == wanted[:, np.newaxis]))
    return found


class _Calls:
    """A signature, and the inputs of a request per query."""

    def __init__(self, signature: Any, rows: list[dict[str, Any]]) -> None:
        specs = signature.structured_input_signature[1]
        self._signature = signature
        self._inputs = [signature_inputs(specs, [row]) for row in rows]

    def __call__(self, number: int) -> Any:
        return self._signature(**self._inputs[number % len(self._inputs)])


def _recall(call: _Calls, candidates: np.ndarray, queries: np.ndarray, passing: np.ndarray) -> float:
    recalls = []
    for number in range(_RECALLED):
        scores = np.where(passing[number], candidates @ queries[number], -np.inf)
        depth = min(data.K, int(passing[number].sum()))
        lowest = np.partition(scores, -depth)[-depth] - 1e-6
        found = [int(item) for item in call(number)[keys.IDS].numpy()[0][: data.K] if item]
        # Excluded, repeated and missing candidates lower the recall.
        recalls.append(sum(scores[row] >= lowest for row in set(found)) / depth)
    return round(float(np.mean(recalls)), 5)


def _times(calls: Sequence[_Calls]) -> list[dict[str, int]]:
    """Returns microseconds of each of some calls, which are made in turns."""
    found: list[list[tuple[float, float]]] = [[] for _ in calls]
    for number in range(_WARM_UP_CALLS + _CALLS):
        for call, times in zip(calls, found, strict=True):
            start, cpu = time.perf_counter(), time.process_time()
            call(number)
            times.append((time.perf_counter() - start, time.process_time() - cpu))
    medians = [np.median(times[_WARM_UP_CALLS:], axis=0) * 1e6 for times in found]
    return [{"p50_us": round(float(wall)), "cpu_p50_us": round(float(cpu))} for wall, cpu in medians]


def table(records: Sequence[dict[str, Any]]) -> str:
    """Returns the records as a table in Markdown, ScaNN beside exact search."""
    size = records[0]["candidates"]
    lines = [
        f"# Filtered requests, {size:,} candidates, {data.DIM} dimensions, k {data.K}",
        "",
        "Microseconds of a request, median, by the clock and of the CPU.",
        "",
        "| filter | ScaNN, recall | p50 | CPU | exact, recall | p50 | CPU |",
        f"|{' --- |' * 7}",
    ]
    by_index = {(it["index"], it["filter"]): it for it in records}
    for name in dict.fromkeys(it["filter"] for it in records):
        cells = [
            cell
            for kind in _KINDS
            for it in [by_index[kind, name]]
            for cell in (f"{it['recall']:.4f}", f"{it['p50_us']:,}", f"{it['cpu_p50_us']:,}")
        ]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
