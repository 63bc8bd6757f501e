import math

import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs

from components.trainer import losses
from shortlist.config import types

# Scores (queries x candidates): [[2, 0], [0, 1]]; row i's positive is candidate i.
_QUERIES = tf.constant([[1.0, 0.0], [0.0, 1.0]])
_CANDIDATES = tf.constant([[2.0, 0.0], [0.0, 1.0]])
_E = math.exp


def _in_batch(candidates=_CANDIDATES, rows=(7, 8), probability=None, weights=None, **switches):
    off = {"logq": False, "remove_accidental_hits": False}
    task = losses.make_task(types.InBatchLoss(**(off | switches)))
    assert type(task) is tfrs.tasks.Retrieval
    loss = task(
        _QUERIES,
        candidates,
        sample_weight=weights,
        candidate_sampling_probability=probability,
        candidate_ids=tf.constant(rows),
        compute_metrics=False,
    )
    return pytest.approx(float(loss), rel=1e-5)


def test_in_batch_is_the_sum_of_the_rows_cross_entropies():
    # Row 0: -log(e^2 / (e^2 + e^0)) = log(1 + e^-2). Row 1: log(1 + e^-1). Together 0.1269 + 0.3133.
    assert _in_batch() == math.log(1 + _E(-2)) + math.log(1 + _E(-1))


def test_scores_are_divided_by_the_temperature():
    # At 0.5 the scores are [[4, 0], [0, 2]].
    assert _in_batch(temperature=0.5) == math.log(1 + _E(-4)) + math.log(1 + _E(-2))


def test_target_weights_weigh_the_rows():
    # 3 times row 0, nothing of row 1.
    assert _in_batch(weights=tf.constant([3.0, 0.0])) == 3 * math.log(1 + _E(-2))


def test_logq_subtracts_the_log_probability_of_each_candidate():
    # Probabilities 1/2 and 1/4 add log 2 to column 0 and log 4 to column 1.
    # Row 0: log(1 + e^(0 + log 4 - 2 - log 2)) = log(1 + 2 e^-2). Row 1: log(1 + e^(0 + log 2 - 1 - log 4)).
    expected = math.log(1 + 2 * _E(-2)) + math.log(1 + 0.5 * _E(-1))
    assert _in_batch(probability=tf.constant([0.5, 0.25])) == expected


def test_logq_comes_after_the_temperature():
    # Scores [[4, 0], [0, 2]], then log 2 and log 4 undivided.
    expected = math.log(1 + 2 * _E(-4)) + math.log(1 + 0.5 * _E(-2))
    assert _in_batch(probability=tf.constant([0.5, 0.25]), temperature=0.5) == expected


@pytest.mark.parametrize(("given", "clipped"), [(0.0, 1e-6), (1e-9, 1e-6), (7.0, 1.0)])
def test_tfrs_clips_the_probability_to_a_millionth_and_one(given, clipped):
    # Column 0 at 1/2; column 1 gets -log(clipped) whatever was given beyond it.
    # Row 0: log(1 + e^(-log c - 2 - log 2)) = log(1 + e^-2 / 2c). Row 1: log(1 + e^(log 2 - 1 + log c)).
    expected = math.log(1 + _E(-2) / (2 * clipped)) + math.log(1 + 2 * clipped * _E(-1))
    assert _in_batch(probability=tf.constant([0.5, given])) == expected


def test_a_repeat_of_the_own_target_is_a_negative_unless_accidental_hits_are_removed():
    # A third candidate is row 7 again: scores [[2, 0, 2], [0, 1, 0]].
    candidates = tf.concat([_CANDIDATES, _CANDIDATES[:1]], axis=0)
    row_1 = math.log(1 + 2 * _E(-1))
    assert _in_batch(candidates, rows=(7, 8, 7)) == math.log(2 + _E(-2)) + row_1
    # Only in row 0 it is the own target; for row 1 it stays a negative.
    expected = math.log(1 + _E(-2)) + row_1
    assert _in_batch(candidates, rows=(7, 8, 7), remove_accidental_hits=True) == expected


def test_only_the_hardest_negatives_count():
    # A third candidate [1, -1]: scores [[2, 0, 1], [0, 1, -1]]. Hardest: 1 in row 0, 0 in row 1.
    candidates = tf.concat([_CANDIDATES, [[1.0, -1.0]]], axis=0)
    everything = math.log(1 + _E(-2) + _E(-1)) + math.log(1 + _E(-1) + _E(-2))
    assert _in_batch(candidates, rows=(7, 8, 9)) == everything
    hardest = math.log(1 + _E(-1)) + math.log(1 + _E(-1))
    assert _in_batch(candidates, rows=(7, 8, 9), num_hard_negatives=1) == hardest
    assert _in_batch(candidates, rows=(7, 8, 9), num_hard_negatives=5) == everything


