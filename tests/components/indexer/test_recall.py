import numpy as np

from components.indexer.recall import ExactAnswers, latency_ms

# One query, five candidates with scores 5, 4, 3, 2, 1.
QUERY = np.array([[1.0]], np.float32)
CANDIDATES = np.array([[5.0], [4.0], [3.0], [2.0], [1.0]], np.float32)


def recall(served, excluded=(), k=3, candidates=CANDIDATES):
    exact = ExactAnswers.find(QUERY, candidates, [np.array(excluded, np.int32)], k)
    return float(exact.recall(np.array([served]))[0])


def test_recall_is_the_share_of_the_exact_answer():
    assert recall([0, 1, 2]) == 1.0
    assert recall([2, 0, 1]) == 1.0
    assert recall([0, 1, 3]) == 2 / 3
    assert recall([0, -1, -1]) == 1 / 3
    assert recall([3, 4, -1]) == 0.0


def test_what_is_excluded_is_neither_wanted_nor_counted():
    assert recall([1, 2, 3], excluded=[0]) == 1.0
    assert recall([0, 1, 2], excluded=[0]) == 2 / 3
    assert recall([1, 2, 3], excluded=[0, -1, 0]) == 1.0


def test_a_repeat_counts_once():
    assert recall([0, 0, 0]) == 1 / 3


def test_an_answer_is_as_long_as_what_is_left():
    assert recall([3, 4, -1], excluded=[0, 1, 2]) == 1.0
    assert recall([4, -1, -1], excluded=[0, 1, 2]) == 1 / 2
    assert recall([-1, -1, -1], excluded=[0, 1, 2, 3, 4]) == 1.0
    assert recall([0, 1, 2, 3, 4, -1, -1], k=7) == 1.0


def test_a_tie_with_the_last_result_is_as_good_as_it():
    tied = np.array([[5.0], [4.0], [3.0], [3.0], [1.0]], np.float32)
    assert recall([0, 1, 2], candidates=tied) == 1.0
    assert recall([0, 1, 3], candidates=tied) == 1.0
    assert recall([1, 2, 3], candidates=tied) == 1.0
    assert recall([0, 1, 4], candidates=tied) == 2 / 3


def test_latency_is_that_of_single_calls():
    asked = []
    p50, p99 = latency_ms(lambda **inputs: asked.append(inputs), [{"query": 1}, {"query": 2}])
    assert 0 <= p50 <= p99 < 100
    assert asked[:3] == [{"query": 1}, {"query": 2}, {"query": 1}]
