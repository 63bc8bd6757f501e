"""Features of the log's rows in windows records."""

from __future__ import annotations

import math

import pytest
import tensorflow as tf

from components.windows import beam_fns, records, schema, windowing
from shortlist import splits
from shortlist.config.interaction_features import InteractionFeatures
from tests.components.windows import flat

_USED = InteractionFeatures.model_validate(
    {
        "history": {"event": "category", "rating": "numeric"},
        "context": {"hour": "numeric"},
        "slices": {"event": "category"},
    }
)


def _row(number: int, event: bytes, hour: float, rating: float) -> splits.Interaction:
    return splits.Interaction(number, 0, b"log", number, b"c%d" % number, 1.0, (event, hour, rating))


_ROWS = (_row(1, b"view", 8.0, math.nan), _row(2, b"", math.nan, 3.0), _row(3, b"buy", 20.0, 4.0))


def _lists(split: str) -> dict[str, list]:
    window = windowing.Window(split, 2, _ROWS[:2], _ROWS[2:] if split != "train" else _ROWS[1:], ())
    found = tf.train.Example.FromString(records.encode(b"q", window, None, {}, _USED)).features.feature
    names = [name for name in found if name in schema.interaction_feature_types(_USED)]
    return {name: list(getattr(found[name], found[name].WhichOneof("kind")).value) for name in sorted(names)}


def test_a_train_window_has_the_features_of_all_rows_in_their_order():
    found = _lists("train")
    assert found["history_event"] == [b"view", b""]
    assert found["context_event"] == [b"", b"buy"]
    assert math.isnan(found["history_rating"][0])
    assert found["history_rating"][1:] == [3.0]
    assert found["context_rating"] == [3.0, 4.0]
    assert math.isnan(found["context_hour"][0])
    assert found["context_hour"][1:] == [20.0]
    assert "history_hour" not in found


@pytest.mark.parametrize("split", ["eval", "test"])
def test_a_held_out_target_has_only_what_a_request_knows_and_what_slices_need(split):
    found = _lists(split)
    assert found.keys() == {"context_event", "context_hour", "history_event", "history_rating"}
    assert found["context_event"] == [b"buy"]
    assert found["context_hour"] == [20.0]


def test_a_missing_value_of_a_held_out_target_is_absent():
    window = windowing.Window("test", 2, (), _ROWS[1:2], ())
    found = tf.train.Example.FromString(records.encode(b"q", window, None, {}, _USED)).features.feature
    assert found["context_event"].WhichOneof("kind") == "bytes_list"
    assert not found["context_event"].bytes_list.value
    assert not found["context_hour"].float_list.value


def test_rows_are_parsed_with_placeholders_for_missing_features():
    parse = beam_fns.ParseInteractionFn(True, tuple(_USED.carried.items()))
    parse.setup()
    common = {"query_id": [b"q"], "candidate_id": [b"c"], "timestamp": [5], "source_path": [b"log"]}
    rows = [
        flat.example(**common, source_row=[0], event=[b"view"], hour=[8.0]),
        flat.example(**common, source_row=[1], rating=[2.0]),
    ]
    (_, first), (_, second) = parse.process(rows)
    assert splits.Interaction(*first).features[:2] == (b"view", 8.0)
    event, hour, rating = splits.Interaction(*second).features
    assert event == b""
    assert math.isnan(hour)
    assert rating == 2.0
