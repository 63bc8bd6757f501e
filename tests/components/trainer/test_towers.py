import numpy as np
import pytest
import tensorflow as tf

from components.trainer.corpus import Corpus
from components.trainer.features import FeatureSpec
from components.trainer.noise import Noise
from components.trainer.towers.block import CausalBlock, PositionBias
from components.trainer.towers.candidate import CandidateTower
from components.trainer.towers.features import FeaturesTower
from components.trainer.towers.layers import LayerNorm
from shortlist import keys
from shortlist.config.model import CandidateTowerSection, FeaturesTowerSection, HistoryTowerSection
from tests.components.trainer import tiny_dataset as worlds


def _query(model, features, history):
    return model.embed_queries(features, tf.constant(history, tf.int32), model.embed_candidates()).numpy()


def _outputs(model, features, items, count):
    """Returns the tower's outputs at positions 0 to `count` of one window, [count + 1, embedding_dim]."""
    embedded = tf.gather(model.embed_candidates(), items)[tf.newaxis]
    positions = tf.range(count + 1)
    return model.query_tower(features, embedded, tf.zeros_like(positions), positions, tf.ones([count + 1])).numpy()


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


def test_a_value_that_train_never_met_is_missing_in_the_corpus_and_in_descriptions():
    # Candidate 0 has a train target, and thereby value 0. Candidate 1 adds value 1, candidate 2 has it alone.
    kinds = np.array([[0, -1], [0, 1], [1, -1]], np.int32)
    corpus = Corpus(np.array([b"a", b"b", b"c"]), {"kind": kinds}, np.array([1, 0, 0]), "")
    tower = CandidateTower(CandidateTowerSection(use_candidate_id=False), corpus, [FeatureSpec("kind", 2)], 4)
    known, mixed, unknown = tower(None).numpy()
    assert known.any()
    assert (mixed == known).all()
    assert not unknown.any()
    described = tower.embed(tf.constant([-1, -1, -1]), {"kind": tf.constant([[0, 1, 2], [1, 2, -1], [0, 0, -1]])})
    assert (described.numpy() == [known, unknown, known]).all()


def test_a_tower_reads_embeddings_of_candidates_not_their_ids(trained, features):
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
    tower = FeaturesTower(FeaturesTowerSection.model_validate(config), [FeatureSpec("city", 2)], 3, 4)
    tower._common.assign(tf.ones_like(tower._common))
    return tower


def _embed(tower, query_ids, cities):
    features = {keys.QUERY_ID: tf.constant(query_ids, tf.int64), "city": tf.constant(cities, tf.int64)}
    windows = tf.range(len(query_ids))
    return tower(features, None, windows, tf.zeros_like(windows), tf.ones(windows.shape)).numpy()


def test_an_unknown_query_is_one_without_an_id():
    tower = _features_tower()
    # Ids 0, 1 and 2 are known, 3 is what Transform makes of all others.
    known, unknown = _embed(tower, [[1], [3]], [[0], [0]])
    assert np.abs(known - unknown).max() > 1e-3
    city = tower._encoder({"city": tf.constant([[0]], tf.int64)})[0]
    np.testing.assert_allclose(unknown, 1.0 + city, atol=1e-6)
    tower._ids.assign(tower._ids * 7.0)
    np.testing.assert_array_equal(_embed(tower, [[1], [3]], [[0], [0]])[1], unknown)


def test_a_features_tower_may_do_without_ids_and_repeats_a_query_for_each_of_its_targets():
    tower = _features_tower(use_query_id=False, hidden_units=[6])
    rows = _embed(tower, [[0], [1], [2]], [[0], [0], [1]])
    np.testing.assert_array_equal(rows[0], rows[1])
    features = {keys.QUERY_ID: tf.constant([[0], [2]], tf.int64), "city": tf.constant([[0], [1]], tf.int64)}
    repeated = tower(features, None, tf.constant([0, 0, 1]), tf.constant([0, 1, 0]), tf.ones([3])).numpy()
    np.testing.assert_allclose(repeated, rows[[0, 1, 2]], atol=1e-6)


def test_a_candidate_with_neither_id_nor_features_claims_nothing():
    corpus = Corpus(np.array([b"a", b"b"], object), {"kind": np.array([[0], [-1]], np.int32)}, np.array([3, 0]), "")
    for specs in ([FeatureSpec("kind", 2)], []):
        embeddings = CandidateTower(CandidateTowerSection(), corpus, specs, 4)(None).numpy()
        assert embeddings[1].tolist() == [0.0] * 4
        assert np.abs(embeddings[0]).min() > 0


