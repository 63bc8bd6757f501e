"""Losses against numbers worked out by hand.

Queries are unit vectors throughout, so that the scores are the transposed candidate matrix.
"""

import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs

from components.trainer import losses
from components.trainer.noise import Noise
from shortlist import keys
from shortlist.config.losses import CorpusLoss, InBatchLoss
from tests.components.trainer import tiny_dataset as worlds

E = math.e


def _in_batch(scores, config=None, **inputs):
    scores = np.array(scores, np.float32)
    defaults = {"logq": False, "remove_accidental_hits": False}
    task = losses.make_task(InBatchLoss.model_validate(defaults | (config or {})))
    inputs = {name: tf.constant(value) for name, value in inputs.items()}
    return float(task(tf.eye(len(scores)), tf.constant(scores.T), **inputs))


def _corpus(scores, temperature=1.0, mask=None, weights=None, targets=(0, 1), windows=None):
    scores = np.array(scores, np.float32)
    task = losses.make_task(CorpusLoss(temperature=temperature))
    return float(
        task(
            tf.eye(len(scores)),
            tf.constant(scores.T),
            sample_weight=None if weights is None else tf.constant(weights),
            target_rows=tf.constant(targets),
            not_negatives=None if mask is None else tf.constant(mask),
            windows=tf.range(len(scores)) if windows is None else tf.constant(windows),
        )
    )


def test_candidates_that_logq_cannot_tell_apart_are_counted():
    # P = 1: probabilities are the frequencies. 0 is never drawn, 5e-7 is below 1e-6, 1e-6 is not.
    assert losses.count_clipped(np.array([0.0, 5e-7, 1e-6, 0.9]), 1, 0) == 1
    # P = N = 1, C = 4: (f + 1/4) / 2 is at least 1/8.
    assert losses.count_clipped(np.array([0.0, 5e-7, 1e-6, 0.9]), 1, 1) == 0


def test_in_batch_is_the_tfrs_task_itself():
    assert type(losses.make_task(InBatchLoss())) is tfrs.tasks.Retrieval
    assert isinstance(losses.make_task(CorpusLoss()), tfrs.tasks.Retrieval)


def test_plain_softmax_over_the_batch():
    # Row 0: -log(e^1 / (e^1 + e^0)) = log(1 + 1/e) = 0.313262. Row 1: log(1 + e^-2) = 0.126928. Summed: 0.440190.
    assert _in_batch([[1, 0], [0, 2]]) == pytest.approx(0.440190, abs=1e-5)


def test_scores_are_divided_by_the_temperature():
    # 0.5 doubles the scores: log(1 + e^-2) + log(1 + e^-4) = 0.126928 + 0.018150.
    assert _in_batch([[1, 0], [0, 2]], {"temperature": 0.5}) == pytest.approx(0.145078, abs=1e-5)


def test_logq_takes_the_logarithm_of_the_probability_off_each_score():
    # A score s of a candidate drawn with probability p weighs e^s / p.
    # Row 0: 2e against 4 -> log(1 + 4/2e) = 0.551445. Row 1: 4e^2 against 2 -> log(1 + 1/2e^2) = 0.065475.
    loss = _in_batch([[1, 0], [0, 2]], candidate_sampling_probability=[0.5, 0.25])
    assert loss == pytest.approx(math.log(1 + 2 / E) + math.log(1 + 0.5 / E**2), abs=1e-5)


def test_logq_is_not_divided_by_the_temperature():
    # Row 0: 2e^2 against 4 -> log(1 + 2/e^2). Row 1: 4e^4 against 2 -> log(1 + 1/2e^4).
    loss = _in_batch([[1, 0], [0, 2]], {"temperature": 0.5}, candidate_sampling_probability=[0.5, 0.25])
    assert loss == pytest.approx(math.log(1 + 2 / E**2) + math.log(1 + 0.5 / E**4), abs=1e-5)


