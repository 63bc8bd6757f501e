"""A pushed model for Python: recommendations, similar candidates and embeddings."""

from __future__ import annotations

import bisect
import functools
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shortlist.api import embeddings, ids, moments
from shortlist.api.ids import Id, Interaction, Time
from shortlist.api.log import ModelLog
from shortlist.api.recommendations import Recommendations
from shortlist.errors import BadInputError
from shortlist.quoting import listed
from shortlist.serving import filtered, similarity
from shortlist.serving.catalogue import Catalogue
from shortlist.serving.client import FloatArray, Recommendation, Recommender
from shortlist.serving.evaluation import ServedEvaluation
from shortlist.serving.near import with_near

if TYPE_CHECKING:
    import pandas as pd

_NAMED = 5


class Model:
    """One version of a pushed model, see `shortlist.load`.

    Examples:
      >>> model.recommend(history=["50", "172"], k=2).ids  # doctest: +ELLIPSIS
      ['...', '...']
      >>> model.similar("50", k=3).to_pandas().columns.tolist()
      ['rank', 'id', 'score', 'title', 'near', 'near_title', 'boost', 'promoted']
      >>> model.embed_candidates(["50", "172"]).shape
      (2, 64)
    """

    def __init__(self, recommender: Recommender, log: ModelLog | None = None) -> None:
        """Takes a loaded model.

        Args:
          recommender: The loaded version.
          log: The log that histories of queries are read from; None if unknown.
        """
        self._recommender = recommender
        self._log = log
        self.path: pathlib.Path = recommender.path
        """Folder of the version."""
        self.catalogue: Catalogue | None = Catalogue.of_version(recommender.path)
        """The candidates with their titles and attributes; None for a version of 0.1."""
        self.evaluation: ServedEvaluation | None = ServedEvaluation.of_version(recommender.path)
        """Metrics and verdict that the version was pushed with; None for a version of 0.1."""

    def __repr__(self) -> str:
        size = "" if self.catalogue is None else f", {len(self.catalogue):,} candidates"
        return f"<shortlist.Model version {self.version}{size}>"

    @property
    def version(self) -> str:
        """Number of the version: the name of its folder."""
        return self.path.name

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics on the test split, by TFMA's names; empty for a version of 0.1."""
        return {} if self.evaluation is None else self.evaluation.metrics

    @property
    def query_features(self) -> list[str]:
        """Names of the query's features that the model reads."""
        return self._recommender.query_features

    @property
    def history_features(self) -> list[str]:
        """Names of the features of a history's items that the model reads."""
        return self._recommender.history_features

    @property
    def context_features(self) -> list[str]:
        """Names of the features of a request that the model reads."""
        return self._recommender.context_features

    @property
    def max_k(self) -> int:
        """The longest answer: `index.k` of the config."""
        return int(self._recommender.index["k"])

    @functools.cached_property
    def titles(self) -> Mapping[str, str | None]:
        """Title by candidate id, from the version or, for one of 0.1, from the data."""
        if self.catalogue is not None:
            return self.catalogue
        return {} if self._log is None else self._log.titles

    def recommend(
        self,
        history: Iterable[Interaction] | None = None,
        *,
        query: Id | None = None,
        k: int = 10,
        at: Time | None = None,
        exclude: Iterable[Id] = (),
        allow: Iterable[Id] = (),
        include_seen: bool | None = None,
        features: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        filter: Mapping[str, Mapping[str, Any]] | None = None,
        diversity: float | None = None,
        boost: Sequence[Mapping[str, Any]] | None = None,
        promote: Sequence[Mapping[str, Any]] | None = None,
    ) -> Recommendations:
        """Returns recommendations for a history, or for a query of the log.

        Args:
          history: Interactions, oldest first. An empty one is a new query.
          query: Id of a query. Without `history`, its history and features are read from the log, which takes a pass
            over the log and needs a model that was loaded from its workspace.
          k: Number of candidates, at most `max_k`.
          at: Time of the request, or "now". By default just after the newest interaction of the history; for a query of
            a log that has a row of the last 30 days, now. A model that does not use times ignores it.
          exclude: Candidates to leave out, in addition to the history.
          allow: Candidates to choose from; by default all.
          include_seen: Whether items of the history may be recommended. By default as the gates do.
          features: Value by name of the query's features; a list for a multi_category feature. They replace the log's.
          context: Value by name of the features that only the request has, see `context_features`.
          filter: Rule by attribute of the candidates, such as `{"genres": {"any": ["Comedy"]}, "year": {"min": 1990}}`,
            with `any` and `none` for categories, and `min` and `max` for numbers. `index.filters` of the config
            declares the attributes.
          diversity: 0 orders by relevance, 1 by difference from the candidates before (maximal marginal relevance).
          boost: Objects `{"where": FILTER, "ids": [...], "factor": 2}` with `where` or `ids` or both. Factor 2 doubles
            the odds of such candidates, .5 halves them. All attributes of the catalogue may be named.
          promote: Objects `{"where": FILTER, "ids": [...], "at_least": 2}`: the minimum number of places for such
            candidates. With one of these rules, `k` may be up to `index.pool`.

        Raises:
          BadInputError: There is neither a history nor a query, or an argument is wrong.

        Examples:
          >>> answer = model.recommend(history=[("50", "1998-04-01"), ("172", "1998-04-02")], k=3, at="1998-05-01")
          >>> answer.as_of
          '1998-05-01 00:00:00 UTC'
          >>> [row.rank for row in answer], answer[0].near in ("50", "172")
          ([1, 2, 3], True)
        """
        query_id = None if query is None else ids.id_text(query, "query")
        moment = moments.given(at)
        notes: tuple[str, ...] = ()
        known: dict[str, Any] = {}
        item_features: dict[str, list[Any]] = {}
        if history is not None:
            items = ids.reiterable(history)
            pairs, item_features = ids.pairs(items), ids.item_features(items)
            moment = moment or moments.after(pairs)
        elif query_id is not None:
            catalogue = f"the catalogue of version {self.version}"
            asked = self._source("query").request(query_id, self.titles, moment, catalogue)
            pairs, moment, known, notes = asked.query.history, asked.as_of, asked.query.features, asked.notes
            item_features = asked.query.features_of_items(self.history_features)
        else:
            raise BadInputError.from_parts("recommend", "history or query", "neither", "a new query is history=[]")
        asked_for: dict[str, Any] = {
            "query_id": query_id,
            "history": pairs,
            "k": k,
            "exclude_seen": None if include_seen is None else not include_seen,
            "query_features": {**known, **(features or {})},
            "query_time": moment.time,
            "exclude": ids.id_texts(exclude, "exclude"),
            "allow": ids.id_texts(allow, "allow"),
            "item_features": item_features,
            "context": context,
        }
        if any(rule is not None for rule in (filter, diversity, boost, promote)):
            rules = filtered.parse(self.path, k, filter=filter, diversity=diversity, boost=boost, promote=promote)
            found = self._ruled.recommend(self._recommender.request(**asked_for), rules, k, self.titles)
        else:
            found = self._recommender.recommend(**asked_for, candidates_titles=self.titles)
        history_ids = [item for item, _ in pairs]
        return Recommendations(
            tuple(with_near(self._recommender, found, history_ids, self.titles)),
            self.version,
            moment.text if self._recommender.uses_times else None,
            (*notes, *self._unknown_note(history_ids)),
        )

    def similar(
        self,
        candidate: Id | Iterable[Id],
        k: int = 10,
        *,
        filter: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Recommendations:
        """Returns the candidates that are nearest to one, or to the mean of several, by the cosine of embeddings.

        Answers longer than `index.pool`, and those of versions before 0.2, embed the whole catalogue at the first call.

        Args:
          candidate: Id of a candidate, or several. They are not in the answer.
          k: Number of candidates, 1 or more.
          filter: See `recommend`; `k` may then be up to `index.pool`.

        Raises:
          BadInputError: The model does not know a candidate.

        Examples:
          >>> similar = model.similar(["50", "172"], k=4)
          >>> len(similar), "50" in similar.ids
          (4, False)
        """
        several = isinstance(candidate, Iterable) and not isinstance(candidate, str)
        wanted = ids.id_texts(candidate if several else [candidate], "candidate")  # type: ignore[arg-type]
        if not wanted or k < 1:
            raise BadInputError.from_parts("similar", "a candidate and k of 1 or more", f"{wanted} and {k}")
        is_served = self.catalogue is not None and self._recommender.has_signature(filtered.SIMILAR)
        if filter is not None or (is_served and k <= self._recommender.index["pool"]):
            return self._similar_served(wanted, k, filter)
        corpus_ids, vectors = self._corpus
        rows = [bisect.bisect_left(corpus_ids, item) for item in wanted]
        for item, row in zip(wanted, rows, strict=True):
            if corpus_ids[row : row + 1] != [item]:
                raise self._unknown_candidate(item)
        found, cosines = similarity.nearest(vectors, rows, k)
        return Recommendations(
            tuple(
                Recommendation(rank, corpus_ids[row], float(cosine), self.titles.get(corpus_ids[row]))
                for rank, (row, cosine) in enumerate(zip(found, cosines, strict=True), start=1)
            ),
            self.version,
        )

    def _similar_served(self, wanted: list[str], k: int, filter: object) -> Recommendations:
        conditions = filtered.parse(self.path, k, filter=filter).filter
        unknown = [item for item in wanted if item not in self.titles]
        if unknown:
            raise self._unknown_candidate(unknown[0])
        found = self._ruled.similar(wanted, k, conditions)
        return Recommendations(
            tuple(
                Recommendation(rank, item, cosine, self.titles.get(item))
                for rank, (item, cosine) in enumerate(found, start=1)
            ),
            self.version,
        )

    @functools.cached_property
    def _ruled(self) -> filtered.RuledRecommender:
        # `filtered.parse` refuses a version without a catalogue.
        assert self.catalogue is not None
        return filtered.RuledRecommender(self._recommender, self.catalogue)

    def embed_queries(
        self,
        histories: Sequence[Iterable[Interaction]],
        *,
        queries: Sequence[Id] | None = None,
        at: Time | None = None,
        features: Sequence[Mapping[str, Any]] | None = None,
        contexts: Sequence[Mapping[str, Any]] | None = None,
    ) -> FloatArray:
        """Returns embeddings of queries, float32 [num_queries, embedding_dim].

        The dot product with a candidate's embedding is its score.

        Args:
          histories: Interactions of each query, oldest first.
          queries: Ids, one per query.
          at: Time of all requests; by default just after the newest interaction of each history.
          features: Value by name, one mapping per query.
          contexts: Value of the request by name, one mapping per query.

        Raises:
          BadInputError: An argument is wrong.

        Examples:
          >>> model.embed_queries([["50", "172"], []]).shape
          (2, 64)
        """
        rows = embeddings.query_rows(self._recommender, histories, queries, at, features, contexts)
        return self._recommender.embed_queries(rows)

    def embed_candidates(self, candidates: Iterable[Id] | Iterable[Mapping[str, Any]] | pd.DataFrame) -> FloatArray:
        """Returns embeddings of candidates, float32 [num_candidates, embedding_dim].

        Args:
          candidates: Ids of the catalogue; or descriptions, also of candidates that the model does not know. A
            description has the features by name, a list for a multi_category feature, and `candidate_id` if there is
            one. A table has one description per row.

        Raises:
          BadInputError: The model does not know an id or a feature, or a value has a wrong type.

        Examples:
          >>> model.embed_candidates([{"title": "Alien (1979)", "genres": ["Horror", "Sci-Fi"]}]).shape
          (1, 64)
        """
        return embeddings.of_candidates(self._recommender, self._unknown_candidate, candidates)

    def _source(self, name: str) -> ModelLog:
        if self._log is None:
            raise BadInputError.from_parts(
                name, "a model that was loaded from its workspace", f"one from {self.path}", "give history instead"
            )
        return self._log

    def _unknown_note(self, history_ids: Sequence[str]) -> list[str]:
        unknown = self._recommender.unknown_candidates(list(dict.fromkeys(history_ids)))
        if not unknown:
            return []
        return [f"The model does not know {listed(unknown, _NAMED)}."]

    def _unknown_candidate(self, item: str) -> BadInputError:
        return ids.unknown_candidate(item, self.titles)

    @functools.cached_property
    def _corpus(self) -> tuple[list[str], FloatArray]:
        """Sorted ids of the candidates that the model knows, and [corpus_size, embedding_dim] unit embeddings."""
        return embeddings.of_corpus(self._recommender, self.titles)
