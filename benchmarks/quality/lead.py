"""How far Shortlist is ahead of its peers, and how sure that is.

An interval has both kinds of noise: of the rows, by a paired bootstrap over queries, and of the seeds, whose spread is
pooled over those of the two alone (`pipeline/ablations/effects.py`), since contenders do not spread alike: iALS' seeds
hardly do. Which ran one seed is taken to spread as the other, and who has no seed does not. One difference is of all
seeds that the results hold of both, or is not told.
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
    records: Sequence[Mapping[str, Any]], found: Mapping[ranks.TrialKey, np.ndarray], queries: np.ndarray
) -> list[dict[str, Any]]:
    """Returns how far each of `OURS` is ahead of each peer, and the first of them of the others.

    Args:
      records: Of one data set.
      found: Ranks of the test rows; a contender that lacks those of one of its records is left out.
      queries: [test rows], the query of each.
    """
    by_model = collections.defaultdict(list)
    for record in records:
        by_model[record["model"]].append(record)
    whole = {
        model: [found[ranks.TrialKey.of(record)] for record in of_model]
        for model, of_model in by_model.items()
        if all(ranks.TrialKey.of(record) in found for record in of_model)
    }
    ours = [model for model in OURS if model in whole]
    pairs = [(one, other) for one in ours for other in whole if other not in OURS]
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
        | _difference(whole, one, other, queries, k)
        for one, other in pairs
        for k in KS
    ]


def _difference(
    whole: Mapping[str, Sequence[np.ndarray]], one: str, other: str, queries: np.ndarray, k: int
) -> dict[str, float]:
    rows = bootstrap.difference_of_top_k(whole[one], whole[other], queries, k)
    seeded = [whole[model] for model in (one, other) if contenders.CONTENDERS[model].has_seed]
    share = sum(1 / len(seeds) for seeds in seeded)
    return effects.with_seeds(rows, effects.seed_noise(seeded, k), share)._asdict()
