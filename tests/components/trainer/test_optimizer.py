"""Learning rates, and AdamW for tables of which a step reads few rows."""

import numpy as np
import pytest
import tensorflow as tf

from components.trainer.optimizer import Optimizer, RowAdamW, WarmUpSchedule
from shortlist.config.train import Train
from tests.components.trainer import tiny_dataset as worlds

BETA_2, EPSILON = 0.999, 1e-7


def _slices(rows, values):
    return tf.IndexedSlices(tf.constant(values, tf.float32), tf.constant(rows))


def _trained(table, gradients, decay=0.0, rate=0.1):
    """Returns the table after steps with the gradients; None is a step that does not read it."""
    table = tf.Variable(table)
    optimizer = RowAdamW([table], decay, BETA_2, EPSILON)
    for step, gradient in enumerate(gradients, start=1):
        if gradient is not None:
            optimizer.apply(_slices(*gradient), table, tf.constant(step), tf.constant(rate))
    return table.numpy()


def test_the_learning_rate_rises_then_falls_to_zero():
    cosine = WarmUpSchedule(0.4, warm_up_steps=4, total_steps=12, cosine=True)
    # Steps 0 to 3 rise in quarters; half-way between 4 and 12 the cosine is at one half.
    rates = [float(cosine(tf.constant(step))) for step in (0, 1, 3, 4, 8, 12, 20)]
    assert rates == pytest.approx([0.1, 0.2, 0.4, 0.4, 0.2, 0.0, 0.0], abs=1e-7)
    constant = WarmUpSchedule(0.4, warm_up_steps=0, total_steps=12, cosine=False)
    assert [float(constant(tf.constant(step))) for step in (0, 11)] == pytest.approx([0.4, 0.4])


def test_biases_and_norms_do_not_decay(trained):
    model = trained[0]
    optimizer = Optimizer(model, Train(learning_rate=1e-12, weight_decay=0.5), 10)
    decaying = [weight for weight in model.trainable_variables if optimizer.dense._use_weight_decay(weight)]
    assert decaying
    assert all(weight.shape.rank == 2 for weight in decaying)


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_on_rows_that_every_step_reads_it_is_adamw_without_momentum(decay):
    values = np.random.default_rng(1).normal(size=(6, 3, 2))
    ours = _trained([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [([0, 1, 2], value) for value in values], decay)
    table = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    keras = tf.keras.optimizers.AdamW(0.1, weight_decay=decay, beta_1=0.0, beta_2=BETA_2, epsilon=EPSILON)
    for value in values:
        keras.apply_gradients([(tf.constant(value, tf.float32), table)])
    np.testing.assert_allclose(ours, table, rtol=1e-5)


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_steps_that_do_not_read_a_row_count_as_steps_without_gradient(decay):
    # Dense AdamW gets gradients of zero in the steps that do not read the row.
    gradients = [2.0, 0.0, 0.0, -1.0, 0.0, 3.0]
    ours = _trained([[1.0, -1.0]], [([0], [[g, 2 * g]]) if g else None for g in gradients], decay)
    table = tf.Variable([[1.0, -1.0]])
    keras = tf.keras.optimizers.AdamW(0.1, weight_decay=decay, beta_1=0.0, beta_2=BETA_2, epsilon=EPSILON)
    for g in gradients:
        keras.apply_gradients([(tf.constant([[g, 2 * g]]), table)])
    np.testing.assert_allclose(ours, table, rtol=1e-5)


def test_a_row_by_hand():
    # First read in step 3 with gradient 2: the mean square is .001 * 4, unbiased .004 / (1 - .999^3) = 1.3347; the
    # decay of three steps is (1 - .1 * .5)^3 = .857375. 1 * .857375 - .1 * 2 / sqrt(1.3347) = .684256.
    found = _trained([[1.0]], [None, None, ([0], [[2.0]])], decay=0.5)
    assert found[0, 0] == pytest.approx(0.857375 - 0.2 / (0.004 / (1 - 0.999**3)) ** 0.5, rel=1e-4)
    assert found[0, 0] == pytest.approx(0.684256, abs=1e-4)


def test_equal_rows_are_summed_and_rows_without_gradient_stay():
    start = [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0]]
    # Row 1 is named twice, row 0 with a gradient of zero, row 2 with a sum of zero; row 3 is not named.
    found = _trained(start, [([1, 0, 2, 1, 2], [[1, 2], [0, 0], [1, 1], [3, 4], [-1, -1]])], decay=0.5)
    assert found[[0, 2, 3]].tolist() == [start[0], start[2], start[3]]
    np.testing.assert_allclose(found, _trained(start, [([1], [[4, 6]])], decay=0.5))


def test_a_step_moves_only_the_rows_that_it_reads(world):
    loss = {"kind": "sampled", "in_batch_negatives": 0, "uniform_negatives": 1}
    settings = worlds.settings(train={"loss": loss, "weight_decay": 0.1})
    model, reader, corpus = worlds.assemble(world, settings)
    optimizer = Optimizer(model, settings.train, 10)
    batch = reader.train_batch(tf.constant(worlds.read(world.windows["train"])[:1]), worlds.SEED)
    with tf.GradientTape() as tape:
        value = model.compute_loss(batch)
    gradients = tape.gradient(value, optimizer.weights)
    read = {
        id(weight): set(gradient.indices.numpy())
        for gradient, weight in zip(gradients, optimizer.weights, strict=True)
        if optimizer.rows.has(weight)
    }
    before = [weight.numpy() for weight in optimizer.weights]
    optimizer.apply(gradients)
    moved = {}
    for weight, old in zip(optimizer.weights, before, strict=True):
        changed = np.flatnonzero((weight.numpy() != old).reshape(len(old), -1).any(axis=1))
        if optimizer.rows.has(weight):
            assert set(changed) <= read[id(weight)]
            moved[weight.name] = len(changed)
        else:
            assert len(changed)
    trained = int((corpus.counts > 0).sum())
    assert 0 < moved["candidate_id_embedding:0"] < trained
    assert len(moved) == len(model.tables) > 3


def test_losses_that_read_the_whole_catalogue_have_dense_gradients(trained):
    optimizer = Optimizer(trained[0], Train(), 10)
    assert not any(optimizer.rows.has(weight) for weight in optimizer.weights)


def test_a_checkpoint_has_the_state_of_tables_and_other_weights(world, tmp_path):
    settings = worlds.settings(train={"loss": {"kind": "sampled"}})

    def step(model, optimizer):
        optimizer.apply(
            [
                _slices([0], tf.ones([1, weight.shape[1]])) if optimizer.rows.has(weight) else tf.ones(weight.shape)
                for weight in optimizer.weights
            ]
        )
        return [weight.numpy() for weight in model.trainable_variables]

    first, second = (worlds.assemble(world, settings)[0] for _ in range(2))
    optimizers = [Optimizer(model, settings.train, 10) for model in (first, second)]
    step(first, optimizers[0])
    states = [
        tf.train.Checkpoint(model=model, optimizer=optimizer)
        for model, optimizer in zip((first, second), optimizers, strict=True)
    ]
    path = states[0].write(str(tmp_path / "state"))
    states[1].read(path).assert_existing_objects_matched()
    # The second step is the same after a restart.
    for weight, other in zip(step(first, optimizers[0]), step(second, optimizers[1]), strict=True):
        np.testing.assert_array_equal(weight, other)
