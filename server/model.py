"""A version in memory: the model, its candidates, and the answers to requests."""

from __future__ import annotations

import dataclasses
import logging
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from server import features
from server.attributes import Attributes, Overrides
from server.corpus import Corpus, Item
from shortlist import keys, model_files
from shortlist.errors import BadInputError
from shortlist.serving import client, similarity, versions
from shortlist.serving.catalogue import Catalogue
from shortlist.serving.evaluation import ServedEvaluation
from shortlist.serving.rerank import Pool, Rerank, rerank
from shortlist.serving.rules import Filter

RECOMMEND = "recommend"
_QUERY_EMBEDDING = "query_embedding"
_POOL = 500
# The Pusher numbers versions by time; smaller numbers are someone else's.
_FIRST_TIME = 1e9
_LOGGER = logging.getLogger("shortlist.server")


@dataclasses.dataclass(frozen=True)
class Question:
    """A request, as the model is asked it."""

    row: Mapping[str, Any]
    """Values by input of the signature, see `shortlist.serving.client.signature_inputs`."""

    history_ids: tuple[str, ...] = ()
    """Candidate ids of the history, oldest first, for `near`."""

    k: int = 10
    """Number of candidates."""

    filter: Filter = dataclasses.field(default_factory=dict)
    """Rules by attribute that every candidate passes."""

    rerank: Rerank = dataclasses.field(default_factory=Rerank)
    """Diversity, boosts and promotions."""

    @property
    def has_rules(self) -> bool:
        """Whether the best candidates alone are no answer."""
        return bool(self.filter) or not self.rerank.is_empty


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer to one question."""

    items: list[Item]
    fallback: str | None = None
    """`popularity` if the model had no answer; None otherwise."""

    unknown_ids: int = 0
    """Items of the history that the model does not know."""


def number_of(version: str) -> int:
    """Returns the number of a version; 0 for a folder with another name, which can be served alone."""
    return int(version) if version.isascii() and version.isdigit() else 0


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
        catalogue = Catalogue.of_version(folder)
        self.evaluation = ServedEvaluation.of_version(folder)
        self.uses_times = model_files.uses_times(folder)
        self.temperature = model_files.temperature(folder)
        self.excludes_seen = bool(self.index.get("exclude_seen", True))
        try:
            self._recommend = self.signatures[RECOMMEND]
            self._embed = self.signatures[_QUERY_EMBEDDING]
            self.corpus = Corpus(self.saved.trained, catalogue)
        except (AttributeError, KeyError) as error:
            raise BadInputError.from_parts(folder, "a model that Shortlist wrote", f"one without {error}") from None
        self.features = features.Features(self._recommend.structured_input_signature[1])
        self._own_attributes = Attributes.of_version(catalogue, len(self.corpus.ids))
        self.attributes = self._own_attributes
        # Read now: the folder may be deleted while the version still answers.
        self.pushed_at = max(float(number_of(self.version)), _FIRST_TIME)
        if self.pushed_at == _FIRST_TIME:
            self.pushed_at = folder.stat().st_mtime
        """When the version was pushed, seconds since 1970."""

    def override(self, table: Overrides) -> None:
        """Takes today's attributes."""
        self.attributes = self._own_attributes.overridden(table, self.corpus.rows)

    def answer(self, questions: Sequence[Question]) -> list[Answer | BadInputError]:
        """Returns an answer per question.

        If the model fails at a question, its answer is the popularity list. A question with a wrong value gets an
        error: a popularity list would hide the client's fault.
        """
        try:
            return [*self._answers(questions)]
        except Exception as error:
            if len(questions) == 1 and isinstance(error, BadInputError):
                return [error]
            if len(questions) == 1:
                _LOGGER.warning("The model failed, and the answer is the popularity list: %s", error)
                return [self._fallback(questions[0], self._rows_of_history(questions[0]).count(None))]
            # One of them spoils the call; the others get their answers.
            return [self.answer([question])[0] for question in questions]

    def _answers(self, questions: Sequence[Question]) -> list[Answer]:
        # The attributes may be replaced meanwhile.
        attributes = self.attributes
        ruled = [question for question in questions if question.has_rules]
        plain = [question for question in questions if not question.has_rules]
        by_rules = iter(self._answer_by_rules(ruled, attributes) if ruled else ())
        by_model = iter(self._answer_by_model(plain) if plain else ())
        return [next(by_rules if question.has_rules else by_model) for question in questions]

    def _answer_by_model(self, questions: Sequence[Question]) -> list[Answer]:
        outputs = self._recommend(**self._inputs(self._recommend, questions))
        counts = outputs[keys.COUNT].numpy().tolist()
        ids, scores = outputs[keys.IDS].numpy(), outputs[keys.SCORES].numpy()
        rows = self.corpus.rows
        return [
            self._answer(
                question,
                [rows[item.decode("utf-8", "replace")] for item in ids[line, :count]],
                scores[line, :count].tolist(),
            )
            for line, (question, count) in enumerate(zip(questions, counts, strict=True))
        ]

    def _answer_by_rules(self, questions: Sequence[Question], attributes: Attributes) -> list[Answer]:
        """Searches exactly among the candidates that pass, and re-ranks the best."""
        embeddings = self._embed(**self._inputs(self._embed, questions))[keys.EMBEDDING].numpy()
        # One by one: a matrix of scores would take gigabytes for a large batch and catalogue.
        return [
            self._ruled(question, self.corpus.embeddings @ embedding, attributes)
            for question, embedding in zip(questions, embeddings, strict=True)
        ]

    def _ruled(self, question: Question, scores: npt.NDArray[np.float32], attributes: Attributes) -> Answer:
        passed = self._passed(question, attributes)
        assert passed is not None
        scores[~passed] = -np.inf
        if question.rerank.is_empty:
            best = similarity.top_rows(scores, question.k).tolist()
            return self._answer(question, best, scores[best].tolist())
        best = similarity.top_rows(scores, max(question.k, int(self.index.get("pool", _POOL))))
        # A promotion may choose candidates that are not among the best.
        wanted = np.zeros(len(scores), np.bool_)
        for promotion in question.rerank.promotions:
            wanted |= self._meets(promotion.condition, attributes)
        wanted[best] = False
        extra = similarity.top_rows(
            np.where(wanted, scores, -np.inf), sum(rule.at_least for rule in question.rerank.promotions)
        )
        rows = np.array([*best, *extra], np.int64)
        pool = Pool(
            [self.corpus.ids[row] for row in rows],
            scores[rows],
            self.corpus.embeddings[rows],
            attributes.of_rows(sorted(question.rerank.attributes), rows),
            self.temperature,
            len(extra),
        )
        places = rerank(pool, question.rerank, question.k)
        chosen = [int(rows[place.row]) for place in places]
        answer = self._answer(question, chosen, [float(scores[row]) for row in chosen])
        if answer.fallback is not None:
            return answer
        items = [
            dataclasses.replace(item, promoted=place.is_promoted, boost=place.boost)
            for item, place in zip(answer.items, places, strict=True)
        ]
        return dataclasses.replace(answer, items=items)

    def _meets(self, condition: Any, attributes: Attributes) -> npt.NDArray[np.bool_]:
        met = attributes.mask(condition.filter)
        return met & self._mask_of(condition.ids) if condition.ids else met

    def _mask_of(self, ids: Any) -> npt.NDArray[np.bool_]:
        mask = np.zeros(len(self.corpus.ids), np.bool_)
        mask[[row for row in map(self.corpus.rows.get, ids) if row is not None]] = True
        return mask

    def _passed(self, question: Question, attributes: Attributes) -> npt.NDArray[np.bool_] | None:
        """Returns the candidates that a question permits, bool [corpus_size]; None for all."""
        excluded, allowed = question.row.get(keys.EXCLUDE), question.row.get(keys.ALLOW)
        if not excluded and not allowed and not question.has_rules:
            return None
        passed = attributes.mask(question.filter)
        if allowed:
            passed &= self._mask_of(allowed)
        if excluded:
            passed &= ~self._mask_of(excluded)
        return passed

    def _inputs(self, signature: Any, questions: Sequence[Question]) -> dict[str, Any]:
        specs = signature.structured_input_signature[1]
        return client.signature_inputs(specs, [question.row for question in questions])

    def _rows_of_history(self, question: Question) -> list[int | None]:
        return [self.corpus.rows.get(item) for item in question.history_ids]

    def _answer(self, question: Question, rows: list[int], scores: list[float]) -> Answer:
        history = self._rows_of_history(question)
        unknown = history.count(None)
        if not rows:
            return self._fallback(question, unknown)
        near = self.corpus.near(rows, [row for row in history if row is not None])
        items = [
            Item(self.corpus.ids[row], self.corpus.title(row), score, closest)
            for row, score, closest in zip(rows, scores, near, strict=True)
        ]
        return Answer(items, None, unknown)

    def _fallback(self, question: Question, unknown: int) -> Answer:
        popular = self.corpus.popular(self._passed(question, self.attributes), question.k)
        return Answer(popular, "popularity" if popular else None, unknown)
