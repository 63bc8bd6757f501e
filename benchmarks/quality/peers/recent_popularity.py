"""Most popular recently: the number of a candidate's train interactions in the days before the query's time.

With `around`, also in the days after it, which no service can know. Models with `query_time` are fitted to all train
rows, and so to these days: this contender shows how much of their lead comes from that.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.quality import exchange

_DAY = 86_400


def fit(split: exchange.Split, grid: Sequence[exchange.Setting], seed: int) -> Iterator[exchange.Fitted]:
    """Yields a model for each number of days; times are in seconds.

    Without `around` it counts only interactions before the query's time.
    """
    start = time.monotonic()
    order = np.argsort(split.train.time, kind="stable")
    times, candidates = split.train.time[order], split.train.candidate[order]
    seconds = time.monotonic() - start
    for setting in grid:

        def score(
            phase: str, span: int = setting["days"] * _DAY, around: bool = setting.get("around", False)
        ) -> np.ndarray:
            rows = getattr(split, phase)
            queries, first = np.unique(rows.query, return_index=True)
            query_times = rows.time[first]
            scores = np.empty((len(queries), split.num_candidates), np.float32)
            starts = np.searchsorted(times, query_times - span, side="left")
            ends = np.searchsorted(times, query_times, side="left")
            if around:
                ends = np.searchsorted(times, query_times + span, side="right")
            for row, (begin, end) in enumerate(zip(starts, ends, strict=True)):
                scores[row] = np.bincount(candidates[begin:end], minlength=split.num_candidates)
            return scores

        yield exchange.Fitted(setting, seconds, score)


if __name__ == "__main__":
    exchange.main(fit, "numpy")
