import itertools

import numpy as np
import pytest

from components.indexer import variety


def test_coverage_is_a_share_of_the_possible_candidates():
    answers = np.array([[0, 1, 2], [0, 1, -1]])
    # Five places, three distinct candidates.
    assert variety.coverage(answers, corpus_size=100) == 3 / 5
    assert variety.coverage(answers, corpus_size=4) == 3 / 4
    assert variety.coverage(np.full([2, 3], -1), corpus_size=4) == 0.0


def test_overlap_is_the_mean_over_pairs():
    rng = np.random.default_rng(1)
    answers = np.array([rng.permutation(12)[:5] for _ in range(20)])
    pairs = [len(set(one) & set(other)) / 5 for one, other in itertools.combinations(answers, 2)]
    assert variety.overlap(answers) == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize(
    ("answers", "expected"),
    [([[1, 2], [1, 2]], 1.0), ([[1, 2], [3, 4]], 0.0), ([[1, 2]], 0.0), ([[1, -1], [1, -1]], 0.5)],
)
def test_overlap_at_its_ends(answers, expected):
    assert variety.overlap(np.array(answers)) == expected
