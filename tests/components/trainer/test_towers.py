import numpy as np
import pytest
import tensorflow as tf

from components.trainer.corpus import Corpus
from components.trainer.features import FeatureSpec
from components.trainer.noise import Noise
from components.trainer.towers import CandidateTower, FeaturesTower, HistoryTower, LayerNorm
from shortlist import keys
from shortlist.config import types

_WIDTH = 8
_CORPUS = Corpus(
    ids=np.array([b"a", b"b", b"c", b"d"], object),
    features={"kind": np.array([[0], [1], [0], [-1]], np.int32)},
    counts=np.array([3, 0, 1, 0]),
    sha256="",
)
_KIND = [FeatureSpec("kind", 2)]


def test_a_candidate_unseen_in_train_is_what_its_features_say():
    tower = CandidateTower(types.CandidateTower(), _CORPUS, _KIND, _WIDTH)
    features_only = CandidateTower(types.CandidateTower(use_candidate_id=False), _CORPUS, _KIND, _WIDTH)
    for mine, theirs in zip(tower._encoder.weights, features_only._encoder.weights, strict=True):
        theirs.assign(mine)
    with_ids, without = tower().numpy(), features_only().numpy()
    np.testing.assert_allclose(with_ids[[1, 3]], without[[1, 3]])
    assert np.abs(with_ids[[0, 2]] - without[[0, 2]]).min() > 0
    # `d` has neither: the only vector that claims nothing.
    assert with_ids[3].tolist() == [0.0] * _WIDTH
    # Two ids have an embedding, not four.
    assert tower._ids.shape == [2, _WIDTH]


def test_rows_are_embedded_as_the_whole_corpus_is():
    tower = CandidateTower(types.CandidateTower(hidden_units=(5,)), _CORPUS, _KIND, _WIDTH)
    np.testing.assert_allclose(tower(tf.constant([2, 0])), tower().numpy()[[2, 0]], rtol=1e-6)


def test_a_catalogue_without_features_has_ids():
    tower = CandidateTower(types.CandidateTower(), _CORPUS, [], _WIDTH)
    assert tower().numpy()[1].tolist() == [0.0] * _WIDTH


def _queries(ids, kinds):
    return {keys.QUERY_ID: tf.constant([[number] for number in ids]), "kind": tf.constant([[kind] for kind in kinds])}


def test_an_unknown_query_is_its_features_and_what_all_queries_share():
    tower = FeaturesTower(types.FeaturesTower(), _KIND, 2, _WIDTH)
    tower._common.assign(tf.ones([1, _WIDTH]))
    rows = tf.constant([0, 1, 2])
    # Query ids 2 and 3 are beyond the two that train had.
    embedded = tower(_queries([2, 0, 3], [-1, 1, 1]), None, rows, rows).numpy()
    assert embedded[0].tolist() == [1.0] * _WIDTH
    np.testing.assert_allclose(embedded[1] - embedded[2], tower._ids.numpy()[0], atol=1e-6)


def test_the_features_tower_repeats_a_window_for_each_of_its_targets():
    tower = FeaturesTower(types.FeaturesTower(hidden_units=(5, 6)), _KIND, 2, _WIDTH)
    embedded = tower(_queries([0, 1], [0, 1]), None, tf.constant([1, 1, 0]), tf.constant([0, 1, 0])).numpy()
    assert embedded.shape == (3, _WIDTH)
    assert embedded[0].tolist() == embedded[1].tolist() != embedded[2].tolist()


@pytest.fixture(scope="module")
def tower():
    tf.keras.utils.set_random_seed(1)
    return HistoryTower(types.HistoryTower(heads=2), _KIND, 6, _WIDTH)


def _outputs(tower, items, noise=None):
    """All positions of one window."""
    positions = tf.range(items.shape[1] + 1)
    return tower(_queries([0], [1]), items, tf.zeros_like(positions), positions, noise=noise).numpy()


def test_a_position_sees_the_items_before_it_and_no_others(tower):
    items = tf.random.stateless_normal([1, 5, _WIDTH], [1, 2])
    before = _outputs(tower, items)
    changed = tf.tensor_scatter_nd_update(items, [[0, 3]], tf.ones([1, _WIDTH]))
    after = _outputs(tower, changed)
    # Item 3 is the fourth: positions 0 to 3 have seen at most three items.
    np.testing.assert_allclose(after[:4], before[:4], atol=1e-6)
    assert np.abs(after[4:] - before[4:]).max(axis=1).min() > 1e-3


def test_padding_at_the_right_and_other_windows_change_nothing(tower):
    items = tf.random.stateless_normal([1, 3, _WIDTH], [3, 4])
    alone = _outputs(tower, items)
    padded = tf.concat([items, tf.zeros([1, 2, _WIDTH])], axis=1)
    two = tf.concat([padded, tf.ones([1, 5, _WIDTH])], axis=0)
    together = tower(_queries([0, 1], [1, 0]), two, tf.constant([0, 0]), tf.constant([0, 3])).numpy()
    np.testing.assert_allclose(together, alone[[0, 3]], atol=1e-5)


def test_an_empty_history_is_answered_from_the_features(tower):
    empty = tf.zeros([2, 0, _WIDTH])
    embedded = tower(_queries([0, 1], [0, 1]), empty, tf.constant([0, 1]), tf.constant([0, 0])).numpy()
    assert np.isfinite(embedded).all()
    assert np.abs(embedded[0] - embedded[1]).max() > 1e-3


def test_the_order_of_the_history_matters(tower):
    items = tf.random.stateless_normal([1, 2, _WIDTH], [5, 6])
    there, back = _outputs(tower, items), _outputs(tower, items[:, ::-1])
    assert np.abs(there[2] - back[2]).max() > 1e-3


def test_dropout_acts_only_with_noise(tower):
    items = tf.ones([1, 2, _WIDTH])
    noise = [Noise(1, tf.constant(step)) for step in (0, 1)]
    first, second = (_outputs(tower, items, each) for each in noise)
    assert (first != second).any()
    assert (_outputs(tower, items) == _outputs(tower, items)).all()


def test_layer_norm_by_hand():
    # [1, 3]: mean 2, deviation 1.
    assert LayerNorm(2)(tf.constant([[1.0, 3.0]])).numpy().ravel().tolist() == pytest.approx([-1.0, 1.0], abs=1e-5)
