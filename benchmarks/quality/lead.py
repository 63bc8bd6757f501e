"""Differences between Shortlist and its peers, with confidence intervals.

An interval covers two kinds of noise: that of the rows, by a paired bootstrap over queries, and that of the seeds. The
spread over seeds is pooled over the two contenders of the difference only (`pipeline/ablations/effects.py`), since
contenders differ: iALS varies hardly at all. A contender that ran with one seed is assumed to vary as the other does. A
deterministic contender does not vary. A difference uses all seeds in the results, and is left out if the ranks of one
are missing.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.quality import contenders, ranks
from pipeline.ablations import effects
from shortlist.metrics import bootstrap

KS = (10, 100)
OURS = ("shortlist", "shortlist_untimed", "shortlist_short")


def differences(
    records: Sequence[Mapping[str, Any]], rank_arrays: Mapping[ranks.TrialKey, np.ndarray], queries: np.ndarray
) -> list[dict[str, Any]]:
    """Returns the differences of each of `OURS` to each peer, and of the first of `OURS` to the others of them.

    Args:
      records: Records of one data set.
      rank_arrays: [test rows] ranks by trial. A contender without the ranks of one of its records is left out.
      queries: [test rows], the query of each row.
    """
    by_model = collections.defaultdict(list)
    for record in records:
        by_model[record["model"]].append(record)
    complete = {
        model: [rank_arrays[ranks.TrialKey.of(record)] for record in of_model]
        for model, of_model in by_model.items()
        if all(ranks.TrialKey.of(record) in rank_arrays for record in of_model)
    }
    ours = [model for model in OURS if model in complete]
    pairs = [(one, other) for one in ours for other in complete if other not in OURS]
    pairs += [(ours[0], other) for other in ours[1:]]
    return [
        {
            "data": records[0]["data"],
            "of": one,
            "against": other,
            "metric": f"top_{k}",
            "seeds": {model: [record["seed"] for record in by_model[model]] for model in (one, other)},
            "level": bootstrap.LEVEL,
        }
        | _difference(complete, one, other, queries, k)
        for one, other in pairs
        for k in KS
    ]


def _difference(
    rank_arrays: Mapping[str, Sequence[np.ndarray]], one: str, other: str, queries: np.ndarray, k: int
) -> dict[str, float]:
    rows = bootstrap.difference_of_top_k(rank_arrays[one], rank_arrays[other], queries, k)
    seeded = [rank_arrays[model] for model in (one, other) if contenders.CONTENDERS[model].has_seed]
    share = sum(1 / len(seeds) for seeds in seeded)
    return effects.with_seeds(rows, effects.seed_noise(seeded, k), share)._asdict()
