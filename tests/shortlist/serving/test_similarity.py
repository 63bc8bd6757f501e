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


# By angle, (3, 4) is at cosine .8 to (0, 1) and .6 to (9, 0). Lengths do not count. The model does not know e and f.
_VECTORS = {"a": [9.0, 0.0], "b": [0.0, 1.0], "c": [3.0, 4.0], "d": [2.0, 0.0], "e": [0.0, 0.0], "f": [np.nan, 0.0]}


def nearest_of_history(answers, history):
    return similarity.nearest_of_history(
        list(answers), list(history), lambda ids: np.array([_VECTORS[item] for item in ids], np.float32)
    )


def test_each_answer_has_the_nearest_item_of_the_history():
    assert nearest_of_history("cab", "ab") == ["b", "b", "a"]
    # Neither itself nor unknown items.
    assert nearest_of_history("aef", "aef") == [None, None, None]
    assert nearest_of_history("abc", "") == [None] * 3
    assert nearest_of_history("", "abc") == []


def test_of_equal_items_of_the_history_the_newest_counts():
    assert nearest_of_history("cc", "ad") == ["d", "d"]
    assert nearest_of_history("c", "da") == ["a"]
    # The newest time of an item counts.
    assert nearest_of_history("c", "ada") == ["a"]


def test_rounding_makes_no_item_nearer():
    generator = np.random.default_rng(0)
    item = generator.normal(size=(1, 64))
    # One direction in several lengths: cosines of 1 but for rounding.
    history = (item * np.exp(generator.normal(size=(50, 1)))).astype(np.float64)
    answers = generator.normal(size=(20, 64))
    vectors = np.concatenate([history, answers])
    rows = list(range(50, 70))
    found = similarity.nearest_of_history(rows, list(range(50)), lambda wanted: vectors[np.asarray(wanted)])
    assert found == [49] * 20
