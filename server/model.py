"""A version in memory: the model, its catalogue, and what an answer adds to the model's."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from shortlist import keys, model_files
from shortlist.errors import BadInputError
from shortlist.serving import client, similarity, versions
from shortlist.serving.catalogue import Catalogue
from shortlist.serving.evaluation import ServedEvaluation

RECOMMEND = "recommend"
_EMBED_BATCH = 4096
_FIXED_INPUTS = frozenset(
    {keys.QUERY_ID, keys.HISTORY_IDS, keys.HISTORY_TIMES, keys.QUERY_TIME, keys.K, keys.EXCLUDE, keys.ALLOW}
)
_HISTORY_PREFIX = "history_"
_CONTEXT_PREFIX = "context_"
_MAX_INT64 = 2**63


@dataclasses.dataclass(frozen=True)
class Question:
    """A request, as the model is asked it."""

    row: Mapping[str, Any]
    """Values by input of the signature, see `shortlist.serving.client.signature_inputs`."""

    history_ids: tuple[str, ...] = ()
    """Candidate ids of the history, oldest first, for `near`."""

    k: int = 10
    """Number of candidates."""


@dataclasses.dataclass(frozen=True)
class Item:
    """One candidate of an answer."""

    id: str
    title: str | None
    score: float | None
    near: str | None = None


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer to one question."""

    items: list[Item]
    fallback: str | None = None
    """`popularity` if the model had no answer; None otherwise."""

    unknown_ids: int = 0
    """Items of the history that the model does not know."""


