from __future__ import annotations

import copy
from typing import Any

import pytest

from shortlist.config.load import parse_config
from shortlist.config.split import Temporal
from shortlist.errors import ConfigError
from tests.shortlist.config.test_load import MINIMAL


def split_of(**keys: Any) -> Temporal:
    raw: dict[str, Any] = copy.deepcopy(MINIMAL)
    raw["data"]["split"] = {"kind": "temporal", **keys}
    split = parse_config(raw, "x.yaml").data.split
    assert isinstance(split, Temporal)
    return split


def test_a_split_by_time_has_fixed_cuts_or_spans():
    fixed, spans = split_of(eval_from=1, test_from=2), split_of(eval_spans=1, test_spans=2)
    assert (fixed.moves, spans.moves) == (False, True)
    assert fixed.rule == {"kind": "temporal", "eval_from": 1, "test_from": 2}
    assert spans.rule == {"kind": "temporal", "eval_spans": 1, "test_spans": 2, "span": "day"}
    # A run's copy of its config has all keys.
    assert split_of(**fixed.model_dump()) == fixed
    assert split_of(**spans.model_dump()) == spans


@pytest.mark.parametrize(
    ("keys", "got"),
    [
        ({}, "none of them"),
        ({"eval_from": 1}, "eval_from"),
        ({"test_spans": 1}, "test_spans"),
        ({"eval_from": 1, "test_spans": 1}, "eval_from and test_spans"),
        (
            {"eval_from": 1, "test_from": 2, "eval_spans": 1, "test_spans": 1},
            "eval_from and test_from and eval_spans and test_spans",
        ),
    ],
)
def test_any_other_keys_are_refused(keys: dict[str, int], got: str):
    expected = "expected either eval_from and test_from, or eval_spans and test_spans, got "
    with pytest.raises(ConfigError) as refusal:
        split_of(**keys)
    assert f"{expected}{got}" in str(refusal.value)


def test_spans_are_refused_for_order_numbers():
    raw: dict[str, Any] = copy.deepcopy(MINIMAL)
    raw["data"]["split"] = {"kind": "temporal", "eval_spans": 1, "test_spans": 1}
    raw["data"]["interactions"] |= {"timestamp": "seq", "timestamp_unit": "order"}
    with pytest.raises(ConfigError, match="eval_spans needs times, but interactions.timestamp_unit is order"):
        parse_config(raw, "x.yaml")
