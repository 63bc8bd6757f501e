"""Requests with rules: filters, and a list that is re-ranked from a pool of the model's best candidates."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from shortlist import keys, model_files
from shortlist.errors import BadInputError
from shortlist.serving import rerank, rules, served_model
from shortlist.serving.catalogue import Catalogue
from shortlist.serving.client import Recommendation, Recommender
from shortlist.serving.rules import Attributes, Filter

RECOMMEND_FILTERED = "recommend_filtered"
SIMILAR = "similar"


@dataclasses.dataclass(frozen=True)
class RequestRules:
    """The rules of one request."""

    filter: Filter
    rerank: rerank.Rerank

    @property
    def is_empty(self) -> bool:
        """Whether the rules change no answer."""
        return not self.filter and self.rerank.is_empty


def parse(
    path: pathlib.Path,
    k: int,
    *,
    filter: object = None,
    diversity: object = None,
    boost: object = None,
    promote: object = None,
) -> RequestRules:
    """Returns the rules of a request from their JSON form, see `rules.parse_filter` and `rerank.parse`.

    Args:
      path: Folder of the version that will be asked. It is not loaded.
      k: Number of candidates.
      filter: Rule by attribute of `index.filters`.
      diversity: A number from 0 to 1.
      boost: A list of boosts, by any attribute of the catalogue.
      promote: A list of promotions, by any attribute of the catalogue.

    Raises:
      BadInputError: They have another form, name an unknown attribute, or k exceeds `index.pool`; or the version is of
        an earlier Shortlist.
    """
    index, catalogue = served_model.index_of(path), Catalogue.of_version(path)
    if catalogue is None or "pool" not in index:
        raise BadInputError.from_parts(
            path, "a model with rules", "one of an earlier version", "run the pipeline again"
        )
    if not 1 <= k <= index["pool"]:
        raise BadInputError(f"k must be 1 to {index['pool']}, which is index.pool of the pushed model; got {k}")
    kinds = {name: kind.value for name, kind in catalogue.attributes.items()}
    declared = {name: kinds[name] for name in index["filters"]}
    return RequestRules(rules.parse_filter(filter, declared), rerank.parse(diversity, boost, promote, kinds, k))


class RuledRecommender:
    """A model and the attributes of its candidates."""

    def __init__(self, recommender: Recommender, catalogue: Catalogue) -> None:
        """Takes a loaded model that `parse` accepted, and its catalogue."""
        self._recommender = recommender
        self._catalogue = catalogue
        self._temperature = model_files.temperature(recommender.path)
        self._pool = int(recommender.index["pool"])
        self._columns: dict[str, Any] = {}

    def recommend(
        self, row: Mapping[str, Any], request: RequestRules, k: int, titles: Mapping[str, str | None]
    ) -> list[Recommendation]:
        """Returns the best k candidates under the rules.

        Args:
          row: The inputs of `recommend`, see `Recommender.request`.
          request: The rules.
          k: Number of candidates.
          titles: Title by candidate id.
        """
        pool_size = k if request.rerank.is_empty else self._pool
        row = {**row, keys.K: pool_size, **rules.signature_values(request.filter)}
        best = dict(self._recommender.ask(RECOMMEND_FILTERED, row))
        extra = self._promoted(row, request, best)
        pool = self._of(best, extra, request)
        return [
            Recommendation(
                rank,
                pool.ids[place.row],
                float(pool.scores[place.row]),
                titles.get(pool.ids[place.row]),
                boost=place.boost,
                promoted=place.is_promoted,
            )
            for rank, place in enumerate(rerank.rerank(pool, request.rerank, k), start=1)
        ]

    def similar(self, candidate_ids: list[str], k: int, conditions: Filter) -> list[tuple[str, float]]:
        """Returns the candidates that are nearest to given ones and pass a filter, and their cosines, best first."""
        row = {keys.CANDIDATE_IDS: candidate_ids, keys.K: k, **rules.signature_values(conditions)}
        return self._recommender.ask(SIMILAR, row)

    def _promoted(self, row: Mapping[str, Any], request: RequestRules, best: Mapping[str, float]) -> dict[str, float]:
        """Returns the score of candidates outside of the pool that promotions need."""
        extra: dict[str, float] = {}
        declared = set(self._recommender.index["filters"])
        for promotion in request.rerank.promotions:
            condition = promotion.condition
            known = {name: rule for name, rule in condition.filter.items() if name in declared}
            allow = row[keys.ALLOW] or sorted(condition.ids)
            if condition.ids:
                allow = [item for item in allow if item in condition.ids]
            if condition.ids and not allow:
                continue
            narrowed = rules.signature_values(rules.merged(request.filter, known))
            found = dict(self._recommender.ask(RECOMMEND_FILTERED, {**row, keys.ALLOW: allow, **narrowed}))
            names = {*request.filter, *condition.filter}
            values = self._attributes(list(found), names)
            meets = rules.matches(request.filter, values, len(found))
            meets &= rules.matches(condition.filter, values, len(found))
            wanted = [item for item, is_met in zip(found, meets, strict=True) if is_met and item not in best]
            extra |= {item: found[item] for item in wanted[: promotion.at_least]}
        return extra

    def _of(self, best: Mapping[str, float], extra: Mapping[str, float], request: RequestRules) -> rerank.Pool:
        scores = {**best, **dict(sorted(extra.items(), key=lambda pair: (-pair[1], pair[0])))}
        ids = list(scores)
        needs_embeddings = bool(request.rerank.diversity and ids)
        return rerank.Pool(
            ids,
            np.fromiter(scores.values(), np.float32, len(ids)),
            self._recommender.embed_candidates(ids) if needs_embeddings else np.zeros((len(ids), 1), np.float32),
            self._attributes(ids, request.rerank.attributes),
            self._temperature,
            len(extra),
        )

    def _attributes(self, ids: list[str], names: set[str]) -> Attributes:
        """Returns the values of some candidates by attribute."""
        rows = [self._catalogue.row(item) for item in ids]
        found: dict[str, list[Any]] = {}
        for name in names:
            if name not in self._columns:
                self._columns[name] = self._catalogue.attribute(name).combine_chunks()
            taken = self._columns[name].take(pa.array(rows, pa.int64()))
            # Numbers stay float32, which a filter's bounds are compared with.
            found[name] = (
                list(taken.to_numpy(zero_copy_only=False)) if pa.types.is_float32(taken.type) else (taken.to_pylist())
            )
        return found
