"""Embeddings of queries and candidates as Python users give them, see `shortlist.api.model`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from shortlist import keys
from shortlist.api import ids, moments
from shortlist.api.ids import Id, Interaction, Time
from shortlist.errors import BadInputError
from shortlist.quoting import short_repr
from shortlist.serving import similarity
from shortlist.serving.client import FloatArray, Recommender

if TYPE_CHECKING:
    import pandas as pd

_Row = TypeVar("_Row")

_BATCH = 4096


def query_rows(
    recommender: Recommender,
    histories: Sequence[Iterable[Interaction]],
    queries: Sequence[Id] | None,
    at: Time | None,
    features: Sequence[Mapping[str, Any]] | None,
    contexts: Sequence[Mapping[str, Any]] | None,
) -> list[dict[str, Any]]:
    """Returns the inputs of the model by name, one mapping per query; see `Model.embed_queries`.

    Raises:
      BadInputError: An argument is wrong.
    """
    for name, values in (("queries", queries), ("features", features), ("contexts", contexts)):
        if values is not None and len(values) != len(histories):
            raise BadInputError.from_parts(name, f"{len(histories)}, one per history", len(values))
    moment = moments.given(at)
    rows: list[dict[str, Any]] = []
    for position, history in enumerate(histories):
        items = ids.reiterable(history)
        pairs = ids.pairs(items, "histories")
        row = dict(features[position]) if features is not None else {}
        context = None if contexts is None else contexts[position]
        row |= recommender.interaction_inputs(ids.item_features(items, "histories"), context)
        row[keys.QUERY_ID] = None if queries is None else ids.id_text(queries[position], "queries")
        row[keys.HISTORY_IDS] = [item for item, _ in pairs]
        row[keys.HISTORY_TIMES] = [seconds for _, seconds in pairs]
        row[keys.QUERY_TIME] = (moment or moments.after(pairs)).time
        rows.append(row)
    return rows


def of_candidates(
    recommender: Recommender,
    unknown: Callable[[str], BadInputError],
    candidates: Iterable[Id] | Iterable[Mapping[str, Any]] | pd.DataFrame,
) -> FloatArray:
    """Returns embeddings of candidates, float32 [num_candidates, embedding_dim]; see `Model.embed_candidates`.

    Args:
      recommender: The model.
      unknown: Returns the error for a candidate that the model does not know. Not titles: for a version of 0.1, they
        take a pass over the data.
      candidates: Ids or descriptions.

    Raises:
      BadInputError: The model does not know an id or a feature, or a value has a wrong type.
    """
    records = candidates.to_dict("records") if hasattr(candidates, "to_dict") else candidates
    if isinstance(records, str) or not isinstance(records, Iterable):
        raise BadInputError.from_parts("candidates", "a list of ids or of descriptions", short_repr(records))
    rows = list(records)
    if rows and all(isinstance(row, Mapping) for row in rows):
        described = [_without_missing(row) for row in rows]
        return _in_batches(recommender.embed_described, described)
    wanted = ids.id_texts(rows, "candidates")
    embeddings = _in_batches(recommender.embed_candidates, wanted)
    for item, embedding in zip(wanted, embeddings, strict=True):
        if not embedding.any():
            raise unknown(item)
    return embeddings


def of_corpus(recommender: Recommender, titles: Mapping[str, str | None]) -> tuple[list[str], FloatArray]:
    """Returns the sorted ids of the candidates that a model knows, and [corpus_size, embedding_dim] unit embeddings.

    Args:
      recommender: The model.
      titles: Title by id. For a version of 0.1 they are those of today's data, which the model may not know.
    """
    corpus = sorted(titles)
    embeddings = _in_batches(recommender.embed_candidates, corpus)
    known = embeddings.any(axis=1)
    return [item for item, is_known in zip(corpus, known, strict=True) if is_known], similarity.unit(embeddings[known])


def _in_batches(embed: Callable[[list[_Row]], FloatArray], rows: list[_Row]) -> FloatArray:
    starts = range(0, max(len(rows), 1), _BATCH)
    return np.concatenate([embed(rows[start : start + _BATCH]) for start in starts])


def _without_missing(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Returns a description whose missing values are None, ids as strings; in a table NaN is a missing text, too."""
    found = {str(name): None if isinstance(value, float) and value != value else value for name, value in row.items()}
    if found.get(keys.CANDIDATE_ID) is not None:
        found[keys.CANDIDATE_ID] = ids.id_text(found[keys.CANDIDATE_ID], keys.CANDIDATE_ID)
    return found
