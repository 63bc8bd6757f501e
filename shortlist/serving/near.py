"""The item of the history that each recommended candidate is closest to, which explains an answer in its own terms."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

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
    near = similarity.nearest_of_history(
        [row.id for row in rows], list(history_ids), lambda ids: recommender.embed_candidates(ids)
    )
    return [
        row if item is None else dataclasses.replace(row, near=item, near_title=titles.get(item))
        for row, item in zip(rows, near, strict=True)
    ]
