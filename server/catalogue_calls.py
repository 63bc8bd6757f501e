"""Calls on the candidates of a version: similar ones, and a search by title or id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from server.corpus import Corpus
from server.model import LoadedModel
from server.requests import RefusedRequest
from shortlist.serving import rules

_MAX_SHOWN = 100


def similar(model: LoadedModel, ids: Sequence[str], wanted: rules.Filter, k: int) -> list[dict[str, Any]]:
    """Returns the candidates that are similar to the mean of others, best first.

    Args:
      model: The version.
      ids: The others.
      wanted: Rules that each candidate passes.
      k: Number of candidates.

    Raises:
      RefusedRequest: The model does not know one of the others.
    """
    rows = [_row(model.corpus, item) for item in ids]
    items = model.corpus.similar(rows, model.attributes.mask(wanted) if wanted else None, k)
    return [{"id": item.id, "title": item.title, "score": item.score} for item in items]


def candidates(corpus: Corpus, search: str, limit: int) -> list[dict[str, Any]]:
    """Returns candidates whose title or id has a text, those that begin with it first.

    Args:
      corpus: The candidates of the version.
      search: The text; case does not matter. Empty: any candidate.
      limit: Number of candidates.
    """
    wanted = search.casefold()
    first: list[int] = []
    others: list[int] = []
    for row, item in enumerate(corpus.ids):
        title = (corpus.title(row) or "").casefold()
        if title.startswith(wanted) or item.casefold().startswith(wanted):
            first.append(row)
            if len(first) >= limit:
                break
        elif len(others) < limit and wanted in title:
            others.append(row)
    rows = [*first, *others][:limit]
    return [dict(corpus.titled(corpus.ids[row])) for row in rows]


def _row(corpus: Corpus, candidate_id: str) -> int:
    """Returns the row of a candidate.

    Raises:
      RefusedRequest: The model does not know it.
    """
    row = corpus.rows.get(candidate_id)
    if row is None:
        raise RefusedRequest(404, f"The model does not know candidate {candidate_id[:_MAX_SHOWN]!r}.")
    return row
