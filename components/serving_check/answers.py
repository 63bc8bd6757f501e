"""What must hold of every answer, and of the answers of two twins; plain Python, so that the probe may import it."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Collection, Mapping, Sequence

LOWEST = -3.4028234663852886e38
# Two kernels round a sum differently; relative to the largest score of the answer.
_TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Case:
    """One way of asking, with what may come back; all lists have one entry a query."""

    name: str
    excluded: Sequence[Collection[str]]
    """Ids that must not come back."""
    allowed: Sequence[Collection[str] | None]
    """The only ids that may come back; None is all."""
    limit: int
    """Most results a query."""


@dataclasses.dataclass(frozen=True)
class ServedAnswers:
    """What a signature returned for a batch of queries."""

    ids: Sequence[Sequence[str]]
    """[batch, k]"""
    scores: Sequence[Sequence[float]]
    """[batch, k]"""
    count: Sequence[int]
    """[batch]"""


def find_violations(case: Case, answers: ServedAnswers, corpus: Collection[str]) -> list[str]:
    """Returns a sentence for each promise that an answer breaks, the first query's only.

    Args:
      case: How the queries were asked.
      answers: What came back.
      corpus: All candidate ids.
    """
    broken: dict[str, int] = {}
    for row in range(len(answers.count)):
        candidates = corpus if case.allowed[row] is None else set(case.allowed[row] or ()).intersection(corpus)
        left = set(candidates).difference(case.excluded[row])
        for promise in _broken(answers, row, left, case.limit):
            broken.setdefault(promise, row)
    return [f"{case.name}: {promise} (query {row} of {len(answers.count)})" for promise, row in broken.items()]


def _broken(answers: ServedAnswers, row: int, left: set[str], limit: int) -> list[str]:
    count, ids, scores = answers.count[row], answers.ids[row], answers.scores[row]
    found, best = ids[:count], scores[:count]
    wanted = min(limit, len(ids), len(left))
    checks = {
        f"{count} results where there should be {wanted}": count == wanted,
        "an id came back twice": len(set(found)) == len(found),
        "an id came back that was excluded, not allowed or not in the corpus": left.issuperset(found),
        "a score is not finite": all(map(math.isfinite, scores)),
        "the scores do not descend": all(first >= second for first, second in itertools.pairwise(best)),
        "there is something past the end": not any(ids[count:]) and all(score <= LOWEST for score in scores[count:]),
    }
    return [promise for promise, holds in checks.items() if not holds]


def disagreements(
    index: Mapping[str, ServedAnswers],
    exact: Mapping[str, ServedAnswers],
    min_overlap: float,
    overlap_cases: Collection[str],
) -> list[str]:
    """Returns in what the index's answers differ from those of its exact twin.

    Args:
      index: Answers by case.
      exact: The twin's, for the same queries.
      min_overlap: Least mean share of the exact answer that the index has to return.
      overlap_cases: The cases that this share is asked of: those that resemble what recall was measured on.
    """
    problems = [f"{name}: one twin alone was asked, so their corpora differ" for name in index.keys() ^ exact.keys()]
    for name in exact.keys() & index.keys():
        ours, theirs = index[name], exact[name]
        rows = range(len(theirs.count))
        if list(ours.count) != list(theirs.count):
            problems.append(f"{name}: the index and its exact twin return different numbers of results")
        elif not all(_same_scores(ours, theirs, row) for row in rows):
            problems.append(f"{name}: the index and its exact twin score the same candidate differently")
        elif name in overlap_cases:
            overlap = sum(_overlap(ours, theirs, row) for row in rows) / len(rows)
            if overlap < min_overlap:
                problems.append(
                    f"{name}: the index returns {overlap:.3f} of its exact twin's answer, expected {min_overlap:.3f}"
                )
    return problems


def _overlap(ours: ServedAnswers, theirs: ServedAnswers, row: int) -> float:
    """Returns the share of results that score like the twin's: candidates that tie with its last are as good."""
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
