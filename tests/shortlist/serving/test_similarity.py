"""Nearest candidates by the cosine, with vectors whose angles are known."""

import numpy as np

from shortlist.serving import similarity

# At 0, 90, 45 and 180 degrees.
_CORPUS = similarity.unit(np.array([[3.0, 0.0], [0.0, 1.0], [2.0, 2.0], [-5.0, 0.0]], np.float32))


def test_lengths_do_not_count():
    assert np.allclose(np.linalg.norm(_CORPUS, axis=1), 1.0)
    assert similarity.unit(np.zeros((1, 2), np.float32)).tolist() == [[0.0, 0.0]]


def test_the_nearest_come_first_without_the_candidate_itself():
    rows, cosines = similarity.nearest(_CORPUS, [0], 2)
    assert rows.tolist() == [2, 1]
    assert np.allclose(cosines, [np.sqrt(0.5), 0.0])
    assert similarity.nearest(_CORPUS, [0], 10)[0].tolist() == [2, 1, 3]
    # The mean of 0 and 90 degrees is 45.
    assert similarity.nearest(_CORPUS, [0, 1], 1)[0].tolist() == [2]
    assert similarity.nearest(_CORPUS, [0, 1, 2, 3], 1)[0].tolist() == []


def test_ties_are_in_the_order_of_the_rows():
    corpus = np.tile(_CORPUS[1], (50, 1))
    assert similarity.nearest(corpus, [7], 9)[0].tolist() == [0, 1, 2, 3, 4, 5, 6, 8, 9]


def test_each_answer_has_its_closest_item_of_the_history():
    history = np.array([[1.0, 0.1], [0.0, 4.0], [0.0, 0.0]], np.float32)
    is_same = np.zeros((4, 3), bool)
    assert similarity.closest(_CORPUS, history, is_same) == [0, 1, 0, 1]
    # An answer that is the item itself, and items that the model does not know.
    is_same[1] = [False, True, False]
    assert similarity.closest(_CORPUS, history, is_same)[1] == 0
    assert similarity.closest(_CORPUS, history[2:], is_same[:, 2:]) == [None] * 4
    assert similarity.closest(_CORPUS, history[:0], is_same[:, :0]) == [None] * 4
