"""Features of the log that the model reads, in the config."""

from __future__ import annotations

from typing import Any

import pytest

from shortlist.config.load import parse_config
from shortlist.errors import ConfigError
from tests.shortlist.config.test_load import MINIMAL

_FEATURES = {
    "event": "category",
    "rating": {"type": "numeric", "column": "stars"},
    "tags": "multi_category",
    "hour": {"type": "numeric", "known_at_request": True},
}


def _config(history: Any = (), features: Any = None, **sections: Any):
    data: Any = MINIMAL["data"]
    log = {**data["interactions"], "features": _FEATURES if features is None else features}
    tower = {"kind": "history", "history_features": list(history)}
    return parse_config(
        {**MINIMAL, "data": {**data, "interactions": log}, "model": {"query_tower": tower}, **sections}, "x.yaml"
    )


def test_the_model_reads_what_the_tower_names_and_what_is_known_at_a_request():
    config = _config(["rating", "event"], evaluate={"slices": ["context_event"]})
    used = config.interaction_features
    assert (list(used.history), list(used.context), list(used.slices)) == (["event", "rating"], ["hour"], ["event"])
    assert list(used.read) == ["event", "hour", "rating"]
    assert config.unread_features == ["tags"]
    assert config.target_slices == ()


def test_by_default_no_model_reads_them():
    config = _config(features={"event": "category"})
    assert not config.interaction_features.carried
    assert config.unread_features == ["event"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"history": ["evnt"]},
            "history_features: 'evnt' is not a feature of data.interactions; expected some of ['ev",
        ),
        ({"history": ["tags"]}, "'tags' is of type multi_category; expected category, numeric or timestamp"),
        ({"history": ["event", "event"]}, "history_features: expected each name once"),
        (
            {"history": ["times"], "features": {"times": "numeric"}},
            "the interaction feature 'times' would become the input 'history_times' of the served model",
        ),
        ({"history": ["Ids"], "features": {"Ids": "category"}}, "which has 'history_ids' already"),
        ({"history": ["a", "A"], "features": {"a": "category", "A": "category"}}, "which has 'history_a' already"),
        ({"history": [" "]}, "expected a text that is not blank"),
        (
            {"features": {"tags": {"type": "multi_category", "known_at_request": True}}},
            "known_at_request needs type category, numeric or timestamp, got multi_category",
        ),
        ({"evaluate": {"slices": ["context_rating"]}}, "'context_rating' is of type numeric"),
        ({"evaluate": {"slices": ["context_tags"]}}, "or with 'context_', of data.interactions"),
        (
            {"tune": {"space": {"model.query_tower.history_features": [1, 2]}}},
            "cannot be searched",
        ),
    ],
)
def test_what_no_model_can_read_is_refused(changes, sentence):
    with pytest.raises(ConfigError) as refused:
        _config(**changes)
    assert sentence in str(refused.value)


def test_only_features_of_the_log_are_known_at_a_request():
    data: Any = MINIMAL["data"]
    features = {"title": {"type": "text", "known_at_request": True}}
    with pytest.raises(ConfigError, match="known_at_request"):
        parse_config({**MINIMAL, "data": {**data, "candidates": {"path": "c.csv", "features": features}}}, "x.yaml")
