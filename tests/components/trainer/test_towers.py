import numpy as np
import pytest
import tensorflow as tf

from components.trainer.dataset import WindowReader
from components.trainer.features import FeatureSpec, mean_embedding
from components.trainer.noise import Noise, dropout
from components.trainer.towers import FeaturesTower
from shortlist import keys
from shortlist.config import types
from tests.components.trainer import world as worlds


def _query(model, features, history):
    return model.embed_queries(features, tf.constant(history, tf.int32), model.embed_candidates()).numpy()


def _outputs(model, features, items, count):
    """Returns what the tower says at each position from 0 to `count` of one window, [count + 1, embedding_dim]."""
    embedded = tf.gather(model.embed_candidates(), items)[tf.newaxis]
    positions = tf.range(count + 1)
    return model.query_tower(features, embedded, tf.zeros_like(positions), positions).numpy()


@pytest.fixture(scope="module")
def features(trained, world):
    """Transformed features of five queries."""
    _, reader, _, _ = trained
    return reader.eval_batch(tf.constant(worlds.read(world.windows["eval"])[:5])).features


def _of(features, row):
    return {name: column[row : row + 1] for name, column in features.items()}


def test_items_after_a_position_do_not_change_its_output(trained, features):
    model, *_ = trained
    one = _of(features, 1)
    before = _outputs(model, one, [3, 5, 7, 9, 11], 5)
    after = _outputs(model, one, [3, 5, 8, 2, 1], 5)
    # Position p has seen p items: up to 2 they are the same ones.
    np.testing.assert_allclose(before[:3], after[:3], atol=1e-6)
    assert np.abs(before[3:] - after[3:]).max(axis=1).min() > 1e-3


def test_the_order_of_a_history_counts(trained, features):
    model, *_ = trained
    one = _of(features, 1)
    assert np.abs(_query(model, one, [[3, 5, 7]]) - _query(model, one, [[5, 3, 7]])).max() > 1e-3


def test_padding_at_the_right_has_no_influence(trained, features):
    model, *_ = trained
    one = _of(features, 1)
    np.testing.assert_allclose(_query(model, one, [[3, 5, -1, -1]]), _query(model, one, [[3, 5]]), atol=1e-6)


def test_an_empty_history_is_finite_and_still_tells_queries_apart(trained, features):
    model, *_ = trained
    empty = _query(model, features, np.full([5, 3], -1))
    assert np.isfinite(empty).all()
    np.testing.assert_allclose(empty, _query(model, features, np.zeros([5, 0])), atol=1e-6)
    assert np.abs(empty[1] - empty[2]).max() > 1e-3


def test_a_query_does_not_depend_on_its_batch(trained, features):
    model, *_ = trained
    histories = [[1, 2, 3, 4], [5, -1, -1, -1], [-1, -1, -1, -1], [6, 7, -1, -1], [8, 9, 10, -1]]
    together = _query(model, features, histories)
    for row, history in enumerate(histories):
        np.testing.assert_allclose(_query(model, _of(features, row), [history]), together[row : row + 1], atol=1e-6)


def test_a_tower_reads_embeddings_of_candidates_not_their_ids(trained, features):
    # Gradients of every position reach the candidate tower.
    model, *_ = trained
    with tf.GradientTape() as tape:
        candidates = model.embed_candidates()
        tape.watch(candidates)
        query = model.embed_queries(_of(features, 0), tf.constant([[3, 5]]), candidates)
        total = tf.reduce_sum(query * tf.range(8.0))
    gradient = tf.convert_to_tensor(tape.gradient(total, candidates)).numpy()
    assert set(np.flatnonzero(np.abs(gradient).sum(axis=1))) == {3, 5}


def test_a_candidate_does_not_depend_on_its_batch(trained):
    model, *_ = trained
    everything = model.embed_candidates().numpy()
    np.testing.assert_allclose(model.embed_candidates(tf.constant([7, 2])).numpy(), everything[[7, 2]], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(everything, axis=1), 1.0, atol=1e-5)


def _candidate_tower(world, **config):
    model, _, corpus = worlds.assemble(world, worlds.settings(model={"candidate_tower": config}))
    return model.candidate_tower, corpus


