"""Rules for every answer, and for the agreement of an index with its exact copy.

The module is plain Python, because the probe imports it.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Collection, Mapping, Sequence, Set

LOWEST = -3.4028234663852886e38
# Two kernels round a sum differently. The tolerance is relative to the largest score of the answer.
_TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Case:
    """A batch of requests with its rules for the answers; all lists have one entry per query."""

    name: str
    excluded: Sequence[Collection[str]]
    """Ids that must not be in the answer."""
    allowed: Sequence[Collection[str] | None]
    """The only ids that may be in the answer; None allows all."""
    limit: int
    """Maximal number of results per query."""


@dataclasses.dataclass(frozen=True)
class ServedAnswers:
    """Outputs of a signature for a batch of queries."""

    ids: Sequence[Sequence[str]]
    """[batch, k]"""
    scores: Sequence[Sequence[float]]
    """[batch, k]"""
    count: Sequence[int]
    """[batch]"""


def find_violations(case: Case, answers: ServedAnswers, corpus: Collection[str]) -> list[str]:
    """Returns a sentence for each rule that an answer breaks, with the first query that breaks it.

    Args:
      case: The requests.
      answers: The answers to them.
      corpus: All candidate ids.
    """
    # A copy of the corpus per query would take a second of each start with 200,000 candidates.
    known = corpus if isinstance(corpus, Set) else frozenset(corpus)
    violations: dict[str, int] = {}
    for row in range(len(answers.count)):
        eligible = _Eligible(known, frozenset(case.excluded[row]), case.allowed[row])
        for violation in _violations(answers, row, eligible, case.limit):
            violations.setdefault(violation, row)
    return [f"{case.name}: {text} (query {row} of {len(answers.count)})" for text, row in violations.items()]


class _Eligible:
    """The candidates that may be in one answer."""

    def __init__(self, corpus: Set[str], excluded: frozenset[str], allowed: Collection[str] | None) -> None:
        self._corpus = corpus if allowed is None else corpus & frozenset(allowed)
        self._excluded = excluded

    def __len__(self) -> int:
        return len(self._corpus) - len(self._corpus & self._excluded)

    def __contains__(self, item: str) -> bool:
        return item in self._corpus and item not in self._excluded


def _violations(answers: ServedAnswers, row: int, eligible: _Eligible, limit: int) -> list[str]:
    count, ids, scores = answers.count[row], answers.ids[row], answers.scores[row]
    result_ids, result_scores = ids[:count], scores[:count]
    expected = min(limit, len(ids), len(eligible))
    checks = {
        f"expected {expected} results, got {count}": count == expected,
        "an id is in the answer twice": len(set(result_ids)) == len(result_ids),
        "an id is in the answer that is excluded, not allowed or not in the corpus": all(
            item in eligible for item in result_ids
        ),
        "a score is not finite": all(map(math.isfinite, scores)),
        "the scores do not descend": all(first >= second for first, second in itertools.pairwise(result_scores)),
        "the padding is not empty": not any(ids[count:]) and all(score <= LOWEST for score in scores[count:]),
    }
    return [violation for violation, holds in checks.items() if not holds]


def disagreements(
    index: Mapping[str, ServedAnswers],
    exact: Mapping[str, ServedAnswers],
    min_overlap: float,
    overlap_cases: Collection[str],
) -> list[str]:
    """Returns the differences between the answers of an index and of its exact copy.

    Args:
      index: Answers by case.
      exact: The exact copy's answers to the same queries.
      min_overlap: Minimal mean share of the exact answer that the index has to return.
      overlap_cases: The cases with this check: those that resemble the queries that recall was measured on.
    """
    problems = [
        f"{name}: only one model ran this case, so their corpora differ" for name in index.keys() ^ exact.keys()
    ]
    for name in exact.keys() & index.keys():
        ours, theirs = index[name], exact[name]
        rows = range(len(theirs.count))
        if list(ours.count) != list(theirs.count):
            problems.append(f"{name}: the index and its exact copy return different numbers of results")
        elif not all(_same_scores(ours, theirs, row) for row in rows):
            problems.append(f"{name}: the index and its exact copy score the same candidate differently")
        elif name in overlap_cases:
            overlap = sum(_overlap(ours, theirs, row) for row in rows) / len(rows)
            if overlap < min_overlap:
                problems.append(
                    f"{name}: the index returns {overlap:.3f} of its exact copy's answer, expected {min_overlap:.3f}"
                )
    return problems


def _overlap(ours: ServedAnswers, theirs: ServedAnswers, row: int) -> float:
    """Returns the share of results that score at least as high as the exact copy's last result; ties count."""
    count = theirs.count[row]
    if not count:
        return 1.0
    lowest = theirs.scores[row][count - 1] - _slack(theirs, row)
    return sum(score >= lowest for score in ours.scores[row][:count]) / count


def _same_scores(ours: ServedAnswers, theirs: ServedAnswers, row: int) -> bool:
    exact = dict(zip(theirs.ids[row], theirs.scores[row], strict=True))
    pairs = [(score, exact[item]) for item, score in zip(ours.ids[row], ours.scores[row], strict=True) if item in exact]
    return all(abs(one - other) <= _slack(theirs, row) for one, other in pairs)


def _slack(answers: ServedAnswers, row: int) -> float:
    return _TOLERANCE * max((abs(score) for score in answers.scores[row][: answers.count[row]]), default=0.0)
