"""The section `tune`: valid values, and the error for each invalid one."""

import pytest

from shortlist.config import space
from shortlist.config.load import parse_config
from shortlist.config.losses import CorpusLoss
from shortlist.config.model import HistoryTowerSection, Model
from shortlist.config.train import Train
from shortlist.config.values import with_values
from shortlist.errors import ConfigError


def _config(tune, **sections):
    table = {"path": "x.csv"}
    data = {"interactions": table, "candidates": table, "schemas": "schemas"}
    return parse_config({"name": "x", "workspace": "w", "data": data, "tune": tune, **sections}, "x.yaml")


def _settings(config):
    return space.settings(config.tune, {"model": config.model, "train": config.train})


@pytest.mark.parametrize(
    ("searched", "said"),
    [
        (
            {"train.learning_rat": [1]},
            "'train.learning_rat' is not a setting of this config's model or train; did you mean",
        ),
        ({"train.loss.logq": [True]}, "'train.loss.logq' is not a setting of this config's model or train"),
        (
            {"model": [1]},
            "'model' is not a setting of this config's model or train; expected one of model.query_tower.blocks",
        ),
        ({"train.learning_rate": []}, "tune.space.train.learning_rate: expected at least one value, got an empty list"),
        ({"train.learning_rate": {"min": 1, "max": 1}}, "expected min below max, got the empty range 1 to 1"),
        (
            {"train.learning_rate": {"min": 1}},
            "expected a list of values, or both min and max, got an incomplete range",
        ),
        ({"train.learning_rate": {"min": 0, "max": 1, "log": True}}, "expected min above 0 with log, got 0"),
        (
            {"train.learning_rate": {"values": [1], "max": 1}},
            "expected either values or a range of min and max, got both",
        ),
        ({"train.learning_rate": {"min": 0.1, "mx": 1}}, "unknown key 'tune.space.train.learning_rate.mx'"),
        (
            {"train.learning_rate": [-0.1]},
            "tune.space.train.learning_rate: expected a number, at least 1e-12, at most 10, got -0.1",
        ),
        ({"train.schedule": {"min": 0, "max": 1}}, "tune.space.train.schedule: expected a list of values, got a range"),
        (
            {"train.batch_size": {"min": 8, "max": 64.5}},
            "tune.space.train.batch_size: expected a whole number, at least 1, at most 1,000,000, got 64.5",
        ),
        (
            {"train.workers": [2, 4]},
            "tune.space.train.workers: cannot be searched, because it does not change the model",
        ),
        (
            {"train.seed": [1, 2]},
            "tune.space.train.seed: cannot be searched, because the best seed on eval is only the luckiest",
        ),
        ({"train.loss.kind": ["in_batch"]}, "tune.space.train.loss.kind: cannot be searched"),
        ({"model.query_time": [1]}, "tune.space.model.query_time: cannot be searched, because its own value is null"),
        ({"model.query_tower.heads": [1, 3]}, "query_tower.heads=3 does not divide embedding_dim=64"),
        ({"train.basket_mates": [0.5]}, "train.basket_mates needs split leave_last_basket"),
        ({}, "tune.space: expected at least one setting, got none"),
    ],
)
def test_invalid_search_spaces_are_refused(searched, said):
    with pytest.raises(ConfigError) as error:
        _config({"space": searched})
    assert said in str(error.value)


@pytest.mark.parametrize("name", ["seed", "epochs", "patience", "refit", "eval_every_epochs"])
def test_settings_of_a_trial_cannot_be_searched(name):
    with pytest.raises(ConfigError, match=rf"tune\.space\.train\.{name}: cannot be searched, "):
        _config({"space": {f"train.{name}": [1, 2]}})


def test_values_that_do_not_go_together_are_refused_wherever_they_stand():
    space = {"train.batch_size": [32], "model.embedding_dim": {"min": 4, "max": 6}, "model.query_tower.heads": [1, 4]}
    with pytest.raises(ConfigError, match=r"model\.embedding_dim 6, model\.query_tower\.heads 4: .*does not divide"):
        _config({"space": space})


def test_values_that_do_not_go_together_are_refused():
    with pytest.raises(ConfigError, match=r"model\.query_tower\.heads 4, model\.embedding_dim 6: .*does not divide"):
        _config({"space": {"model.query_tower.heads": [1, 2, 4], "model.embedding_dim": [6, 64]}})


def test_the_configs_own_value_is_among_those_that_are_tried():
    [rate, dropout, size] = _settings(
        _config(
            {
                "space": {
                    "train.learning_rate": ["1e-2", 1],
                    "model.query_tower.dropout": [0.1, 0.2],
                    "train.batch_size": {"min": 8, "max": 32},
                }
            }
        )
    )
    # PyYAML reads 1e-2 as text; the setting's own type counts.
    assert rate.values == (0.01, 1.0, 0.001)
    assert dropout.values == (0.1, 0.2)
    assert (size.low, size.high, size.own) == (8, 32, 64)


def test_a_search_needs_something_to_search():
    space = {"train.learning_rate": [0.001], "train.batch_size": [64]}
    assert _settings(_config({"space": space})) == []
    with pytest.raises(ConfigError, match=r"tune\.space: expected values besides the config's own, got none"):
        _config({"space": space, "enabled": True})


def test_without_a_space_the_learning_rate_and_the_dropout_are_searched():
    config = _config({}, train={"learning_rate": 0.004})
    rate, dropout = _settings(config)
    assert (rate.name, rate.low, rate.high, rate.log) == ("train.learning_rate", 0.001, 0.016, True)
    assert (dropout.name, dropout.own) == ("model.query_tower.dropout", 0.2)
    assert not config.tune.enabled


def test_values_replace_settings_wherever_they_are():
    sections = {"model": Model(), "train": Train()}
    changed = with_values(sections, {"train.loss.temperature": 0.5, "model.query_tower.dropout": 0.0})
    assert changed["train"] == Train(loss=CorpusLoss(temperature=0.5))
    assert changed["model"] == Model(query_tower=HistoryTowerSection(dropout=0.0))


@pytest.mark.parametrize(
    ("tower", "searched", "expected"),
    [
        ({"kind": "history"}, None, False),
        ({"kind": "features"}, None, True),
        ({"kind": "features", "use_query_id": False}, None, False),
        ({"kind": "features", "use_query_id": False}, {"model.query_tower.use_query_id": [True, False]}, True),
        ({"kind": "features", "use_query_id": False}, {"train.batch_size": [32, 64]}, False),
    ],
)
def test_query_ids_are_needed_by_a_tower_of_the_config_or_of_a_trial(tower, searched, expected):
    assert _config({"space": searched}, model={"query_tower": tower}).needs_query_ids is expected
