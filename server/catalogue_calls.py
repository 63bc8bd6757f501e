"""Calls on the candidates of a version: similar ones, and a search by title or id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from server.attributes import Attributes
from server.corpus import Corpus, Item
from server.model import LoadedModel
from server.requests import RefusedRequest
from server.search import left_to_model, num_to_fetch
from shortlist import keys
from shortlist.serving import input_tensors, rules
from shortlist.serving.filtered import SIMILAR

_MAX_SHOWN = 100


def similar(model: LoadedModel, ids: Sequence[str], wanted: rules.Filter, k: int) -> list[dict[str, Any]]:
    """Returns the candidates that are similar to the mean of others, best first.

    The model's own signature finds them, as it does for the Python client. Today's attributes decide what passes: the
    signature returns more candidates then, and those that pass are kept. If they are too few, and for versions without
    the signature, the server compares all that pass.

    Args:
      model: The version.
      ids: The others.
      wanted: Rules that each candidate passes.
      k: Number of candidates.

    Raises:
      RefusedRequest: The model does not know one of the others.
    """
    rows = [_row(model.corpus, item) for item in ids]
    attributes = model.attributes
    passed = attributes.mask(wanted) if wanted else None
    found = _by_signature(model, attributes, ids, wanted, passed, k)
    if found is None:
        found = model.corpus.similar(rows, passed, k)
    return [{"id": item.id, "title": item.title, "score": item.score} for item in found]


def _by_signature(
    model: LoadedModel,
    attributes: Attributes,
    ids: Sequence[str],
    wanted: rules.Filter,
    passed: npt.NDArray[np.bool_] | None,
    k: int,
) -> list[Item] | None:
    """Returns the answer of the model's signature; None if it has none, or not all that pass and are needed.

    Args:
      model: The version.
      attributes: Today's attributes.
      ids: The candidates that the others are similar to.
      wanted: Rules that each candidate passes.
      passed: [corpus_size] candidates that pass today; None for all.
      k: Number of candidates.
    """
    signature = model.signatures.get(SIMILAR)
    if signature is None or k > model.pool:
        return None
    by_model = left_to_model(wanted, model.filters, attributes)
    fetch = k
    if passed is not None and len(by_model) < len(wanted):
        num_passed = int(passed.sum())
        if not num_passed:
            return []
        fetch = num_to_fetch(k, num_passed, by_model, attributes, model.pool)
    row = {keys.CANDIDATE_IDS: list(ids), keys.K: fetch, **rules.signature_values(by_model)}
    outputs = signature(**input_tensors.signature_inputs(signature.structured_input_signature[1], [row]))
    count = int(outputs[keys.COUNT].numpy()[0])
    names, scores = outputs[keys.IDS].numpy()[0, :count], outputs[keys.SCORES].numpy()[0, :count].tolist()
    rows = [model.corpus.rows[name.decode("utf-8", "replace")] for name in names]
    found = [
        Item(model.corpus.ids[row], model.corpus.title(row), score)
        for row, score in zip(rows, scores, strict=True)
        if passed is None or passed[row]
    ][:k]
    # With fewer than it was asked for, the signature has returned all that the model lets pass.
    return found if len(found) == k or count < fetch else None


def candidates(corpus: Corpus, search: str, limit: int) -> list[dict[str, Any]]:
    """Returns candidates whose title or id has a text, those that begin with it first.

    Args:
      corpus: The candidates of the version.
      search: The text; case does not matter. Empty: any candidate.
      limit: Number of candidates.
    """
    return [dict(corpus.titled(corpus.ids[row])) for row in corpus.search.rows(search, limit)]


def _row(corpus: Corpus, candidate_id: str) -> int:
    """Returns the row of a candidate.

    Raises:
      RefusedRequest: The model does not know it.
    """
    row = corpus.rows.get(candidate_id)
    if row is None:
        raise RefusedRequest(404, f"The model does not know candidate {candidate_id[:_MAX_SHOWN]!r}.")
    return row