def test_tfrs_clips_probabilities_to_a_millionth_and_one():
    # 1e-9 counts as 1e-6 and 5 as 1. Row 0: e * 1e6 against 1: 4e-7. Row 1: e^2 against 1e6 -> log(1 + 1e6/e^2) = 11.8155.  # noqa: E501
    loss = _in_batch([[1, 0], [0, 2]], candidate_sampling_probability=[1e-9, 5.0])
    assert loss == pytest.approx(math.log(1 + 1e6 / E**2), abs=1e-4)
    assert losses.MIN_SAMPLING_PROBABILITY == 1e-6


def test_accidental_hits_are_removed():
    scores = [[1, 5, 0], [4, 1, 0], [0, 0, 2]]
    # Rows 0 and 1 have the same target: column 1 is no negative of row 0, column 0 none of row 1. Each keeps
    # one negative: log(1 + 1/e). Row 2 keeps both: log(1 + 2/e^2).
    removed = _in_batch(scores, {"remove_accidental_hits": True}, candidate_ids=[7, 7, 3])
    assert removed == pytest.approx(2 * math.log(1 + 1 / E) + math.log(1 + 2 / E**2), abs=1e-5)
    # Left in: row 0 log(1 + e^4 + e^-1), row 1 log(1 + e^3 + e^-1).
    kept = _in_batch(scores, candidate_ids=[7, 7, 3])
    assert kept == pytest.approx(sum(math.log(1 + E**n + 1 / E) for n in (4, 3)) + math.log(1 + 2 / E**2), abs=1e-5)


def test_of_the_negatives_only_the_hardest_count():
    # One negative a row. Row 0: 1 against 3. Row 1: 1 against 2. Row 2: 2 against 0.
    loss = _in_batch([[1, 0, 3], [2, 1, 0], [0, -1, 2]], {"num_hard_negatives": 1})
    assert loss == pytest.approx(math.log(1 + E**2) + math.log(1 + E) + math.log(1 + E**-2), abs=1e-5)


def test_a_removed_accidental_hit_is_no_hard_negative():
    # Row 0's hardest negative, 9, is its own target; what remains is 0. Row 1's, likewise, -1. Row 2: 2 against 0.
    config = {"num_hard_negatives": 1, "remove_accidental_hits": True}
    loss = _in_batch([[1, 9, 0], [9, 1, -1], [0, -1, 2]], config, candidate_ids=[7, 7, 3])
    assert loss == pytest.approx(math.log(1 + E**-1) + 2 * math.log(1 + E**-2), abs=1e-5)


def test_sample_weights_multiply_a_rows_loss():
    # 1 * log(1 + 1/e) + 3 * log(1 + e^-2) = 0.313262 + 0.380784.
    assert _in_batch([[1, 0], [0, 2]], sample_weight=[1.0, 3.0]) == pytest.approx(0.694046, abs=1e-5)


def test_extra_candidates_are_negatives_of_every_row():
    # Row 0: e against 1 and e. Row 1: e^2 against 1 and e.
    loss = _in_batch([[1, 0, 1], [0, 2, 1]])
    assert loss == pytest.approx(math.log(2 + 1 / E) + math.log(1 + 1 / E + 1 / E**2), abs=1e-5)
    # The extra candidate is row 0's target: row 1 alone still has it as a negative.
    loss = _in_batch([[1, 0, 1], [0, 2, 1]], {"remove_accidental_hits": True}, candidate_ids=[7, 8, 7])
    assert loss == pytest.approx(math.log(1 + 1 / E) + math.log(1 + 1 / E + 1 / E**2), abs=1e-5)


def test_sampling_probability_in_batch_is_the_target_frequency():
    probability = losses.sampling_probability(tf.constant([2, 0]), tf.constant([0.5, 0.3, 0.2]), tf.constant(7), 0)
    np.testing.assert_allclose(probability, [0.2, 0.5], rtol=1e-6)


def test_sampling_probability_of_uniform_draws_alone_is_one_in_the_corpus():
    probability = losses.sampling_probability(tf.constant([1, 0]), tf.constant([0.5, 0.5, 0, 0]), tf.constant(0), 3)
    np.testing.assert_allclose(probability, [0.25, 0.25], rtol=1e-6)


