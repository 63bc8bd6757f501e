"""Search under the rules of requests: by the model's index where that is quicker, else exactly among what passes.

Today's attributes decide what passes. The model itself filters by the attributes of `index.filters`, with the values
that they had at the push. An attribute that the table `serve.attributes` has is therefore not left to the model: more
candidates are fetched from it, and those that pass today are kept. If they are too few, all that pass are scored. The
best of what was fetched contain the best that pass, so both ways have the same answer, up to the index's recall.

Where few pass, the index would have to go deeper than `index.pool`. Exact search of what passes is then quicker, also
for attributes that the model has.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from server.attributes import Attributes
from server.corpus import Corpus
from server.question import Question
from shortlist import keys
from shortlist.serving import input_tensors, rerank, rules, similarity
from shortlist.serving.filtered import RECOMMEND_FILTERED

QUERY_EMBEDDING = "query_embedding"
# Versions before `index.pool` have none.
_POOL = 500
# The share that passes among the fetched ones differs by query. With this factor, few queries need a second search.
_SPARE = 2.0
# Up to this share of the candidates, gathering those that pass is quicker than scoring all. Measured at 200,000
# candidates of 64 dimensions: 2.6 ms per query for a tenth, 0.6 ms for a thousandth, 6.4 ms for a half.
_MAX_GATHERED = 0.125

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Found:
    """The answer to one question."""

    rows: list[int]
    """Rows of the corpus, best first."""
    scores: list[float]
    """The model's score of each row."""
    places: list[rerank.Place] | None = None
    """The effect of boosts and promotions per row; None without re-ranking."""


@dataclasses.dataclass(frozen=True)
class _Plan:
    """The search for one question."""

    width: int
    """Number of candidates to find: the request's k, or the size of the pool for re-ranking."""
    fetch: int
    """Number of candidates to ask the model for; 0 for exact search."""
    by_model: rules.Filter
    """The part of the filter that the model applies."""
    passed: Mask
    """[corpus_size] candidates that may be in the answer."""


def left_to_model(wanted: rules.Filter, declared: frozenset[str], attributes: Attributes) -> rules.Filter:
    """Returns the part of a filter that the model applies itself.

    Args:
      wanted: The filter.
      declared: The attributes that the model filters by.
      attributes: Today's attributes, which the model does not know.
    """
    return {name: rule for name, rule in wanted.items() if name in declared - attributes.of_today}


def num_to_fetch(width: int, num_passed: int, by_model: rules.Filter, attributes: Attributes, pool: int) -> int:
    """Returns how many candidates to ask the model for, so that enough of them pass the rest of the filter.

    Args:
      width: Number of candidates to find.
      num_passed: Number of candidates that pass the whole filter, one or more.
      by_model: The part of the filter that the model applies.
      attributes: Today's attributes.
      pool: Longest answer of the model.
    """
    num_by_model = int(attributes.mask(by_model).sum())
    return min(math.ceil(_SPARE * width * num_by_model / num_passed), pool)


