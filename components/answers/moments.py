"""Hit rate of a trained model by the time that a request names.

A model that uses times is measured at each target's own time. A service may ask later, or send no time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.answers.exact import search
from components.indexer import queries
from shortlist import keys

_DAY = 86_400
# In seconds since 1970; smaller numbers are order numbers, to which no days can be added.
_EARLIEST_TIME = 365 * _DAY
_UNKNOWN_TIME = 0

OWN = "at the target's own time"
JUST_AFTER = "just after the history"
NOT_SENT = "no time sent"
_LATER = {"a day later": _DAY, "30 days later": 30 * _DAY}


def hit_rates(
    signature: Any,
    candidates: np.ndarray,
    rows: Sequence[dict[str, Any]],
    targets: Sequence[int],
    excluded: Sequence[np.ndarray],
    width: int,
) -> list[dict[str, Any]]:
    """Returns entries {"time": name, "rows": count, "hits": count}, that of the target's own time first.

    Args:
      signature: `query_embedding` of the trained model.
      candidates: [corpus, embedding_dim] The candidates' embeddings.
      rows: Parsed test windows, with the target's time as `query_time`.
      targets: Each window's target as a corpus row; -1 for a target outside of the corpus.
      excluded: Per window the corpus rows that are no answers. Windows whose target is among them are not counted.
      width: Length of an answer.
    """
    counted = [
        index
        for index, target in enumerate(targets)
        if target >= 0 and rows[index].get(keys.QUERY_TIME) and target not in excluded[index]
    ]
    if not counted:
        return []
    sampled = [rows[index] for index in counted]
    own = [row[keys.QUERY_TIME][0] for row in sampled]
    times = {OWN: own, JUST_AFTER: [_newest(row) + 1 if _newest(row) else _UNKNOWN_TIME for row in sampled]}
    if min(own) >= _EARLIEST_TIME:
        times |= {name: [time + seconds for time in own] for name, seconds in _LATER.items()}
    times[NOT_SENT] = [_UNKNOWN_TIME] * len(own)
    wanted = np.array([targets[index] for index in counted])[:, None]
    without = [excluded[index] for index in counted]
    found = []
    for name, moments in times.items():
        asked = [{**row, keys.QUERY_TIME: [moment]} for row, moment in zip(sampled, moments, strict=True)]
        answers, _ = search(queries.embed(signature, asked), candidates, without, width)
        found.append({"time": name, "rows": len(counted), "hits": int((answers == wanted).any(axis=1).sum())})
    return found


def _newest(row: dict[str, Any]) -> int:
    """Returns the time of a history's newest interaction; 0 if it has none."""
    return int(max(row.get(keys.HISTORY_TIMES, ()), default=_UNKNOWN_TIME))
