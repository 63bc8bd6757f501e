from __future__ import annotations

import numpy as np
import pytest

from components.indexer.recall import ExactAnswers, latency_ms

# One query [1, 0]; scores of the candidates are their first coordinates: 4, 3, 2, 2, 1.
QUERIES = np.array([[1.0, 0.0]], np.float32)
CANDIDATES = np.array([[4, 0], [3, 1], [2, 5], [2, -5], [1, 0]], np.float32)


def _recall(served: list[int], excluded: list[int], k: int) -> float:
    exact = ExactAnswers.find(QUERIES, CANDIDATES, [np.array(excluded, np.int32)], k)
    return float(exact.recall(np.array([served]))[0])


@pytest.mark.parametrize(
    ("served", "excluded", "k", "expected"),
    [
        ([0, 1], [], 2, 1.0),
        ([0, 4], [], 2, 0.5),  # exact is {0, 1}
        ([0, 1, 4], [], 3, 2 / 3),  # exact is {0, 1, 2 or 3}
        ([0, 1, -1], [], 3, 2 / 3),  # a short answer lacks one
        ([1, 2], [0], 2, 1.0),  # without 0, exact is {1, 2 or 3}
        ([1, 3], [0], 2, 1.0),  # ... either of the tied
        ([0, 1], [0], 2, 0.5),  # what is excluded is no hit
        ([0, 0, 0], [], 3, 1 / 3),  # nor is a repeat
        ([0, 1, 2, 3, 4, -1, -1], [], 7, 1.0),  # all that there is
        ([4, -1], [0, 1], 2, 0.0),  # exact is {2, 3}
        ([-1, -1], [0, 1, 2, 3, 4], 2, 1.0),  # nothing is left to find
        ([0, 1], [-1], 2, 1.0),  # -1 is none
    ],
)
def test_recall(served, excluded, k, expected):
    assert _recall(served, excluded, k) == pytest.approx(expected)


def test_latency_takes_the_queries_in_turn():
    asked = []
    p50, p99 = latency_ms(lambda number: asked.append(number), [{"number": 1}, {"number": 2}])
    assert asked[:4] == [1, 2, 1, 2]
    assert 0 <= p50 <= p99
