import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.trainer.features import (
    FeatureEncoder,
    FeatureSpec,
    feature_specs,
    mean_embedding,
    met_values,
    to_dense,
)
from components.trainer.noise import Noise, dropout
from tests.components.trainer import tiny_dataset as worlds


def test_mean_embedding_by_hand():
    table = tf.constant([[1.0, 0.0], [3.0, 4.0], [5.0, 8.0]])
    # Row 0: the mean of values 1 and 2. Row 1: value 0 alone. Row 2: nothing.
    means = mean_embedding(table, tf.constant([[1, 2], [0, -1], [-1, -1]]))
    assert means.numpy().tolist() == [[4.0, 6.0], [1.0, 0.0], [0.0, 0.0]]
    assert mean_embedding(table, tf.zeros([2, 0], tf.int64)).numpy().tolist() == [[0.0, 0.0]] * 2


def test_sparse_ids_are_padded_with_minus_one_and_numbers_stay():
    sparse = tf.SparseTensor([[0, 0], [0, 1], [2, 0]], tf.constant([4, 5, 6], tf.int64), [3, 2])
    assert to_dense(sparse).numpy().tolist() == [[4, 5], [-1, -1], [6, -1]]
    assert to_dense(tf.constant([[0.5]])).numpy().tolist() == [[0.5]]


def test_specs_have_the_vocabularies_of_the_graph(world):
    transform = tft.TFTransformOutput(world.transform)
    specs = feature_specs(worlds.features(worlds.QUERY_FEATURES), transform)
    sizes = {spec.name: spec.vocabulary_size for spec in specs}
    # bio: likes, g0, g1, g2. city: town0, town1. tags: t0, t1, t2.
    assert sizes == {"age": None, "bio": 4, "city": 2, "joined": None, "tags": 3}


def test_the_encoder_adds_up_its_features():
    encoder = FeatureEncoder([FeatureSpec("kind", 2), FeatureSpec("price", None)], 3)
    both = encoder({"kind": tf.constant([[0, 2]]), "price": tf.constant([[2.0]])})
    kind = encoder({"kind": tf.constant([[0, 2]]), "price": tf.constant([[0.0]])})
    price = encoder({"kind": tf.constant([[-1, -1]]), "price": tf.constant([[2.0]])})
    np.testing.assert_allclose(both, kind + price, rtol=1e-6)
    assert np.abs(kind).min() > 0


def test_met_values_are_those_of_candidates_with_train_targets():
    specs = [FeatureSpec("kind", 3), FeatureSpec("price", None)]
    features = {"kind": np.array([[0, 1], [2, -1], [3, -1]]), "price": np.zeros((3, 1), np.float32)}
    # Candidate 1 has no train target, so that value 2 was never met. Id 3 is all that the vocabulary lacks.
    met = met_values(specs, features, np.array([5, 0, 1]))
    assert {name: values.tolist() for name, values in met.items()} == {"kind": [True, True, False, True]}


def test_an_unmet_value_is_a_missing_one():
    specs = [FeatureSpec("kind", 3), FeatureSpec("price", None)]
    encoder = FeatureEncoder(specs, 4, met={"kind": np.array([True, True, False, False])})
    ids = np.array([[0, 2], [2, 3], [-1, 1]], np.int32)
    known = encoder.without_unmet({"kind": tf.constant(ids), "price": tf.constant([[1.0], [2.0], [3.0]])})
    assert known["kind"].numpy().tolist() == [[0, -1], [-1, -1], [-1, 1]]
    # The unmet value does not count in the mean, either.
    alone = encoder({"kind": tf.constant([[0], [-1], [1]]), "price": known["price"]})
    np.testing.assert_allclose(encoder(known), alone, rtol=1e-6)


def test_the_rows_of_unmet_values_are_zero_and_others_as_drawn():
    # A warm start copies rows by value: a value that is met later must not begin with a random vector.
    found = []
    for met in ({"kind": np.array([True, False, True, False])}, None):
        tf.keras.utils.set_random_seed(1)
        [table] = FeatureEncoder([FeatureSpec("kind", 3)], 4, met=met).tables
        found.append(table.numpy())
    zeroed, drawn = found
    np.testing.assert_array_equal(zeroed[[0, 2]], drawn[[0, 2]])
    assert np.abs(drawn[1]).min() > 0.0
    assert (zeroed[[1, 3]] == 0.0).all()


def test_values_outside_of_the_vocabulary_are_zero_until_train_meets_one():
    tf.keras.utils.set_random_seed(1)
    encoder = FeatureEncoder([FeatureSpec("kind", 2)], 4)
    [table] = encoder.tables
    first = table.numpy()
    assert (first[2] == 0.0).all()
    assert np.abs(first[:2]).min() > 0.0
    # Of AdamW with weight decay, as of rows that a step does not read.
    optimizer = tf.keras.optimizers.AdamW(0.1, weight_decay=0.5)
    optimizer.apply_gradients([(tf.constant([[1.0] * 4, [0.0] * 4, [0.0] * 4]), table)])
    assert (table.numpy()[2] == 0.0).all()
    assert (table.numpy()[:2] != first[:2]).all()
    optimizer.apply_gradients([(tf.constant([[0.0] * 4, [0.0] * 4, [1.0] * 4]), table)])
    assert (table.numpy()[2] < 0.0).all()


def test_an_outlier_counts_no_more_than_five_deviations():
    encoder = FeatureEncoder([FeatureSpec("price", None)], 3)
    far, five = (encoder({"price": tf.constant([[value]])}).numpy() for value in (1e6, 5.0))
    assert far.tolist() == five.tolist()


def test_dropout_is_a_function_of_seed_step_and_draw():
    values = tf.ones([1000])

    def draws(seed, step):
        noise = Noise(seed, tf.constant(step, tf.int64))
        return [dropout(values, 0.2, noise).numpy() for _ in range(2)]

    first, second = draws(1, 5)
    assert (first == draws(1, 5)[0]).all()
    for other in (second, draws(1, 6)[0], draws(2, 5)[0]):
        assert (first != other).any()
    # 51 of 256 byte values are dropped.
    assert np.unique(first).tolist() == pytest.approx([0.0, 256 / 205])
    assert (first == 0).mean() == pytest.approx(0.2, abs=0.05)
    assert dropout(values, 0.2, None) is values


@pytest.mark.parametrize("shape", [[0, 3], [1], [5, 7, 3]])
def test_dropout_of_any_shape_and_a_rate_below_a_256th(shape):
    dropped = dropout(tf.ones(shape), 0.0001, Noise(1, tf.constant(1)))
    assert dropped.shape == shape
    assert set(np.unique(dropped)) <= {np.float32(0.0), np.float32(256 / 255)}
