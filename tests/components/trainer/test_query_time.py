import numpy as np
import pytest
import tensorflow as tf

from components.trainer.query_time import QueryTimeEmbedding
from shortlist.config.model import QueryTime
from tests.components.trainer import tiny_dataset as worlds


@pytest.fixture
def embedding():
    layer = QueryTimeEmbedding(QueryTime(knots=3), 2)
    layer.set_weights([np.array([[0.0, 10.0], [1.0, 20.0], [3.0, 0.0]], np.float32)])
    return layer


def test_a_moment_between_two_knots_is_interpolated(embedding):
    moments = embedding(tf.constant([0.0, 0.25, 0.5, 0.75, 1.0])).numpy()
    assert moments.tolist() == [[0, 10], [0.5, 15], [1, 20], [2, 10], [3, 0]]


def test_before_the_first_and_after_the_last_are_those(embedding):
    assert embedding(tf.constant([-5.0, 7.0])).numpy().tolist() == [[0, 10], [3, 0]]


@pytest.mark.parametrize("tower", ["history", "features"])
def test_demand_that_comes_and_goes_is_learned(world, tower):
    model, reader, _ = worlds.assemble(
        world, worlds.settings(model={"query_tower": {"kind": tower}, "query_time": {"knots": 2}})
    )
    batch = reader.train_batch(tf.constant(worlds.read(world.windows["train"])), worlds.SEED)
    # For all histories, the target is c01 at the beginning and c02 at the end.
    is_late = batch.times > 0.5
    batch = batch._replace(targets=tf.where(batch.targets >= 0, tf.where(is_late, 2, 1), -1), seen=batch.seen[:, :0])
    optimizer = tf.keras.optimizers.Adam(0.05)
    for _ in range(60):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(batch, training=True)
        optimizer.minimize(loss, model.trainable_variables, tape=tape)
    candidates = model.embed_candidates()
    nobody = {name: column[:1] for name, column in batch.features.items()}
    history = tf.zeros([1, 0], tf.int32)
    for time, best in ((0.0, 1), (1.0, 2)):
        query = model.embed_queries(nobody, history, candidates, tf.constant([time]))
        assert int(tf.argmax(tf.matmul(query, candidates, transpose_b=True), axis=1)) == best
    # By default a query's time is the end of train.
    np.testing.assert_array_equal(model.embed_queries(nobody, history, candidates), query)
