"""A version in memory: the model, its candidates, and the answers to requests."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from server import features
from server.attributes import Attributes, Overrides
from server.corpus import Corpus, Item
from server.question import Answer, Question
from server.search import Found, RuledSearch
from shortlist import keys, model_files
from shortlist.errors import BadInputError
from shortlist.serving import input_tensors, served_model, versions
from shortlist.serving.catalogue import Catalogue
from shortlist.serving.evaluation import ServedEvaluation

RECOMMEND = "recommend"
# The Pusher numbers versions by time; smaller numbers are someone else's.
_FIRST_TIME = 1e9
_LOGGER = logging.getLogger("shortlist.server")


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
        self.index = served_model.index_of(folder)
        self.max_k = int(self.index["k"])
        self.saved = served_model.load_served(folder)
        self.signatures: Mapping[str, Any] = self.saved.signatures
        catalogue = Catalogue.of_version(folder)
        self.evaluation = ServedEvaluation.of_version(folder)
        self.uses_times = model_files.uses_times(folder)
        self.excludes_seen = bool(self.index.get("exclude_seen", True))
        try:
            self._recommend = self.signatures[RECOMMEND]
            self.corpus = Corpus(self.saved.trained, catalogue)
            self._search = RuledSearch(self.signatures, self.corpus, self.index, model_files.temperature(folder))
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

    @property
    def filters(self) -> frozenset[str]:
        """The attributes that the model itself filters by."""
        return frozenset(self.index.get("filters", ()))

    @property
    def pool(self) -> int:
        """Longest answer of its signatures `recommend_filtered` and `similar`."""
        return max(self.max_k, int(self.index.get("pool", self.max_k)))

    @property
    def own_kinds(self) -> Mapping[str, str]:
        """Kinds of the attributes that the version has without today's."""
        return self._own_attributes.kinds

    def override(self, table: Overrides) -> None:
        """Takes today's attributes.

        Raises:
          BadInputError: One is of another kind than the version's own.
        """
        table.check(self.own_kinds)
        self.attributes = self._own_attributes.overridden(table, self.corpus.rows)

    def answer(self, questions: Sequence[Question]) -> list[Answer | BadInputError]:
        """Returns an answer per question.

        If the model fails at a question, its answer is the popularity list. A question with a wrong value gets an
        error: a popularity list would hide the client's fault.
        """
        try:
            return [*self._answers([self._without_unknown(question) for question in questions])]
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
        found = self._search.search(questions, attributes)
        return [self._marked(question, one) for question, one in zip(questions, found, strict=True)]

    def _marked(self, question: Question, found: Found) -> Answer:
        answer = self._answer(question, found.rows, found.scores)
        if answer.fallback is not None or found.places is None:
            return answer
        items = [
            dataclasses.replace(item, promoted=place.is_promoted, boost=place.boost)
            for item, place in zip(answer.items, found.places, strict=True)
        ]
        return dataclasses.replace(answer, items=items)

    def _inputs(self, signature: Any, questions: Sequence[Question]) -> dict[str, Any]:
        specs = signature.structured_input_signature[1]
        return input_tensors.signature_inputs(specs, [question.row for question in questions])

    def _without_unknown(self, question: Question) -> Question:
        """Returns the question without items that the model does not know, as the pipeline's own `recommend` asks it.

        `history_ids` keeps them, since they are counted.
        """
        is_known = [item in self.corpus.rows for item in question.row.get(keys.HISTORY_IDS) or ()]
        if all(is_known):
            return question
        of_items = [name for name in question.row if name.startswith(keys.HISTORY_FEATURE)]
        row = {name: list(itertools.compress(question.row[name], is_known)) for name in of_items}
        return dataclasses.replace(question, row={**question.row, **row})

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
        popular = self.corpus.popular(self._search.passed(question, self.attributes), question.k)
        return Answer(popular, "popularity" if popular else None, unknown)