class RuledSearch:
    """Searches the candidates of a version. All methods can be called from several threads."""

    def __init__(
        self, signatures: Mapping[str, Any], corpus: Corpus, index: Mapping[str, Any], temperature: float
    ) -> None:
        """Takes a loaded version.

        Args:
          signatures: Its signatures.
          corpus: Its candidates.
          index: Its `assets.extra/index.json`.
          temperature: The temperature of its loss.

        Raises:
          KeyError: It is no model of Shortlist.
        """
        self._embed = signatures[QUERY_EMBEDDING]
        self._corpus = corpus
        self._temperature = temperature
        self._pool = int(index.get("pool", _POOL))
        # An exact index has nothing to gain: it also scores what passes.
        self._filtered = signatures.get(RECOMMEND_FILTERED) if index["kind"] == "scann" else None
        self._declared = frozenset(index.get("filters", ()))

    def search(self, questions: Sequence[Question], attributes: Attributes) -> list[Found]:
        """Returns the answers to questions with rules.

        Args:
          questions: One or more.
          attributes: Today's attributes.
        """
        plans = [self._plan(question, attributes) for question in questions]
        best = self._from_index(questions, plans)
        exact = [number for number, found in enumerate(best) if found is None]
        promoting = [number for number, question in enumerate(questions) if question.rerank.promotions]
        wanted = sorted({*exact, *promoting})
        embeddings = dict(zip(wanted, self._embedded([questions[number] for number in wanted]), strict=True))
        answers = []
        # One by one: a matrix of scores would take gigabytes for a large batch and catalogue.
        for number, (question, plan) in enumerate(zip(questions, plans, strict=True)):
            found = best[number]
            if found is None:
                found = self._exactly(embeddings[number], plan.passed, plan.width)
            if question.rerank.is_empty:
                answers.append(Found(found[0].tolist(), found[1].tolist()))
            else:
                answers.append(self._reranked(question, found, embeddings.get(number), plan.passed, attributes))
        return answers

    def passed(self, question: Question, attributes: Attributes) -> Mask:
        """Returns the candidates that a question permits, bool [corpus_size]."""
        passed = attributes.mask(question.filter)
        excluded, allowed = question.row.get(keys.EXCLUDE), question.row.get(keys.ALLOW)
        if allowed:
            passed &= self._mask_of(allowed)
        if excluded:
            passed &= ~self._mask_of(excluded)
        return passed

    def _plan(self, question: Question, attributes: Attributes) -> _Plan:
        width = question.k if question.rerank.is_empty else max(question.k, self._pool)
        passed = self.passed(question, attributes)
        num_passed = int(passed.sum())
        by_model = left_to_model(question.filter, self._declared, attributes)
        # The best that pass are among so many of the best that are not excluded, on average.
        others = len(passed) - len(set(question.row.get(keys.EXCLUDE) or ()))
        depth = width * others / max(num_passed, 1)
        if self._filtered is None or num_passed <= width or depth > self._pool:
            return _Plan(width, 0, by_model, passed)
        fetch = width
        if len(by_model) < len(question.filter):
            fetch = num_to_fetch(width, num_passed, by_model, attributes, self._pool)
        return _Plan(width, fetch, by_model, passed)

    def _from_index(self, questions: Sequence[Question], plans: Sequence[_Plan]) -> list[tuple[Rows, Scores] | None]:
        """Returns the best candidates of each question by the model's index; None where they are too few."""
        best: list[tuple[Rows, Scores] | None] = [None] * len(questions)
        asked = [number for number, plan in enumerate(plans) if plan.fetch]
        if not asked or self._filtered is None:
            return best
        rows = [
            {**questions[number].row, keys.K: plans[number].fetch, **rules.signature_values(plans[number].by_model)}
            for number in asked
        ]
        outputs = self._filtered(**input_tensors.signature_inputs(self._filtered.structured_input_signature[1], rows))
        counts = outputs[keys.COUNT].numpy().tolist()
        ids, scores = outputs[keys.IDS].numpy(), outputs[keys.SCORES].numpy()
        for line, number in enumerate(asked):
            plan = plans[number]
            row_of = self._corpus.rows
            found = np.array([row_of[item.decode("utf-8", "replace")] for item in ids[line, : counts[line]]], np.int64)
            kept = np.flatnonzero(plan.passed[found])[: plan.width]
            # More than `width` pass, see `_plan`.
            if len(kept) == plan.width:
                best[number] = found[kept], scores[line, kept]
        return best

    def _embedded(self, questions: Sequence[Question]) -> Scores | list[Scores]:
        if not questions:
            return []
        specs = self._embed.structured_input_signature[1]
        inputs = input_tensors.signature_inputs(specs, [question.row for question in questions])
        return np.asarray(self._embed(**inputs)[keys.EMBEDDING].numpy())

    def _exactly(self, embedding: Scores, passed: Mask, width: int) -> tuple[Rows, Scores]:
        """Returns rows and scores of the best candidates that pass, best first, ties in the order of the corpus."""
        rows = np.flatnonzero(passed)
        if len(rows) <= _MAX_GATHERED * len(passed):
            scores = self._corpus.embeddings[rows] @ embedding
            best = similarity.top_rows(scores, width)
            return rows[best], scores[best]
        scores = self._corpus.embeddings @ embedding
        scores[~passed] = -np.inf
        best = similarity.top_rows(scores, width)
        return best, scores[best]

    def _reranked(
        self,
        question: Question,
        best: tuple[Rows, Scores],
        embedding: Scores | None,
        passed: Mask,
        attributes: Attributes,
    ) -> Found:
        rows, scores = best
        if embedding is not None:
            extra = self._promoted(question, rows, embedding, passed, attributes)
            rows, scores = np.concatenate([rows, extra[0]]), np.concatenate([scores, extra[1]])
        ranking = question.rerank
        pool = rerank.Pool(
            [self._corpus.ids[row] for row in rows],
            scores,
            self._corpus.embeddings[rows],
            attributes.of_rows(sorted(ranking.attributes), rows),
            self._temperature,
            len(rows) - len(best[0]),
        )
        places = rerank.rerank(pool, ranking, question.k)
        chosen = [place.row for place in places]
        return Found(rows[chosen].tolist(), scores[chosen].tolist(), places)

    def _promoted(
        self, question: Question, best: Rows, embedding: Scores, passed: Mask, attributes: Attributes
    ) -> tuple[Rows, Scores]:
        """Returns the candidates that promotions need and that are not among the best, with their scores."""
        others = passed.copy()
        others[best] = False
        found: dict[int, float] = {}
        for promotion in question.rerank.promotions:
            condition = promotion.condition
            met = others & attributes.mask(condition.filter)
            if condition.ids:
                met &= self._mask_of(condition.ids)
            rows, scores = self._exactly(embedding, met, promotion.at_least)
            found |= dict(zip(rows.tolist(), scores.tolist(), strict=True))
        ordered = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
        return np.array([row for row, _ in ordered], np.int64), np.array([score for _, score in ordered], np.float32)

    def _mask_of(self, ids: Iterable[str]) -> Mask:
        mask = np.zeros(len(self._corpus.ids), np.bool_)
        mask[[row for row in map(self._corpus.rows.get, ids) if row is not None]] = True
        return mask
