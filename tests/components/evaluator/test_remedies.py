"""Remedies of the gates on cold start: only those that would change this model, each with a value."""

import pathlib
import re

import pytest

from components.evaluator import remedies
from components.evaluator.remedies import TrainedSettings
from components.trainer.from_config import settings_from
from shortlist.config.load import load_config, parse_config
from shortlist.config.overrides import parse_overrides
from tests.shortlist.config.test_load import MINIMAL

ROOT = pathlib.Path(__file__).parents[3]
ACTION = "evaluate.cold_start.{}.action: warn"
KEY_AND_VALUE = re.compile(r"set ([a-z_.]+): ([a-z0-9.]+)")


def trained(**changes):
    """Returns the settings that a trained model of a config records."""
    config = parse_config({**MINIMAL, **changes}, "x.yaml")
    return TrainedSettings.of(settings_from(config).to_json())


def test_defaults_are_no_remedies():
    # The mask is on by default, and the candidates have a feature.
    found = remedies.new_items(trained())
    assert "mask_unseen_candidates" not in found
    assert "set model.candidate_tower.id_dropout: 0.5 (now 0.2)" in found
    assert "to data.candidates.features (now title: text)" in found
    assert found.endswith(ACTION.format("unseen_candidates"))


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"train": {"loss": {"kind": "corpus", "mask_unseen_candidates": False}}}, ["mask_unseen_candidates: true"]),
        # A loss without the mask has no such remedy.
        ({"train": {"loss": {"kind": "in_batch"}}}, []),
        ({"model": {"candidate_tower": {"id_dropout": 0.6}}}, []),
        ({"model": {"candidate_tower": {"use_candidate_id": False}}}, []),
    ],
)
def test_new_items_by_settings(changes, keys):
    found = remedies.new_items(trained(**changes))
    assert all(key in found for key in keys)
    assert ("mask_unseen_candidates" in found) == bool(keys)
    assert ("id_dropout" in found) == ("model" not in changes)


def test_a_category_is_not_asked_for_twice():
    assert "data.candidates.features" not in remedies.new_items(TrainedSettings(feature_types={"brand": "category"}))


@pytest.mark.parametrize(
    ("tower", "remedy"),
    [
        ({"kind": "history"}, "set model.query_tower.cold_start_fraction: 0.1 (now 0.05)"),
        # What `schema infer` proposes for sparse logs.
        ({"kind": "history", "cold_start_fraction": 0.1}, "set model.query_tower.cold_start_fraction: 0.3 (now 0.1)"),
        ({"kind": "history", "cold_start_fraction": 0.3}, None),
        ({"kind": "features"}, "set model.query_tower.dropout: 0.5 (now 0)"),
        ({"kind": "features", "dropout": 0.5}, None),
    ],
)
def test_new_users_by_tower(tower, remedy):
    found = remedies.new_users(trained(model={"query_tower": tower}))
    assert remedy is None or found.startswith(remedy)
    assert ("query_tower" in found) == (remedy is not None)
    assert found.endswith(ACTION.format("empty_history"))


def test_each_remedy_is_valid_as_it_is_written():
    settings = TrainedSettings(id_dropout=0.0, masks_unseen=False, cold_start_fraction=0.0)
    texts = (remedies.new_items(settings), remedies.new_users(settings))
    pairs = [pair for text in texts for pair in KEY_AND_VALUE.findall(text)]
    assert len(pairs) == 5
    load_config(ROOT / "configs" / "movielens_100k.yaml", parse_overrides([f"{key}={value}" for key, value in pairs]))