def test_a_removed_accidental_hit_is_no_hard_negative():
    # Row 0's hardest would be its own repeat (2), removed; then 0. Row 1: its two negatives are 0 and 0.
    candidates = tf.concat([_CANDIDATES, _CANDIDATES[:1]], axis=0)
    expected = math.log(1 + _E(-2)) + math.log(1 + _E(-1))
    assert _in_batch(candidates, rows=(7, 8, 7), num_hard_negatives=1, remove_accidental_hits=True) == expected


def test_sampling_probability_mixes_targets_and_uniform_draws():
    frequencies = tf.constant([0.5, 0.3, 0.2, 0.0])
    rows = tf.constant([0, 3])
    # P = 6 targets, N = 2 uniform of C = 4: (6 x 0.5 + 2/4) / 8 = 0.4375; (6 x 0 + 2/4) / 8 = 0.0625.
    mixed = losses.sampling_probability(rows, frequencies, tf.constant(6), num_uniform=2)
    assert mixed.numpy().tolist() == pytest.approx([0.4375, 0.0625])
    # Without uniform draws it is the target frequency.
    assert losses.sampling_probability(rows, frequencies, tf.constant(6), 0).numpy().tolist() == [0.5, 0.0]
    # It is a distribution: the sum over the corpus is 1.
    everything = losses.sampling_probability(tf.range(4), frequencies, tf.constant(6), 2)
    assert float(tf.reduce_sum(everything)) == pytest.approx(1.0)


def _corpus(not_negatives=None, weights=None, temperature=1.0):
    # Corpus scores of query 0: [2, 0, 1]; its target is row 0. Of query 1: [0, 1, -1]; its target is row 1.
    candidates = tf.concat([_CANDIDATES, [[1.0, -1.0]]], axis=0)
    task = losses.make_task(types.CorpusLoss(temperature=temperature))
    assert isinstance(task, tfrs.tasks.Retrieval)
    mask = None if not_negatives is None else losses.rows_to_mask(tf.constant(not_negatives), 3)
    loss = task(
        _QUERIES, candidates, sample_weight=weights, target_rows=tf.constant([0, 1], tf.int32), not_negatives=mask
    )
    return pytest.approx(float(loss), rel=1e-5)


def test_corpus_loss_is_a_softmax_over_all_candidates():
    assert _corpus() == math.log(1 + _E(-2) + _E(-1)) + math.log(1 + _E(-1) + _E(-2))


def test_corpus_loss_has_a_temperature_and_weights():
    # At 0.5: [4, 0, 2] and [0, 2, -2].
    row_0, row_1 = math.log(1 + _E(-4) + _E(-2)), math.log(1 + _E(-2) + _E(-4))
    assert _corpus(temperature=0.5, weights=tf.constant([2.0, 0.5])) == 2 * row_0 + 0.5 * row_1


def test_other_targets_are_no_negatives_and_the_own_one_stays_the_positive():
    # Query 0 has seen 0 and 2, query 1 nothing: candidate 2 leaves row 0, candidate 0 is its positive all the same.
    assert _corpus([[0, 2], [-1, -1]]) == math.log(1 + _E(-2)) + math.log(1 + _E(-1) + _E(-2))


def test_a_masked_candidate_has_no_gradient():
    with tf.GradientTape() as tape:
        candidates = tf.constant([[2.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
        tape.watch(candidates)
        mask = losses.rows_to_mask(tf.constant([[0, 2]]), 3)
        loss = losses.make_task(types.CorpusLoss())(
            _QUERIES[:1], candidates, target_rows=tf.constant([0]), not_negatives=mask
        )
    gradient = tape.gradient(loss, candidates).numpy()
    assert gradient[2].tolist() == [0.0, 0.0]
    assert gradient[0].tolist() != [0.0, 0.0]


def test_rows_to_mask_ignores_padding():
    mask = losses.rows_to_mask(tf.constant([[1, -1], [-1, -1], [0, 2]]), 3)
    assert mask.numpy().tolist() == [[False, True, False], [False, False, False], [True, False, True]]
    assert not losses.rows_to_mask(tf.zeros([2, 0], tf.int32), 3).numpy().any()