def test_an_unseen_candidate_is_what_its_features_say(world):
    tower, corpus = _candidate_tower(world)
    unseen = corpus.ids.tolist().index(worlds.UNSEEN)
    assert corpus.counts[unseen] == 0
    # One id embedding for each of the others, none for it.
    [ids] = [weight for weight in tower.trainable_variables if "candidate_id" in weight.name]
    assert ids.shape[0] == worlds.NUM_CANDIDATES - 1
    before = tower(None).numpy()
    ids.assign_add(tf.ones_like(ids))
    moved = np.abs(tower(None).numpy() - before).max(axis=1) > 1e-3
    assert np.flatnonzero(~moved).tolist() == [unseen]


def test_without_ids_equal_features_mean_equal_embeddings(world):
    tower, corpus = _candidate_tower(world, use_candidate_id=False)
    assert not any("candidate_id" in weight.name for weight in tower.trainable_variables)
    embeddings = tower(None).numpy()
    # c00 and c12 differ in year alone, c00 and c15 in genre: nothing is equal but what we make equal.
    features = {name: column.copy() for name, column in corpus.features.items()}
    for column in features.values():
        column[12] = column[0]
    tower._features = {name: tf.constant(column) for name, column in features.items()}
    twins = tower(None).numpy()
    np.testing.assert_array_equal(twins[12], twins[0])
    assert np.abs(embeddings[12] - embeddings[0]).max() > 1e-3


def test_hidden_layers_keep_the_width(world):
    tower, _ = _candidate_tower(world, hidden_units=[5, 3])
    assert tower(None).shape == [worlds.NUM_CANDIDATES, 8]


def _features_tower(**config):
    tower = FeaturesTower(types.FeaturesTower.model_validate(config), [FeatureSpec("city", 2)], 3, 4)
    tower._common.assign(tf.ones_like(tower._common))
    return tower


def _embed(tower, query_ids, cities):
    features = {keys.QUERY_ID: tf.constant(query_ids, tf.int64), "city": tf.constant(cities, tf.int64)}
    windows = tf.range(len(query_ids))
    return tower(features, None, windows, tf.zeros_like(windows)).numpy()


def test_an_unknown_query_is_one_without_an_id():
    tower = _features_tower(None)
    # Ids 0, 1 and 2 are known, 3 is what Transform makes of all others.
    known, unknown = _embed(tower, [[1], [3]], [[0], [0]])
    assert np.abs(known - unknown).max() > 1e-3
    city = tower._encoder({"city": tf.constant([[0]], tf.int64)})[0]
    np.testing.assert_allclose(unknown, 1.0 + city, atol=1e-6)
    for weight in (tower._ids,):
        weight.assign(weight * 7.0)
    np.testing.assert_array_equal(_embed(tower, [[1], [3]], [[0], [0]])[1], unknown)


def test_a_features_tower_may_do_without_ids_and_repeats_a_query_for_each_of_its_targets():
    tower = _features_tower(use_query_id=False, hidden_units=[6])
    rows = _embed(tower, [[0], [1], [2]], [[0], [0], [1]])
    np.testing.assert_array_equal(rows[0], rows[1])
    features = {keys.QUERY_ID: tf.constant([[0], [2]], tf.int64), "city": tf.constant([[0], [1]], tf.int64)}
    repeated = tower(features, None, tf.constant([0, 0, 1]), tf.constant([0, 1, 0])).numpy()
    np.testing.assert_allclose(repeated, rows[[0, 1, 2]], atol=1e-6)


def test_a_mean_embedding_skips_padding():
    # (1 + 3) / 2, and zeros where there is nothing.
    table = tf.constant([[1.0, 0.0], [5.0, 5.0], [3.0, 2.0]])
    np.testing.assert_allclose(mean_embedding(table, tf.constant([[0, 2, -1], [-1, -1, -1]])), [[2, 1], [0, 0]])


def test_dropout_is_a_function_of_seed_step_and_draw():
    values = tf.ones([1000])
    first = dropout(values, 0.5, Noise(1, tf.constant(3))).numpy()
    np.testing.assert_array_equal(first, dropout(values, 0.5, Noise(1, tf.constant(3))))
    assert set(first.tolist()) == {0.0, 2.0}
    noise = Noise(1, tf.constant(3))
    noise.draw()
    others = [noise, Noise(2, tf.constant(3)), Noise(1, tf.constant(4))]
    assert all(np.any(first != dropout(values, 0.5, other).numpy()) for other in others)
    np.testing.assert_array_equal(dropout(values, 0.5, None), values)


