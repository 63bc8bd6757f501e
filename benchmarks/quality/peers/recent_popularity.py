"""Most popular of late: a candidate's train interactions in the days before the moment that a query is asked.

And "around the moment", in the days after it, too. No service can know these. A model with a calendar that is fitted to
all train rows has met them, and its lead is to be held against this.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.quality import exchange

_DAY = 86_400


def fit(split: exchange.Split, grid: Sequence[exchange.Setting], seed: int) -> Iterator[exchange.Fitted]:
    """Yields a model for each number of days, times are seconds.

    Without `around` it counts nothing of the moment itself or later.
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
            asked = rows.time[first]
            scores = np.empty((len(queries), split.num_candidates), np.float32)
            ends = np.searchsorted(times, asked + span, "right") if around else np.searchsorted(times, asked, "left")
            starts = np.searchsorted(times, asked - span, side="left")
            for row, (begin, end) in enumerate(zip(starts, ends, strict=True)):
                scores[row] = np.bincount(candidates[begin:end], minlength=split.num_candidates)
            return scores

        yield exchange.Fitted(setting, seconds, score)


if __name__ == "__main__":
    exchange.main(fit, "numpy")