def test_sampling_probability_of_both_is_their_weighted_mean():
    # P = 6, N = 2, C = 4: (6 * 0.5 + 2/4) / 8 = 0.4375, and (6 * 0 + 2/4) / 8 = 0.0625 for one that is no target.
    probability = losses.sampling_probability(tf.constant([0, 3]), tf.constant([0.5, 0.3, 0.2, 0]), tf.constant(6), 2)
    np.testing.assert_allclose(probability, [0.4375, 0.0625], rtol=1e-6)


def test_corpus_softmax_is_over_all_candidates():
    # Row 0, target 0: e against 1 and 1 -> log(1 + 2/e). Row 1, target 2: e^2 against 1 and e -> log(1 + e^-2 + e^-1).
    loss = _corpus([[1, 0, 0], [0, 1, 2]], targets=(0, 2))
    assert loss == pytest.approx(math.log(1 + 2 / E) + math.log(1 + E**-2 + 1 / E), abs=1e-5)


def test_corpus_softmax_needs_no_distinct_targets():
    # Both rows have target 2: log(1 + 2e) with e^0 against 1... row 0: 1 against e and 1; row 1: e^2 against 1 and e.
    loss = _corpus([[1, 0, 0], [0, 1, 2]], targets=(2, 2))
    assert loss == pytest.approx(math.log(2 + E) + math.log(1 + E**-2 + 1 / E), abs=1e-5)


def test_corpus_scores_are_divided_by_the_temperature():
    # A temperature of 2 halves the scores.
    loss = _corpus([[2, 0, 0], [0, 2, 4]], temperature=2.0, targets=(0, 2))
    assert loss == pytest.approx(math.log(1 + 2 / E) + math.log(1 + E**-2 + 1 / E), abs=1e-5)


def test_corpus_masks_other_targets_and_never_the_row_s_own():
    # Row 0 lists 0, its target, and 1: e against column 2 alone. Row 1 lists nothing.
    mask = [[True, True, False], [False, False, False]]
    loss = _corpus([[1, 8, 0], [0, 1, 2]], mask=mask, targets=(0, 2))
    assert loss == pytest.approx(math.log(1 + 1 / E) + math.log(1 + E**-2 + 1 / E), abs=1e-5)
    # Row 0 lists everything: nothing is left to lose against.
    mask[0] = [True, True, True]
    assert _corpus([[1, 8, 0], [0, 1, 2]], mask=mask, targets=(0, 2)) == pytest.approx(
        math.log(1 + E**-2 + 1 / E), abs=1e-5
    )


def test_corpus_weights_multiply_a_row_s_loss():
    loss = _corpus([[1, 0, 0], [0, 1, 2]], weights=[0.0, 3.0], targets=(0, 2))
    assert loss == pytest.approx(3 * math.log(1 + E**-2 + 1 / E), abs=1e-5)


def test_queries_of_one_window_share_its_mask():
    # Rows 0 and 1 are window 1's, which masks columns 0 and 2: row 0's target, 0, stays and loses against 1 alone.
    # Row 1's target is 1: nothing is left to lose against.
    loss = _corpus([[1, 0, 5], [0, 1, 5]], mask=[[False] * 3, [True, False, True]], targets=(0, 1), windows=[1, 1])
    assert loss == pytest.approx(math.log(1 + 1 / E), abs=1e-5)


def test_rows_to_mask():
    mask = losses.rows_to_mask(tf.constant([[0, 2, -1], [-1, -1, -1], [1, -1, 1]]), 4)
    np.testing.assert_array_equal(mask, [[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]])


def _model(world, loss, **model):
    settings = worlds.settings(train={"loss": loss}, model=model)
    return worlds.assemble(world, settings)


def _batch(reader, world):
    """Four windows with weights 0.5, 1.0, 1.5 and so on."""
    batch = reader.train_batch(tf.constant(worlds.read(world.windows["train"])[:4]), worlds.SEED)
    weights = 0.5 * (1 + np.arange(batch.targets.shape.num_elements(), dtype=np.float32)).reshape(batch.targets.shape)
    return batch._replace(weights=tf.where(batch.targets >= 0, weights, 0.0))


