"""Client of a pushed model: loads it and requests recommendations."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from shortlist import keys, model_files
from shortlist.errors import BadInputError
from shortlist.serving import served_model
from shortlist.serving.input_tensors import FIXED_INPUTS, signature_inputs
from shortlist.serving.request_values import check_values, parse_value

if TYPE_CHECKING:
    import tensorflow as tf

FloatArray = npt.NDArray[np.float32]

_EMBED_CANDIDATES = "embed_candidates"


@dataclasses.dataclass(frozen=True)
class Recommendation:
    """One recommended candidate."""

    rank: int
    """Position in the list, 1 is the best."""
    id: str
    score: float
    title: str | None = None
    near: str | None = None
    """Id of the history's item that the candidate is closest to, see `shortlist.serving.near`."""
    near_title: str | None = None
    boost: float = 1.0
    """Product of the factors of the request's boosts that apply to the candidate."""
    promoted: bool = False
    """Whether a promotion of the request took this place from a better candidate."""


class Recommender:
    """A pushed model, loaded once for many requests."""

    def __init__(self, serving_path: str | os.PathLike[str]) -> None:
        """Loads a model.

        Args:
          serving_path: The folder of one version, or the folder of all versions, whose newest is used.

        Raises:
          BadInputError: The path has no pushed model, or one that Shortlist did not write, or a damaged one.
        """
        self.path = served_model.version_path(pathlib.Path(serving_path))
        served_model.check_files(self.path)
        self.index: dict[str, Any] = served_model.index_of(self.path)
        self._model = served_model.load_served(self.path)
        with served_model.raises_damaged(self.path):
            self._specs = self._model.signatures["recommend"].structured_input_signature[1]
            self.history_features, self.context_features = model_files.interaction_features(self.path)

    @property
    def query_features(self) -> list[str]:
        """Names of the model's query features."""
        return sorted(set(self._specs) - FIXED_INPUTS - set(self._interaction_inputs))

    @property
    def _interaction_inputs(self) -> list[str]:
        of_items = [keys.HISTORY_FEATURE + name for name in self.history_features]
        return [*of_items, *(keys.CONTEXT_FEATURE + name for name in self.context_features)]

    def interaction_inputs(
        self, item_features: Mapping[str, Sequence[Any]] | None, context: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Returns values by input name.

        Args:
          item_features: Values of the history's items by name of the feature, in the order of the items.
          context: Value of the request by name of the feature.

        Raises:
          BadInputError: The model has no such feature.
        """
        given = (
            (keys.HISTORY_FEATURE, "history", item_features or {}, self.history_features),
            (keys.CONTEXT_FEATURE, "context", context or {}, self.context_features),
        )
        found: dict[str, Any] = {}
        for prefix, kind, values, known in given:
            unknown = sorted(set(values) - set(known))
            if unknown:
                raise BadInputError(f"the model has no {kind} feature {unknown[0]!r}; it has {known}")
            found |= {prefix + name: value for name, value in values.items()}
        return found

    def typed_context(self, texts: Mapping[str, str], option: str) -> dict[str, Any]:
        """Returns the values of `context_features` that a user typed, see `request_values.parse_value`.

        Args:
          texts: Text by name of the feature.
          option: Name of the option, for messages.

        Raises:
          BadInputError: The model has no such feature, or a text is no value of it.
        """
        self.interaction_inputs(None, texts)
        return {
            name: parse_value(f"{option} {name}", self._specs[keys.CONTEXT_FEATURE + name], text)
            for name, text in texts.items()
        }

    @property
    def uses_times(self) -> bool:
        """Whether the model's answers depend on the time of the request; True for a model that does not record it."""
        return model_files.uses_times(self.path)

    def unknown_candidates(self, candidate_ids: Sequence[str]) -> list[str]:
        """Returns the ids that the model does not know, such as those of candidates newer than its catalogue."""
        known = self.embed_candidates(candidate_ids).any(axis=1)
        return [item for item, is_known in zip(candidate_ids, known, strict=True) if not is_known]

    def embed_candidates(self, candidate_ids: Sequence[str]) -> FloatArray:
        """Returns [num_candidates, embedding_dim] embeddings; zeros for a candidate that the model does not know."""
        import tensorflow as tf

        answer = self._model.signatures["candidate_embedding"](candidate_id=tf.constant(candidate_ids, tf.string))
        return np.asarray(answer[keys.EMBEDDING])

    def embed_described(self, rows: Sequence[Mapping[str, Any]]) -> FloatArray:
        """Returns [num_rows, embedding_dim] embeddings of candidates by their features, also of unknown ones.

        Args:
          rows: Per candidate, its `candidate_id` and its features by name; all may be absent.

        Raises:
          BadInputError: A feature is unknown, a value has a wrong type, or the model is of an older version, which has
            no such signature.
        """
        if _EMBED_CANDIDATES not in self._model.signatures:
            raise BadInputError.from_parts(
                self.path,
                "a model that embeds described candidates",
                "one of an earlier version",
                "run the pipeline again",
            )
        signature = self._model.signatures[_EMBED_CANDIDATES]
        specs = signature.structured_input_signature[1]
        unknown = sorted({name for row in rows for name in row} - set(specs))
        if unknown:
            names = sorted(set(specs) - {keys.CANDIDATE_ID})
            raise BadInputError(f"the model has no candidate feature {unknown[0]!r}; it has {names}")
        for row in rows:
            check_values(specs, row)
        return np.asarray(signature(**signature_inputs(specs, rows))[keys.EMBEDDING])

    def embed_queries(self, rows: Sequence[Mapping[str, Any]]) -> FloatArray:
        """Returns [num_rows, embedding_dim] embeddings of queries.

        Args:
          rows: Per query, values by input name, see `signature_inputs`.

        Raises:
          BadInputError: A feature is unknown, or a value has a wrong type.
        """
        signature = self._model.signatures["query_embedding"]
        specs = signature.structured_input_signature[1]
        for row in rows:
            self._check_features(set(row) - FIXED_INPUTS - set(self._interaction_inputs))
            check_values(_without_fixed(specs), row)
        return np.asarray(signature(**signature_inputs(specs, rows))[keys.EMBEDDING])

    def recommend(
        self,
        query_id: str | None = None,
        history: Sequence[str | tuple[str, int]] | None = None,
        k: int = 10,
        exclude_seen: bool | None = None,
        query_features: Mapping[str, Any] | None = None,
        candidates_titles: Mapping[str, str | None] | None = None,
        query_time: int | None = None,
        exclude: Sequence[str] = (),
        allow: Sequence[str] = (),
        item_features: Mapping[str, Sequence[Any]] | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> list[Recommendation]:
        """Returns recommendations for one query, best first.

        Args:
          query_id: Id of the query. For an unknown id, or none, only the history and the features are used.
          history: Candidate ids, or pairs of candidate id and timestamp, oldest first; unknown ids are skipped.
          k: Number of recommendations; fewer are returned if the corpus has no more.
          exclude_seen: Whether to leave the history out of the answer. Plain metrics describe answers without the
            history, metrics `_with_seen` those with it. By default as the gates do: without the history, unless the
            model was made with `evaluate.repeat_consumption`.
          query_features: Value by feature name; a list for multi_category features. Absent features, None and NaN count
            as missing; 0 is a number.
          candidates_titles: Title by candidate id.
          query_time: Time of the request in seconds, or in the interactions' own sequence numbers. By default the
            model ignores the times of the history, and `model.query_time` takes the end of train, as for any later
            time.
          exclude: Candidate ids to leave out, in addition to the history.
          allow: Candidate ids to choose from; empty for the whole corpus.
          item_features: Values of the history's items by name of `history_features`, in the order of the history; None
            and values behind the last one are missing.
          context: Value of the request by name of `context_features`.

        Raises:
          BadInputError: k exceeds `index.k` of the model, a feature is unknown, or a value has a wrong type.
        """
        served_model.check_k(k, self.index)
        row = self.request(
            query_id, history, k, exclude_seen, query_features, query_time, exclude, allow, item_features, context
        )
        titles = candidates_titles or {}
        return [
            Recommendation(rank, item, score, titles.get(item))
            for rank, (item, score) in enumerate(self.ask("recommend", row), start=1)
        ]

    def request(
        self,
        query_id: str | None,
        history: Sequence[str | tuple[str, int]] | None,
        k: int,
        exclude_seen: bool | None,
        query_features: Mapping[str, Any] | None,
        query_time: int | None,
        exclude: Sequence[str],
        allow: Sequence[str],
        item_features: Mapping[str, Sequence[Any]] | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Returns the inputs of `recommend` by name; see there."""
        features = dict(query_features or {})
        self._check_features(features)
        pairs = [(item, 0) if isinstance(item, str) else item for item in history or ()]
        if exclude_seen is None:
            exclude_seen = self.index.get("exclude_seen", True)
        ids, times = [item for item, _ in pairs], [int(time) for _, time in pairs]
        features |= self.interaction_inputs(item_features, context)
        check_values(_without_fixed(self._specs), features)
        return {
            **features,
            keys.QUERY_ID: query_id,
            keys.HISTORY_IDS: ids,
            keys.HISTORY_TIMES: times,
            keys.QUERY_TIME: query_time,
            keys.K: k,
            keys.EXCLUDE: [*(ids if exclude_seen else []), *exclude],
            keys.ALLOW: list(allow),
        }

    def has_signature(self, name: str) -> bool:
        """Returns whether the model has a signature; those of earlier versions lack some."""
        return name in self._model.signatures

    def ask(self, signature: str, row: Mapping[str, Any]) -> list[tuple[str, float]]:
        """Returns the candidates and scores that a signature answers to one request, best first.

        Args:
          signature: One that the model has: `recommend`, `recommend_filtered` or `similar`.
          row: Values by input name, see `signature_inputs`.
        """
        called = self._model.signatures[signature]
        answer = called(**signature_inputs(called.structured_input_signature[1], [row]))
        count = int(answer[keys.COUNT][0])
        ids, scores = answer[keys.IDS][0, :count].numpy(), answer[keys.SCORES][0, :count].numpy()
        return [(item.decode(), float(score)) for item, score in zip(ids, scores, strict=True)]

    def _check_features(self, names: Iterable[str]) -> None:
        unknown = sorted(set(names) - set(self.query_features))
        if unknown:
            raise BadInputError(f"the model has no query feature {unknown[0]!r}; it has {self.query_features}")


def _without_fixed(specs: Mapping[str, tf.TensorSpec]) -> dict[str, tf.TensorSpec]:
    return {name: spec for name, spec in specs.items() if name not in FIXED_INPUTS}
