"""The in-batch loss against numbers worked out by hand.

Queries are unit vectors throughout, so that the scores are the transposed candidate matrix.
"""

import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs

from components.trainer.losses import in_batch, make_loss, sampling
from components.trainer.noise import Noise
from shortlist import keys
from tests.components.trainer import tiny_dataset as worlds
from tests.components.trainer.losses import by_hand

E = math.e
_FEATURES_TOWER = {"query_tower": {"kind": "features"}, "embedding_dim": 8}


def _in_batch(scores, config=None, **inputs):
    scores = np.array(scores, np.float32)
    loss = {"kind": "in_batch", "logq": False, "remove_accidental_hits": False, **(config or {})}
    task = make_loss(worlds.settings(train={"loss": loss})).task
    inputs = {name: tf.constant(value) for name, value in inputs.items()}
    return float(task(tf.eye(len(scores)), tf.constant(scores.T), **inputs))


def test_in_batch_is_the_tfrs_task_itself():
    assert type(make_loss(worlds.settings(train={"loss": {"kind": "in_batch"}})).task) is tfrs.tasks.Retrieval


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
    assert sampling.MIN_SAMPLING_PROBABILITY == 1e-6


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
    # One negative per row. Row 0: 1 against 3. Row 1: 1 against 2. Row 2: 2 against 0.
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


@pytest.mark.parametrize(("logq", "hits", "uniform"), [(True, True, 5), (True, False, 0), (False, True, 5)])
def test_the_model_s_in_batch_loss_is_the_formula(world, logq, hits, uniform):
    loss = {"temperature": 0.3, "logq": logq, "remove_accidental_hits": hits, "uniform_negatives": uniform}
    model, reader, corpus = by_hand.model(world, {"kind": "in_batch", **loss})
    batch = by_hand.batch(reader, world)
    rows = list(by_hand.rows(model, batch))
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
        # A row's own target and the other targets of its query are no negatives.
        own = query_ids[rows[place][0]]
        left_out = {column for column, (window, *_) in enumerate(rows) if query_ids[window] == own}
        left_out |= {column for column in range(len(ids)) if hits and ids[column] == target}
        kept = [column for column in range(len(ids)) if column == place or column not in left_out]
        total += weight * by_hand.cross_entropy(scores[kept], kept.index(place))
    expected = total / sum(weight for *_, weight in rows)
    assert float(model.compute_loss(batch)) == pytest.approx(expected, rel=1e-5)


def _first_targets(world, reader):
    """Returns a batch with one target of each of three queries, which have two windows each."""
    batch = reader.train_batch(tf.constant(worlds.read(world.windows["train"])[:6:2]), worlds.SEED)
    columns = ("targets", "positions", "weights", "times")
    return batch._replace(**{name: getattr(batch, name)[:, :1] for name in columns})


def test_in_batch_loss_corrects_for_the_target_frequency(world):
    switches = {"kind": "in_batch", "temperature": 0.5, "remove_accidental_hits": False}
    settings = worlds.settings(model=_FEATURES_TOWER, train={"loss": switches})
    model, reader, corpus = worlds.assemble(world, settings)
    one_each = _first_targets(world, reader)
    targets = one_each.targets.numpy()[:, 0]
    candidates = model.embed_candidates().numpy()
    queries = model.embed_queries(one_each.features, tf.zeros([3, 0], tf.int32), candidates).numpy()
    frequency = corpus.counts / corpus.counts.sum()
    scores = queries @ candidates[targets].T / 0.5 - np.log(frequency[targets])
    expected = np.mean([by_hand.cross_entropy(row, place) for place, row in enumerate(scores)])
    assert float(model.compute_loss(one_each)) == pytest.approx(expected, rel=1e-4)


def test_uniform_negatives_join_with_their_own_probability(world):
    switches = {"kind": "in_batch", "uniform_negatives": 4000, "remove_accidental_hits": False}
    settings = worlds.settings(model=_FEATURES_TOWER, train={"loss": switches})
    model, reader, corpus = worlds.assemble(world, settings)
    one_each = _first_targets(world, reader)
    targets = one_each.targets.numpy()[:, 0]
    candidates = model.embed_candidates().numpy()
    queries = model.embed_queries(one_each.features, tf.zeros([3, 0], tf.int32), candidates).numpy()
    # 4,000 draws from 20 candidates have each candidate about 200 times; the three targets hardly matter.
    probability = (3 * corpus.counts / corpus.counts.sum() + 4000 / corpus.size) / 4003
    scores = queries @ candidates.T - np.log(probability)
    total = np.log(np.exp(scores).sum(axis=1) * 4000 / corpus.size)
    expected = (total - scores[np.arange(3), targets]).mean()
    assert float(model.compute_loss(one_each)) == pytest.approx(expected, rel=0.01)


def test_explode_gives_each_target_its_latest_items(world, trained):
    records = [worlds.window([1, 2, 3], targets=[4, 5]), worlds.window(targets=[6, 7], query_id=b"q02")]
    batch = trained[1].train_batch(tf.constant(records), worlds.SEED)
    exploded = in_batch.explode(batch, 3)
    assert exploded.targets.numpy().tolist() == [[4], [5], [6], [7]]
    assert exploded.items.numpy().tolist() == [[1, 2, 3], [2, 3, 4], [-1, -1, -1], [6, -1, -1]]
    assert exploded.positions.numpy().tolist() == [[3], [3], [0], [1]]
    assert exploded.weights.numpy().tolist() == [[1], [2], [1], [2]]
    # The items 1 to 3 have times 0 to 2, each window's targets have times 100 and 101.
    assert exploded.clock.numpy().tolist() == [[0, 1, 2, 100], [1, 2, 100, 101], [100, 0, 0, 0], [100, 101, 0, 0]]
    queries = exploded.features[keys.QUERY_ID].numpy().ravel().tolist()
    assert queries[0] == queries[1] != queries[2] == queries[3]
    # A tower without history needs no items.
    assert in_batch.explode(batch, 0).items.shape == [4, 0]
    assert in_batch.explode(batch, 0).clock.numpy().ravel().tolist() == [100, 101, 100, 101]


@pytest.mark.parametrize(
    ("loss", "clipped"),
    [
        # One of ten million targets: 1e-7 is below 1e-6.
        ({"kind": "in_batch"}, 1),
        # With N = 1 and C = 2, a uniform draw is this candidate with probability 1/2.
        ({"kind": "in_batch", "uniform_negatives": 1}, 0),
        ({"kind": "in_batch", "logq": False}, 0),
    ],
)
def test_clipped_candidates_are_those_that_logq_corrects(loss, clipped):
    loss = make_loss(worlds.settings(train={"loss": loss}))
    assert loss.count_clipped(np.array([1, 10_000_000])) == clipped
