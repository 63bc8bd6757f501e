"""Hit rates by the time of the request, with two candidates and numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.answers import moments
from shortlist import keys

_OWN = 1_700_000_000
_CANDIDATES = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
_NONE = np.array([], np.int64)


class _Model(tf.Module):
    """Prefers candidate 0 within an hour of 1,700,000,000, else candidate 1."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, "query_time")])
    def query_embedding(self, query_time):
        is_near = tf.cast(tf.abs(query_time - _OWN) < 3_600, tf.float32)
        return {"embedding": tf.stack([is_near, 1.0 - is_near], axis=1)}


def _row(time, *history_times):
    return {keys.QUERY_TIME: [time], keys.HISTORY_TIMES: list(history_times)}


@pytest.fixture(scope="module")
def signature(tmp_path_factory):
    model, folder = _Model(), str(tmp_path_factory.mktemp("model"))
    tf.saved_model.save(model, folder, signatures={"query_embedding": model.query_embedding})
    return tf.saved_model.load(folder).signatures["query_embedding"]


def _hits(signature, rows, targets, excluded=None):
    found = moments.hit_rates(signature, _CANDIDATES, rows, targets, excluded or [_NONE] * len(rows), 1)
    return {entry["time"]: entry["hits"] for entry in found}


def test_targets_are_the_same_at_every_time(signature):
    # The history of the first ended a minute before, that of the second two days before.
    rows = [_row(_OWN, _OWN - 60), _row(_OWN, _OWN - 172_800)]
    assert _hits(signature, rows, [0, 0]) == {
        "at the target's own time": 2,
        "just after the history": 1,
        "a day later": 0,
        "30 days later": 0,
        "no time sent": 0,
    }


def test_order_numbers_have_no_days(signature):
    assert _hits(signature, [_row(12, 11), _row(3)], [1, 1]) == {
        "at the target's own time": 2,
        "just after the history": 2,
        "no time sent": 2,
    }


def test_rows_without_a_possible_hit_are_not_counted(signature):
    rows = [_row(_OWN), _row(_OWN), {keys.QUERY_TIME: []}]
    # The first target is excluded, the second is not in the corpus, the third has no time.
    assert _hits(signature, rows, [0, -1, 0], [np.array([0]), _NONE, _NONE]) == {}
