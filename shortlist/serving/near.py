"""The item of the history that each recommended candidate is closest to, which explains an answer in its own terms."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from shortlist.serving import similarity
from shortlist.serving.client import Recommendation, Recommender


def with_near(
    recommender: Recommender,
    rows: Sequence[Recommendation],
    history_ids: Sequence[str],
    titles: Mapping[str, str | None],
) -> list[Recommendation]:
    """Returns recommendations with `near` and `near_title`, which stay None without a history that the model knows.

    Args:
      recommender: The model that recommended them.
      rows: The recommendations.
      history_ids: Candidate ids of the history, oldest first.
      titles: Title by candidate id.
    """
    # Of equally close items the newest counts.
    items = list(dict.fromkeys(reversed(history_ids)))
    if not rows or not items:
        return list(rows)
    embeddings = recommender.embed_candidates([*(row.id for row in rows), *items])
    is_same = np.array([[row.id == item for item in items] for row in rows])
    positions = similarity.closest(embeddings[: len(rows)], embeddings[len(rows) :], is_same)
    return [
        row
        if position is None
        else dataclasses.replace(row, near=items[position], near_title=titles.get(items[position]))
        for row, position in zip(rows, positions, strict=True)
    ]