class LoadedModel:
    """One version, ready for requests. All methods can be called from several threads."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Checks and loads a version.

        Args:
          folder: The folder of the version.

        Raises:
          BadInputError: The version is damaged, or incomplete, or Shortlist did not write it.
        """
        damage = versions.find_damage(folder, with_variables=True)
        if damage is not None:
            raise BadInputError.from_parts(folder, "a complete version", damage, "push it again")
        self.folder = folder
        self.version = folder.name
        self.index = client.index_of(folder)
        self.max_k = int(self.index["k"])
        self.saved = client.load_served(folder)
        self.signatures: Mapping[str, Any] = self.saved.signatures
        self.catalogue = Catalogue.of_version(folder)
        self.evaluation = ServedEvaluation.of_version(folder)
        self.uses_times = model_files.uses_times(folder)
        self.excludes_seen = bool(self.index.get("exclude_seen", True))
        try:
            self._signature = self.signatures[RECOMMEND]
            self.specs: Mapping[str, Any] = self._signature.structured_input_signature[1]
            trained = self.saved.trained
            self.ids = [item.decode("utf-8", "replace") for item in trained.candidate_ids.numpy()]
            self._unit = similarity.unit(np.asarray(trained.candidate_embeddings))
            # A model that an older version trained has no counts.
            counts = trained.candidate_counts.numpy() if hasattr(trained, "candidate_counts") else np.zeros(0)
        except (AttributeError, KeyError) as error:
            raise BadInputError.from_parts(folder, "a model that Shortlist wrote", f"one without {error}") from None
        self._rows = {item: row for row, item in enumerate(self.ids)}
        # Most frequent first, ties in the order of the catalogue.
        self.popular_rows = np.argsort(-counts, kind="stable") if len(counts) == len(self.ids) else None
        titles = None if self.catalogue is None or not self.catalogue.has_titles else self.catalogue.titles.to_pylist()
        self._titles: list[str | None] | None = titles if titles and len(titles) == len(self.ids) else None
        self.loaded_at = time.time()

    @property
    def pushed_at(self) -> float:
        """When the version was pushed, seconds since 1970."""
        return self.folder.stat().st_mtime if int(self.version) < 1e9 else float(self.version)

    def row_of(self, candidate_id: str) -> int | None:
        """Returns the row of a candidate; None if the model does not know it."""
        return self._rows.get(candidate_id)

    def title_of(self, row: int) -> str | None:
        """Returns the title of a row; None if it has none."""
        return None if self._titles is None else self._titles[row]

    @property
    def titles(self) -> Sequence[str | None] | None:
        """[corpus_size] titles; None without titles."""
        return self._titles

    def inputs_of_context(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Returns values by input of the signature for features of the query and of the request.

        Raises:
          BadInputError: The model has no such feature, or a value has a wrong type.
        """
        found = {}
        for name, value in context.items():
            key = _CONTEXT_PREFIX + name if _CONTEXT_PREFIX + name in self.specs else name
            if key not in self.specs or key in _FIXED_INPUTS or key.startswith(_HISTORY_PREFIX):
                raise BadInputError(f"the model has no feature {name!r}; it has {self.context_features}")
            found[key] = checked_value(name, self.specs[key], value)
        return found

    @property
    def context_features(self) -> list[str]:
        """Names that `inputs_of_context` takes."""
        names = [
            name
            for name in self.specs
            if name not in _FIXED_INPUTS and not name.startswith((_HISTORY_PREFIX, "filter_"))
        ]
        return sorted(name.removeprefix(_CONTEXT_PREFIX) for name in names)

    def inputs_of_events(self, features: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
        """Returns lists by input of the signature for features of the history's interactions.

        Raises:
          BadInputError: The model has no such feature, or a value has a wrong type.
        """
        columns: dict[str, list[Any]] = {}
        for position, row in enumerate(features):
            for name, value in row.items():
                key = _HISTORY_PREFIX + name
                if key not in self.specs or key in _FIXED_INPUTS:
                    raise BadInputError(f"the model has no feature {name!r} of interactions")
                missing = float("nan") if self.specs[key].dtype.is_floating else _zero(self.specs[key])
                column = columns.setdefault(key, [missing] * len(features))
                column[position] = missing if value is None else checked_value(name, self.specs[key], value)
        return columns

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Returns an answer per question."""
        outputs = self._signature(**client.signature_inputs(self.specs, [question.row for question in questions]))
        counts = outputs[keys.COUNT].numpy().tolist()
        ids, scores = outputs[keys.IDS].numpy(), outputs[keys.SCORES].numpy()
        return [
            self._answer(question, ids[line, :count], scores[line, :count])
            for line, (question, count) in enumerate(zip(questions, counts, strict=True))
        ]

    def _answer(self, question: Question, ids: npt.NDArray[np.object_], scores: npt.NDArray[np.float32]) -> Answer:
        history = [self._rows.get(item) for item in question.history_ids]
        unknown = history.count(None)
        if not len(ids):
            popular = self.popular(question)
            return Answer(popular, "popularity" if popular else None, unknown)
        rows = [self._rows[item.decode("utf-8", "replace")] for item in ids]
        near = self._near(rows, [row for row in history if row is not None])
        items = [
            Item(self.ids[row], self.title_of(row), score, None if position is None else self.ids[position])
            for row, score, position in zip(rows, scores.tolist(), near, strict=True)
        ]
        return Answer(items, None, unknown)

    def _near(self, rows: Sequence[int], history: Sequence[int]) -> list[int | None]:
        """Returns per row the history's row with the highest cosine; of equal ones the newest."""
        # The newest first, because argmax takes the first of equal ones.
        items = np.array(list(dict.fromkeys(reversed(history))), np.int64)
        if not len(items):
            return [None] * len(rows)
        cosines = self._unit[np.asarray(rows)] @ self._unit[items].T
        cosines[np.asarray(rows)[:, None] == items] = -np.inf
        best = cosines.argmax(axis=1)
        return [int(items[column]) if np.isfinite(cosines[line, column]) else None for line, column in enumerate(best)]

    def popular(self, question: Question) -> list[Item]:
        """Returns the most popular candidates that a question permits; none for a model without counts."""
        if self.popular_rows is None:
            return []
        excluded = set(question.row.get(keys.EXCLUDE) or ())
        allowed = set(question.row.get(keys.ALLOW) or ())
        items: list[Item] = []
        for row in self.popular_rows:
            candidate = self.ids[row]
            if candidate not in excluded and (not allowed or candidate in allowed):
                items.append(Item(candidate, self.title_of(row), None))
                if len(items) == question.k:
                    break
        return items

    def embeddings_of(self, rows: Sequence[int]) -> npt.NDArray[np.float32]:
        """Returns [num_rows, embedding_dim] embeddings of length 1."""
        return np.asarray(self._unit[np.asarray(rows, np.int64)])

    def similar(self, rows: Sequence[int], k: int) -> list[Item]:
        """Returns the candidates nearest to the mean of some, best first, without these."""
        found, cosines = similarity.nearest(self._unit, rows, k)
        return [
            Item(self.ids[row], self.title_of(int(row)), float(cosine))
            for row, cosine in zip(found, cosines, strict=True)
        ]


def checked_value(name: str, spec: Any, value: Any) -> Any:
    """Returns a value of a feature if its type fits the input.

    It is checked per request, since in a batch it would spoil the answers of others.

    Raises:
      BadInputError: It does not fit.
    """
    values = value if isinstance(value, list) else [value]
    if spec.dtype.is_floating:
        kind, fits = "numbers", all(isinstance(item, float | int) and not isinstance(item, bool) for item in values)
    elif spec.dtype.is_integer:
        kind = "whole numbers"
        fits = all(isinstance(item, int) and not isinstance(item, bool) and abs(item) < _MAX_INT64 for item in values)
    else:
        kind, fits = "strings", all(isinstance(item, str) for item in values)
    if value is not None and not fits:
        raise BadInputError(f"{name} takes {kind}; got {value!r}"[:300])
    return value


def _zero(spec: Any) -> Any:
    return 0 if spec.dtype.is_integer else ""