def test_dropout_acts_only_with_noise(trained, features):
    model, *_ = trained
    candidates = tf.stop_gradient(model.embed_candidates())

    def outputs(noise):
        items = tf.gather(candidates, [[3, 5]])
        return model.query_tower(
            _of(features, 1), items, tf.constant([0]), tf.constant([2]), tf.ones([1]), noise=noise
        ).numpy()

    first, again, second = (outputs(Noise(1, tf.constant(step))) for step in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_array_equal(outputs(None), outputs(None))


@pytest.mark.parametrize(
    "tower", [{"heads": 2, "blocks": 1}, {"heads": 2, "blocks": 2, "position_bias": False}], ids=str
)
def test_heads_split_the_width_and_stay_causal(world, features, tower):
    model, _, _ = worlds.assemble(world, worlds.settings(model={"query_tower": {"kind": "history", **tower}}))
    worlds.shake(model.query_tower)
    before = _outputs(model, _of(features, 1), [3, 5, 7], 3)
    after = _outputs(model, _of(features, 1), [3, 5, 8], 3)
    np.testing.assert_allclose(before[:3], after[:3], atol=1e-6)
    assert np.abs(before[3] - after[3]).max() > 1e-3


def test_a_block_asked_for_some_places_says_what_it_says_there_of_all():
    block = CausalBlock(HistoryTowerSection(heads=2), 8, 6)
    worlds.shake(block)
    hidden = tf.random.stateless_normal([3, 5, 8], (1, 2))
    everywhere = tf.reshape(block(hidden), [15, 8])
    np.testing.assert_allclose(
        block(hidden, outputs=tf.constant([14, 0, 7])), tf.gather(everywhere, [14, 0, 7]), atol=1e-6
    )


def test_a_new_block_is_the_identity_and_learns_at_once():
    block = CausalBlock(HistoryTowerSection(heads=2), 8, 6)
    hidden = tf.random.stateless_normal([3, 5, 8], (1, 2))
    with tf.GradientTape() as tape:
        found = block(hidden)
        loss = tf.reduce_sum(tf.square(found))
    np.testing.assert_array_equal(found, hidden)
    gradients = tape.gradient(loss, block.trainable_weights)
    moved = {
        tuple(weight.shape)
        for weight, gradient in zip(block.trainable_weights, gradients, strict=True)
        if gradient is not None and np.abs(tf.convert_to_tensor(gradient)).max() > 0 and weight.shape.rank == 2
    }
    # The last layers of both branches; through them, the others learn from the second step on.
    assert moved == {(8, 8), (32, 8)}


def test_position_bias_is_a_score_for_each_distance():
    bias = PositionBias(2, 3)
    bias.set_weights([np.array([[0.0, 1.0, 2.0], [5.0, 6.0, 7.0]])])
    below = np.tril(bias(tf.constant(3)).numpy())
    assert below.tolist() == [[[0, 0, 0], [1, 0, 0], [2, 1, 0]], [[5, 0, 0], [6, 5, 0], [7, 6, 5]]]


def test_layer_norm_by_hand():
    # [1, 3]: mean 2, deviation 1.
    assert LayerNorm(2)(tf.constant([[1.0, 3.0]])).numpy().ravel().tolist() == pytest.approx([-1.0, 1.0], abs=1e-5)


def test_id_dropout_leaves_candidates_to_their_features_in_training_alone(world):
    settings = worlds.settings(model={"candidate_tower": {"id_dropout": 0.5}})
    tower = worlds.assemble(world, settings)[0].candidate_tower
    whole = tower(None).numpy()
    weights = {weight.name.partition(":")[0]: weight for weight in tower.trainable_variables}
    ids = weights["candidate_id_embedding"]
    saved = ids.numpy()
    ids.assign(tf.zeros_like(ids))
    by_features = tower(None).numpy()
    ids.assign(saved)

    dropped = np.zeros(worlds.NUM_CANDIDATES)
    for step in range(200):
        trained = tower(None, noise=Noise(1, tf.constant(step))).numpy()
        without = np.abs(trained - by_features).max(axis=1) < 1e-6
        np.testing.assert_allclose(trained[~without], whole[~without], atol=1e-6)
        dropped += without
    # c19 is no train target and has no id to lose; 200 coins fall within 5 standard deviations of 100.
    assert dropped[19] == 200
    assert np.abs(dropped[:19] - 100).max() < 5 * 50**0.5


def test_without_features_no_candidate_loses_its_id():
    corpus = Corpus(np.array([b"a", b"b"], object), {}, np.array([3, 1]), "")
    tower = CandidateTower(CandidateTowerSection(id_dropout=0.9), corpus, [], 4)
    for step in range(5):
        np.testing.assert_array_equal(tower(None, noise=Noise(1, tf.constant(step))), tower(None))


def test_cold_start_targets_are_embedded_like_cold_start_queries_when_served(world, features):
    tower = {"kind": "history", "dropout": 0.0, "cold_start_fraction": 1 - 1e-9}
    model, _, _ = worlds.assemble(world, worlds.settings(model={"query_tower": tower}))
    worlds.shake(model.query_tower)
    windows, times = tf.repeat(tf.range(5), 2), tf.ones([10])
    items = tf.gather(model.embed_candidates(), tf.random.stateless_uniform([5, 4], (1, 2), 0, 20, tf.int32))
    nothing = {
        name: -tf.ones_like(column) if column.dtype.is_integer else tf.zeros_like(column)
        for name, column in features.items()
    }
    by_features, by_nothing = (
        model.query_tower(columns, items[:, :0], windows, tf.zeros_like(windows), times).numpy()
        for columns in (features, nothing)
    )
    anonymous = 0
    for step in range(40):
        noise = Noise(1, tf.constant(step))
        queries = model.query_tower(features, items, windows, tf.tile([1, 3], [5]), times, noise=noise).numpy()
        is_anonymous = np.abs(queries - by_nothing).max(axis=1) < 1e-5
        np.testing.assert_allclose(queries[~is_anonymous], by_features[~is_anonymous], atol=1e-5)
        anonymous += is_anonymous.sum()
    # 400 coins fall within 5 standard deviations of 200.
    assert abs(anonymous - 200) < 5 * 100**0.5