def _window(history, times, targets, target_times):
    return worlds.example(
        query_id=[b"q01"],
        history_ids=[b"c%02d" % item for item in history],
        history_times=times,
        target_ids=[b"c%02d" % item for item in targets],
        target_times=target_times,
        target_weights=[1.0] * len(targets),
        seen_ids=sorted({b"c%02d" % item for item in history + targets}),
        city=[b"town1"],
    )


_WINDOWS = [
    # 99 is not in the catalogue. The third target's basket is the fourth's.
    _window([1, 99, 2, 3], [100, 100, 100, 101], [4, 5, 6, 7], [101, 102, 103, 103]),
    _window([], [], [8, 9], [50, 50]),
]


@pytest.mark.parametrize(
    ("split", "positions"),
    [
        # Each target looks back on all before it.
        ("leave_last_out", [[3, 4, 5, 6], [0, 1]]),
        # Target 4 at 101 sees 1 and 2, not 3 at 101; 5 at 102 sees 1, 2, 3, 4; 6 and 7 at 103 see 1, 2, 3, 4, 5.
        ("leave_last_basket", [[2, 4, 5, 5], [0, 0]]),
    ],
)
def test_what_a_target_looks_back_on(world, trained, split, positions):
    _, _, corpus, _ = trained
    reader = WindowReader(worlds.settings(split=split), corpus.ids, worlds.transform_output(world))
    batch = reader.train_batch(tf.constant(_WINDOWS))
    np.testing.assert_array_equal(batch.items, [[1, 2, 3, 4, 5, 6], [8, 9, -1, -1, -1, -1]])
    np.testing.assert_array_equal(batch.targets, [[4, 5, 6, 7], [8, 9, -1, -1]])
    assert batch.positions.numpy()[0].tolist() == positions[0]
    assert batch.positions.numpy()[1, :2].tolist() == positions[1]


def test_a_basket_is_not_history_of_its_own_items(world):
    settings = worlds.settings(split="leave_last_basket")
    model, reader, _ = worlds.assemble(world, settings)

    def last_two(third):
        window = _window([1, 2], [100, 100], [4, third, 7], [101, 103, 103])
        batch = reader.train_batch(tf.constant([window]))
        items = tf.gather(model.embed_candidates(), batch.items)
        return model.query_tower(batch.features, items, tf.zeros([3], tf.int32), batch.positions[0]).numpy()[1:]

    # What the target at 103 sees does not depend on the other one of its basket.
    np.testing.assert_allclose(last_two(6), last_two(9), atol=1e-6)
    np.testing.assert_allclose(*last_two(6), atol=1e-6)


def test_an_embedding_does_not_depend_on_the_rest_of_the_batch(trained, world):
    model, reader, _, _ = trained
    records = worlds.read(world.windows["eval"])[:4]
    features = reader.eval_batch(tf.constant(records)).features
    candidates = model.embed_candidates()
    histories = tf.constant([[1, 2, 3, 4], [5, -1, -1, -1], [-1, -1, -1, -1], [6, 7, -1, -1]])
    together = model.embed_queries(features, histories, candidates).numpy()
    for row in range(4):
        alone = {name: column[row : row + 1] for name, column in features.items()}
        history = histories[row : row + 1]
        # Its own padding goes too.
        history = history[:, : tf.reduce_sum(tf.cast(history >= 0, tf.int32))]
        np.testing.assert_allclose(model.embed_queries(alone, history, candidates), together[row : row + 1], atol=1e-6)


def test_only_the_items_of_a_history_reach_its_output(trained, world):
    model, reader, _, _ = trained
    features = reader.eval_batch(tf.constant(worlds.read(world.windows["eval"])[:1])).features
    with tf.GradientTape() as tape:
        candidates = model.embed_candidates()
        tape.watch(candidates)
        query = model.embed_queries(features, tf.constant([[3, 5, -1]]), candidates)
        total = tf.reduce_sum(query * tf.range(float(query.shape[1])))
    gradient = tf.convert_to_tensor(tape.gradient(total, candidates)).numpy()
    assert np.flatnonzero(np.abs(gradient).sum(axis=1)).tolist() == [3, 5]
