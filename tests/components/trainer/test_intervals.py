import numpy as np
import pytest
import tensorflow as tf

from components.trainer import intervals
from components.trainer.intervals import GapEmbedding, IntervalBias, interval_biases
from components.trainer.noise import Noise
from shortlist.config.model import HistoryTowerSection
from tests.components.trainer import tiny_dataset as worlds

# Two buckets for each doubling of 1 + seconds: 2 + floor(2 log2(1 + seconds)).
_BY_HAND = {0: 2, 1: 4, 2: 5, 3: 6, 7: 8, 63: 14, 86_400: 34, 2**62: 126, -5: 2}


@pytest.mark.parametrize("copies", [1, 7, 64])
def test_buckets_by_hand(copies):
    seconds = np.repeat(list(_BY_HAND), copies)
    found = intervals.buckets(tf.constant(10 + seconds), tf.constant(10, tf.int64))
    assert found.numpy().tolist() == np.repeat(list(_BY_HAND.values()), copies).tolist()


def test_the_longest_interval_has_a_bucket():
    far = intervals.buckets(tf.constant([2**63 - 1], tf.int64), tf.constant([1], tf.int64))
    # 63 doublings of two buckets each, after the two buckets that are no intervals.
    assert int(far[0]) == 2 + 2 * 63 < intervals.NUM_BUCKETS


def test_an_interval_without_both_ends_is_unknown():
    later, earlier = tf.constant([0, 7, 0], tf.int64), tf.constant([7, 0, 0], tf.int64)
    assert intervals.buckets(later, earlier).numpy().tolist() == [intervals.UNKNOWN] * 3


def test_the_time_of_an_item_is_the_clock_time_of_the_previous_position():
    clock = tf.constant([[5, 8, 9]], tf.int64)
    assert intervals.item_times(clock).numpy().tolist()[0][1:] == [5, 8]
    buckets = np.tril(intervals.interval_buckets(clock).numpy()[0])
    # The first position has no item: bucket 1. At 8, the item of 5 is 3 s old: 6. At 9, the items are 4 s and 1 s old.
    assert buckets.tolist() == [[1, 0, 0], [1, 6, 0], [1, 6, 4]]
    # The first position has no item, whether times are known or not.
    unknown = np.tril(intervals.interval_buckets(tf.zeros_like(clock)).numpy()[0])
    assert unknown.tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 0]]


def test_tables_are_read_by_bucket_and_a_longer_interval_counts_as_the_longest_trained_one():
    gaps = GapEmbedding(2)
    assert not gaps.get_weights()[0].any()
    table = np.zeros([intervals.NUM_BUCKETS, 2], np.float32)
    # Rows: unknown, no item, and then the differences between neighbouring buckets, which are 0 beyond bucket 4.
    table[:5] = [[1, 10], [2, 20], [3, 30], [4, 40], [5, 50]]
    gaps.set_weights([table])
    # The first position has no item. Then the query was away for 0 s, for 1 s and for a year.
    clock = tf.constant([[5, 5, 6, 31_536_000, 0]], tf.int64)
    assert gaps(clock).numpy().tolist() == [[[2, 20], [3, 30], [12, 120], [12, 120], [1, 10]]]
    bias = IntervalBias(2)
    bias.set_weights([table])
    assert bias(tf.constant([[[0, 3], [1, 90]]])).numpy().tolist() == [[[[1, 7], [2, 12]], [[10, 70], [20, 120]]]]


