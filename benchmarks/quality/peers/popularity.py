"""Most popular: the number of a candidate's train interactions, the same list for all queries."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.quality import exchange


def fit(split: exchange.Split, grid: Sequence[exchange.Setting], seed: int) -> Iterator[exchange.Fitted]:
    """Yields the model; it has no settings."""
    for setting in grid:
        start = time.monotonic()
        counts = np.bincount(split.train.candidate, minlength=split.num_candidates)
        seconds = time.monotonic() - start

        def score(phase: str, counts: np.ndarray = counts) -> np.ndarray:
            return np.broadcast_to(counts, (len(split.queries(phase)), len(counts)))

        yield exchange.Fitted(setting, seconds, score)


if __name__ == "__main__":
    exchange.main(fit, "numpy")
