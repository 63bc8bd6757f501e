"""Fingerprints of rows: which held-out rows an earlier model was trained on."""

import numpy as np
import pytest

from components.trainer.warm_start import rows, start
from shortlist.errors import DataError
from tests.components.trainer import tiny_dataset as worlds


def trained_on(source, earlier, held_out):
    source, earlier, held_out = (np.array(values, np.int64) for values in (sorted(source), earlier, held_out))
    return rows.trained_on(source, earlier, held_out).tolist()


def test_a_held_out_row_that_the_source_did_not_have_is_new():
    assert trained_on(source=[1, 2, 3], earlier=[1, 2, 3], held_out=[4, 5]) == [False, False]
    assert trained_on(source=[1, 2, 4], earlier=[1, 2, 3], held_out=[4, 5]) == [True, False]


def test_yesterdays_test_row_is_todays_train_row():
    # Yesterday: train 1 to 3, eval 4, test 5. Today: train 1 to 5, eval 6, test 7.
    assert trained_on(source=[1, 2, 3], earlier=[1, 2, 3, 4, 5], held_out=[6, 7]) == [False, False]


def test_a_repeated_interaction_is_a_new_row():
    # The source had two copies of 8. Today's train has the same two, so that a third one is new.
    assert trained_on(source=[8, 8], earlier=[8, 8], held_out=[8]) == [False]
    # Today's train has one of them, so the first held-out copy is the source's second.
    assert trained_on(source=[8, 8], earlier=[8], held_out=[8, 9, 8]) == [True, False, False]


def test_the_rows_behind_a_model_are_its_own_and_those_of_its_source():
    own, source = np.array([5, 1, 5, 2]), np.array([2, 2, 3, 5])
    assert rows.union(own, source).tolist() == [1, 2, 2, 3, 5, 5]
    nothing = np.array([], np.int64)
    assert rows.union(own, nothing).tolist() == [1, 2, 5, 5]
    assert rows.union(nothing, nothing).tolist() == []


def windows(path, *records):
    return [worlds.write(path, records)]


def test_a_row_is_a_query_a_candidate_and_a_time(tmp_path):
    found = rows.read_rows(
        windows(
            tmp_path / "rows.gz",
            worlds.window(targets=[1, 2], target_times=[100, 101]),
            worlds.window(targets=[1, 1], target_times=[100, 102], query_id=b"q02"),
            worlds.window(targets=[1], target_times=[100], history=[3]),
        )
    )
    # The last row is the first one again: its history is no part of it. All others differ.
    assert found.fingerprints[4] == found.fingerprints[0]
    assert len(set(found.fingerprints.tolist())) == 4
    assert found.windows[0] == found.windows[1] != found.windows[4]
    assert found.span == (100, 102)


def test_rows_of_weight_zero_are_no_train_rows(tmp_path):
    record = worlds.example(
        query_id=[b"q"], target_ids=[b"a", b"b"], target_times=[5, 9], target_weights=[1.0, 0.0], history_ids=[]
    )
    found = rows.read_rows(windows(tmp_path / "rows.gz", record))
    assert (len(found.fingerprints), found.span) == (1, (5, 5))
    assert rows.read_rows(windows(tmp_path / "none.gz")).span == (0, 0)


@pytest.fixture
def held_out(tmp_path):
    """Returns twenty eval rows and twenty test rows of one query each, and yesterday's windows."""
    of_eval = [worlds.window(targets=[number], target_times=[200], query_id=b"q%d" % number) for number in range(20)]
    of_test = [worlds.window(targets=[number], target_times=[300], query_id=b"q%d" % number) for number in range(20)]
    files = start.HeldOut(windows(tmp_path / "eval.gz", *of_eval), windows(tmp_path / "test.gz", *of_test))
    return of_eval, of_test, files


def check(tmp_path, held_out, *source):
    earlier = np.sort(rows.read_rows(windows(tmp_path / "source.gz", *source)).fingerprints)
    return start.check_held_out(earlier, rows.read_rows([]), held_out)


def test_eval_rows_of_queries_that_were_train_only_are_left_out_of_early_stopping(held_out, tmp_path):
    of_eval, _, files = held_out
    assert check(tmp_path, files) == ()
    left_out = check(tmp_path, files, *of_eval[3:5])
    assert set(left_out) == set(rows.read_rows(windows(tmp_path / "two.gz", *of_eval[3:5])).windows.tolist())


def test_a_source_that_was_trained_on_todays_rows_is_refused(held_out, tmp_path):
    of_eval, of_test, files = held_out
    with pytest.raises(DataError, match=r"^train\.warm_start: expected none of today's test rows .*, got 1 of 20; "):
        check(tmp_path, files, of_test[7])
    with pytest.raises(DataError, match=r"expected at most 10% of today's eval rows .*, got 3 of 20; hold out later"):
        check(tmp_path, files, *of_eval[:3])