def _rows(model, batch):
    """Yields (window, query embedding, target, weight) of each target, from its own prefix and nothing else."""
    candidates = model.embed_candidates()
    for window, place in np.argwhere(batch.targets.numpy() >= 0):
        features = {name: column[window : window + 1] for name, column in batch.features.items()}
        history = batch.items[window : window + 1, : batch.positions[window, place]]
        query = model.embed_queries(features, history, candidates).numpy()[0]
        yield window, query, int(batch.targets[window, place]), float(batch.weights[window, place])


def _cross_entropy(scores, positive):
    scores = scores.astype(np.float64)
    return np.log(np.sum(np.exp(scores))) - scores[positive]


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("normalize", [True, False])
def test_the_model_s_corpus_loss_is_the_formula(world, mask, normalize):
    loss = {"kind": "corpus", "temperature": 0.3, "mask_other_targets": mask, "mask_unseen_candidates": False}
    model, reader, _ = _model(world, loss, normalize=normalize)
    batch = _batch(reader, world)
    candidates = model.embed_candidates().numpy()
    total = weights = 0.0
    for window, query, target, weight in _rows(model, batch):
        scores = candidates @ query / 0.3
        other = [row for row in batch.seen[window].numpy() if row >= 0 and row != target] if mask else []
        # The query's train candidates, six of them, are more than the window's own.
        assert len(other) == (5 if mask else 0)
        total += weight * _cross_entropy(np.delete(scores, other), target - np.sum(np.array(other) < target))
        weights += weight
    assert float(model.compute_loss(batch)) == pytest.approx(total / weights, rel=1e-5)


@pytest.mark.parametrize(("logq", "hits", "uniform"), [(True, True, 5), (True, False, 0), (False, True, 5)])
def test_the_model_s_in_batch_loss_is_the_formula(world, logq, hits, uniform):
    loss = {"temperature": 0.3, "logq": logq, "remove_accidental_hits": hits, "uniform_negatives": uniform}
    model, reader, corpus = _model(world, {"kind": "in_batch", **loss})
    batch = _batch(reader, world)
    rows = list(_rows(model, batch))
    draw = Noise(1, tf.constant(0)).draw()
    extra = tf.random.stateless_uniform([uniform], draw, maxval=corpus.size, dtype=tf.int32).numpy()
    ids = np.concatenate([[target for _, _, target, _ in rows], extra]).astype(int)
    assert len(set(ids)) < len(ids)
    frequencies = corpus.counts / corpus.counts.sum()
    probability = (len(rows) * frequencies[ids] + uniform / corpus.size) / (len(rows) + uniform)
    sampled = model.embed_candidates().numpy()[ids]
    query_ids = batch.features[keys.QUERY_ID].numpy()[:, 0]
    assert 1 < len(set(query_ids)) < len(rows)
    total = 0.0
    for place, (_, query, target, weight) in enumerate(rows):
        scores = sampled @ query / 0.3 - (np.log(probability) if logq else 0.0)
        # No negatives are a row's own target once more, and its query's other targets.
        own = query_ids[rows[place][0]]
        left_out = {column for column, (window, *_) in enumerate(rows) if query_ids[window] == own}
        left_out |= {column for column in range(len(ids)) if hits and ids[column] == target}
        kept = [column for column in range(len(ids)) if column == place or column not in left_out]
        total += weight * _cross_entropy(scores[kept], kept.index(place))
    expected = total / sum(weight for *_, weight in rows)
    assert float(model.compute_loss(batch)) == pytest.approx(expected, rel=1e-5)


def test_a_batch_without_weight_has_loss_zero(world):
    model, reader, _ = _model(world, {"kind": "corpus"})
    batch = _batch(reader, world)
    assert float(model.compute_loss(batch._replace(weights=tf.zeros_like(batch.weights)))) == 0.0
