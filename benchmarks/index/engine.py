"""Measurements of one engine. The module needs NumPy only, because peers run in environments of their own."""

from __future__ import annotations

import abc
import json
import os
import pathlib
import resource
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.index.data import DIM, K, Vectors

MIN_RECALL = 0.99
"""Recall of the chosen point."""
CURVE_RECALL = 0.995
"""Recall at which a curve ends, so that Shortlist's recall, which has a margin, is on those of its peers."""
BATCHES = (1, 64, 256)
_WARM_UP_CALLS = 10
_MIN_CALLS = 20
_SECONDS = 1.5
_RECALL_QUERIES = 300
Params = dict[str, Any]


class Engine(abc.ABC):
    """A library with one built index."""

    name = ""
    is_exact = False
    figures: Mapping[str, Any] = {}
    """Figures of the build that replace those of this process, and others."""

    @abc.abstractmethod
    def build(self, candidates: np.ndarray) -> None:
        """Builds the index over [num_candidates, dim] float32 vectors; the score is the dot product."""

    def points(self) -> list[Params]:
        """Returns parameters of the search, from quick to exact."""
        return [{}]

    @abc.abstractmethod
    def prepare(self, queries: np.ndarray, positions: np.ndarray, excluded: np.ndarray | None, params: Params) -> Any:
        """Returns the argument of `search`, outside of the measured time.

        Args:
          queries: [batch, dim] vectors.
          positions: [batch] numbers of the queries.
          excluded: [batch, num_excluded] rows that an answer must not have.
          params: One of `points`.
        """

    @abc.abstractmethod
    def search(self, request: Any) -> Any:
        """Returns the answer to a prepared request."""

    def rows(self, answer: Any) -> np.ndarray:
        """Returns an answer as rows, [batch, K] or wider, best first."""
        return np.asarray(answer)


def measure(engine: Engine, vectors: Vectors, output: pathlib.Path) -> None:
    """Builds the index and writes a record per point of the search, batch size and number of exclusions."""
    candidates = vectors.candidates
    load_average = os.getloadavg()[0]
    start = time.perf_counter()
    engine.build(candidates)
    common = {
        "engine": engine.name,
        "candidates": len(candidates),
        "dim": DIM,
        "k": K,
        "threads": len(os.sched_getaffinity(0)),
        "build_seconds": round(time.perf_counter() - start, 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "started": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        # Of other processes: more than 0.5 on this machine makes latencies longer.
        "load_average": round(load_average, 1),
        **engine.figures,
    }
    records = []

    def add(params: Params, batch: int, is_excluding: bool) -> dict[str, Any]:
        record = common | {"params": params, "batch": batch, **_times(engine, vectors, params, batch, is_excluding)}
        records.append(record)
        output.write_text(json.dumps(records))
        return record

    chosen = None
    for params in engine.points():
        recall = add(params, 1, False)["recall"]
        if chosen is None and recall >= MIN_RECALL:
            chosen = params
        if recall >= CURVE_RECALL:
            break
    chosen = engine.points()[-1] if chosen is None else chosen
    for batch in BATCHES[1:]:
        add(chosen, batch, False)
    add(chosen, 1, True)


def _times(engine: Engine, vectors: Vectors, params: Params, batch: int, is_excluding: bool) -> dict[str, Any]:
    queries = vectors.queries
    excluded = vectors.exclusions if is_excluding else None

    def request(start: int) -> Any:
        positions = np.arange(start, start + batch) % len(queries)
        return engine.prepare(queries[positions], positions, None if excluded is None else excluded[positions], params)

    requests = [request(start) for start in range(0, max(_RECALL_QUERIES, batch), batch)]
    answers = [engine.rows(engine.search(it)) for it in requests]
    truth = vectors.truth(is_excluding)
    # A search that found too few has short lines.
    found = [line[:K] for answer in answers for line in answer][:_RECALL_QUERIES]
    recall = np.mean([len(np.intersect1d(line, best)) / K for line, best in zip(found, truth, strict=False)])
    seconds, cpu = _seconds(engine.search, requests)
    return {
        "exclusions": 0 if excluded is None else excluded.shape[1],
        "recall": round(float(recall), 5),
        "p50_us": round(float(np.percentile(seconds, 50)) * 1e6, 1),
        "p99_us": round(float(np.percentile(seconds, 99)) * 1e6, 1),
        "qps": round(batch / float(np.mean(seconds)), 1),
        "cpu_us": round(cpu / batch * 1e6, 1),
    }


def _seconds(search: Callable[[Any], Any], requests: list[Any]) -> tuple[list[float], float]:
    """Returns the seconds of each call, and the mean CPU seconds of all threads per call."""
    for number in range(_WARM_UP_CALLS):
        search(requests[number % len(requests)])
    seconds: list[float] = []
    cpu, end = time.process_time(), time.perf_counter() + _SECONDS
    while len(seconds) < _MIN_CALLS or time.perf_counter() < end:
        start = time.perf_counter()
        search(requests[len(seconds) % len(requests)])
        seconds.append(time.perf_counter() - start)
    return seconds, (time.process_time() - cpu) / len(seconds)
