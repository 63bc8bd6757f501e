"""Settings that a model shares with the one that its training begins from."""

import pytest

from components.trainer.warm_start.settings import check_same_shapes
from shortlist.config.split import WindowsSection
from shortlist.errors import ConfigError
from tests.components.trainer import tiny_dataset as worlds


def tower(**changed):
    return {"query_tower": {"kind": "history", "blocks": 1, **changed}}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": {"embedding_dim": 16}}, "model.embedding_dim: expected 8, as in the latest blessed model, .*got 16"),
        ({"model": tower(blocks=2)}, r"model.query_tower.blocks: expected 1, .*got 2; change it back, or train"),
        ({"model": tower(heads=2)}, r"model.query_tower.heads: expected 1, .*got 2"),
        ({"model": {"query_tower": {"kind": "features"}}}, r"data.windows.max_history: expected 4, .*got nothing"),
        ({"model": {"candidate_tower": {"hidden_units": [8]}}}, r"model.candidate_tower.hidden_units: expected \[\]"),
        ({"model": {"normalize": True}}, "model.normalize: expected False, .*got True"),
        ({"model": {"query_time": {"knots": 4}}}, "model.query_time: expected None, .*got nothing"),
        ({"sizes": WindowsSection(max_history=5, max_targets=4)}, "data.windows.max_history: expected 4, .*got 5"),
    ],
)
def test_other_shapes_are_refused_by_their_key(changed, message):
    with pytest.raises(ConfigError, match=message):
        check_same_shapes(worlds.settings(**changed), worlds.settings())


def test_what_acts_in_training_alone_may_change():
    changed = worlds.settings(
        model=tower(dropout=0.5, cold_start_fraction=0.2) | {"candidate_tower": {"id_dropout": 0.5}},
        train={"batch_size": 4, "learning_rate": 0.5, "loss": {"kind": "in_batch"}},
        interactions=None,
    )
    check_same_shapes(changed, worlds.settings())
    # The features tower reads no positions, whatever the windows' sizes.
    classic = {"query_tower": {"kind": "features"}}
    sizes = WindowsSection(max_history=5, max_targets=4)
    check_same_shapes(worlds.settings(model=classic, sizes=sizes), worlds.settings(model=classic))
