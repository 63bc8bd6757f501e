"""What must hold of every answer, and of the answers of two twins; plain Python, so that the probe may import it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence

LOWEST = -3.4028234663852886e38
# Two kernels round a sum differently; relative to the larger of the score and 1.
_TOLERANCE = 1e-3


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
class Answers:
    """What a signature returned for a batch of queries."""

    ids: Sequence[Sequence[str]]
    """[batch, k]"""
    scores: Sequence[Sequence[float]]
    """[batch, k]"""
    count: Sequence[int]
    """[batch]"""


def broken_promises(case: Case, answers: Answers, corpus: Collection[str]) -> list[str]:
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


def _broken(answers: Answers, row: int, left: Collection[str], limit: int) -> list[str]:
    count, ids, scores = answers.count[row], answers.ids[row], answers.scores[row]
    found, best = ids[:count], scores[:count]
    wanted = min(limit, len(ids), len(left))
    checks = {
        f"{count} results where there should be {wanted}": count == wanted,
        "an id came back twice": len(set(found)) == len(found),
        "an id came back that was excluded, not allowed or not in the corpus": left.issuperset(found)
        if isinstance(left, set)
        else set(left).issuperset(found),
        "a score is not finite": all(map(math.isfinite, scores)),
        "the scores do not descend": all(first >= second for first, second in zip(best, best[1:], strict=False)),
        "there is something past the end": not any(ids[count:]) and all(score <= LOWEST for score in scores[count:]),
    }
    return [promise for promise, holds in checks.items() if not holds]


def disagreements(index: Mapping[str, Answers], exact: Mapping[str, Answers], min_overlap: float) -> list[str]:
    """Returns in what the index's answers differ from those of its exact twin.

    Args:
      index: Answers by case.
      exact: The twin's, for the same queries.
      min_overlap: Least mean share of the twin's ids that the index has to return.
    """
    problems = []
    for name, theirs in exact.items():
        ours = index[name]
        if list(ours.count) != list(theirs.count):
            problems.append(f"{name}: the index and its exact twin return different numbers of results")
            continue
        rows = range(len(ours.count))
        overlap = [_overlap(ours, theirs, row) for row in rows]
        if sum(overlap) / len(overlap) < min_overlap:
            problems.append(
                f"{name}: the index returns {sum(overlap) / len(overlap):.3f} of its exact twin's ids, "
                f"expected {min_overlap:.3f}"
            )
        if not all(_same_scores(ours, theirs, row) for row in rows):
            problems.append(f"{name}: the index and its exact twin score the same candidate differently")
    return problems


def _overlap(ours: Answers, theirs: Answers, row: int) -> float:
    exact = set(theirs.ids[row][: theirs.count[row]])
    return len(exact.intersection(ours.ids[row])) / len(exact) if exact else 1.0


def _same_scores(ours: Answers, theirs: Answers, row: int) -> bool:
    exact = dict(zip(theirs.ids[row], theirs.scores[row], strict=True))
    pairs = [(score, exact[item]) for item, score in zip(ours.ids[row], ours.scores[row], strict=True) if item in exact]
    return all(abs(one - other) <= _TOLERANCE * max(1.0, abs(other)) for one, other in pairs)