@pytest.mark.parametrize(("layers", "heads"), [(1, 1), (2, 1), (2, 2), (4, 2), (5, 1)])
def test_biases_of_all_layers_are_those_of_each_layer(layers, heads):
    random = np.random.default_rng(0)
    biases = [IntervalBias(heads) for _ in range(layers)]
    for bias in biases:
        bias.set_weights([random.normal(size=[intervals.NUM_BUCKETS, heads]).astype(np.float32)])
    gaps = tf.constant(random.integers(0, intervals.NUM_BUCKETS, [3, 5, 5]), tf.int32)
    weights = [tf.constant(random.normal(size=[3, heads, 5, 5]), tf.float32) for _ in biases]

    def with_gradients(scores_of):
        with tf.GradientTape() as tape:
            scores = scores_of()
            loss = tf.add_n([tf.reduce_sum(score * weight) for score, weight in zip(scores, weights, strict=True)])
        return scores, tape.gradient(loss, [bias.trainable_weights[0] for bias in biases])

    together, gradients = with_gradients(lambda: interval_biases(biases, gaps))
    apart, expected = with_gradients(lambda: [bias(gaps) for bias in biases])
    for found, wanted in zip(together, apart, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    for found, wanted in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def shaken(world):
    model, reader, _ = worlds.assemble(world, worlds.settings())
    worlds.shake(model.query_tower)
    features = reader.eval_batch(tf.constant(worlds.read(world.windows["eval"])[:1])).features
    return model, features


def _outputs(model, features, clock):
    """Returns the tower's outputs at each position of a history of three items, [4, embedding_dim]."""
    return _embedded(model, features, clock).numpy()


def _embedded(model, features, clock, noise=None):
    items = tf.gather(model.embed_candidates(), [[3, 5, 7]])
    windows, positions = tf.zeros([4], tf.int32), tf.range(4)
    clock = None if clock is None else tf.constant([clock], tf.int64)
    return model.query_tower(features, items, windows, positions, tf.ones([4]), clock, noise=noise)


def test_a_position_does_not_depend_on_later_times(shaken):
    model, features = shaken
    outputs = _outputs(model, features, [100, 110, 500, 900])
    # The time of the third item, 500, is the clock time of the position before it, where the item is the target.
    changed = _outputs(model, features, [100, 110, 700, 901])
    np.testing.assert_allclose(outputs[:2], changed[:2], atol=1e-6)
    assert np.abs(outputs[2:] - changed[2:]).max(axis=1).min() > 1e-3
    last = _outputs(model, features, [100, 110, 500, 9_000])
    np.testing.assert_allclose(outputs[:3], last[:3], atol=1e-6)
    assert np.abs(outputs[3] - last[3]).max() > 1e-3


def test_intervals_count_and_dates_do_not(shaken):
    model, features = shaken
    outputs = _outputs(model, features, [100, 110, 500, 900])
    a_year_later = [time + 31_536_000 for time in (100, 110, 500, 900)]
    np.testing.assert_allclose(outputs, _outputs(model, features, a_year_later), atol=1e-6)


def test_without_a_clock_all_times_are_unknown(shaken):
    model, features = shaken
    np.testing.assert_array_equal(_outputs(model, features, None), _outputs(model, features, [0, 0, 0, 0]))


def test_one_window_in_ten_is_trained_without_its_times(world):
    tower = {"kind": "history", "blocks": 1, "dropout": 0.0, "cold_start_fraction": 0.0}
    model, reader, _ = worlds.assemble(world, worlds.settings(model={"query_tower": tower}))
    worlds.shake(model.query_tower)
    features = reader.eval_batch(tf.constant(worlds.read(world.windows["eval"])[:1])).features
    timed, untimed = (_outputs(model, features, clock) for clock in ([100, 110, 500, 900], None))
    # Traced once, because it is called often.
    trained = tf.function(lambda step: _embedded(model, features, [100, 110, 500, 900], Noise(1, step)))
    without = 0
    for step in range(300):
        found = trained(tf.constant(step)).numpy()
        is_untimed = bool(np.abs(found - untimed).max() < 1e-5)
        np.testing.assert_allclose(found, untimed if is_untimed else timed, atol=1e-5)
        without += is_untimed
    # 300 draws with probability 0.1: mean 30, standard deviation 5.2; 4 deviations are allowed.
    assert 9 <= without <= 51


def test_a_tower_without_intervals_ignores_times(world, shaken):
    tower = HistoryTowerSection(time_intervals=False).model_dump(mode="json")
    model, _, _ = worlds.assemble(world, worlds.settings(model={"query_tower": tower}))
    assert not any("interval" in weight.name or "gap" in weight.name for weight in model.query_tower.weights)
    _, features = shaken
    outputs = _outputs(model, features, [100, 110, 500, 900])
    np.testing.assert_array_equal(outputs, _outputs(model, features, [100, 9_000, 10_000, 90_000]))
