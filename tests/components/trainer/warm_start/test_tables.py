"""Weights of an earlier model in new vocabularies, and at new times."""

import numpy as np

from components.trainer.warm_start import tables

SOURCE = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [9.0, 9.0]])  # the last row is of no token
NEW = np.array([[-1.0, -1.0], [-2.0, -2.0], [-3.0, -3.0]])


def test_a_known_token_keeps_its_row_wherever_it_stands_now():
    table = tables.remap(SOURCE[:3], [b"a", b"b", b"c"], [b"c", b"d", b"a"], NEW)
    assert table.tolist() == [[3.0, 3.0], [-2.0, -2.0], [1.0, 1.0]]
    assert tables.match_rows([b"a", b"b", b"c"], [b"c", b"d", b"a"]).tolist() == [2, -1, 0]
    # The arguments stay as they are.
    assert NEW[0, 0] == -1.0


def test_the_row_of_other_values_stays_the_last_one_of_a_vocabulary_that_grows_or_shrinks():
    grown = tables.remap(SOURCE, [b"a", b"b", b"c"], [b"c", b"b", b"d", b"a"], np.zeros((5, 2)))
    assert grown[:, 0].tolist() == [3.0, 2.0, 0.0, 1.0, 9.0]
    shrunk = tables.remap(SOURCE, [b"a", b"b", b"c"], [b"b"], np.zeros((2, 2)))
    assert shrunk[:, 0].tolist() == [2.0, 9.0]
    # A table of ids has no such row.
    assert tables.remap(SOURCE[:3], [b"a", b"b", b"c"], [b"e"], np.zeros((1, 2)))[:, 0].tolist() == [0.0]


def test_vectors_of_times_keep_their_dates():
    # Knots at the times 0, 10 and 20. The new ones are at 10, 25 and 40: the second is after the source's last.
    knots = np.array([[0.0], [1.0], [5.0]], np.float32)
    moved = tables.resample(knots, (0, 20), (10, 40))
    assert moved[:, 0].tolist() == [1.0, 5.0, 5.0]
    # At 5 it is half way between 0 and 1; at 2.5 a quarter.
    assert tables.resample(knots, (0, 20), (0, 5))[:, 0].tolist() == [0.0, 0.25, 0.5]
    assert moved.dtype == np.float32
    assert tables.resample(knots, (7, 7), (0, 5)).tolist() == knots.tolist()
