"""Ids, histories and times as Python users give them."""

from __future__ import annotations

import datetime
import warnings

import numpy as np
import pytest

from shortlist.api import ids, moments
from shortlist.errors import BadInputError


@pytest.fixture(autouse=True)
def unwarned(monkeypatch):
    monkeypatch.setattr(ids, "_warned", False)


def test_whole_numbers_are_strings_with_one_warning_that_names_the_users_line():
    with pytest.warns(UserWarning, match="ids are strings: 50 is taken as '50'") as caught:
        assert ids.pairs([50, "172", np.int64(7), (9, 3)]) == [("50", 0), ("172", 0), ("7", 0), ("9", 3)]
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ids.id_texts([51], "exclude") == ["51"]
        assert ids.id_text("052", "query") == "052"


@pytest.mark.parametrize("value", [1.0, True, None, b"50", ["50"]])
def test_nothing_else_is_an_id(value):
    with pytest.raises(BadInputError, match="history: expected an id, a string, got "):
        ids.pairs([value])


def test_items_with_features():
    history = [{"id": "50", "time": 7, "features": {"event": "cart"}}, "51", {"id": "52", "features": {"rating": 3}}]
    assert ids.pairs(history) == [("50", 7), ("51", 0), ("52", 0)]
    assert ids.item_features(history) == {"event": ["cart", None, None], "rating": [None, None, 3]}
    assert ids.item_features(["50"]) == {}


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ({"time": 7}, "history: expected items with id, and optionally time and features, got no id"),
        ({"id": "1", "event": "cart"}, "got the key 'event'"),
        ({"id": "1", "features": ["cart"]}, "history, features: expected values by name"),
    ],
)
def test_an_item_that_is_no_interaction(item, sentence):
    with pytest.raises(BadInputError, match=sentence):
        _ = ids.pairs([item]) and ids.item_features([item])


@pytest.mark.parametrize("values", ["50", 50, None])
def test_a_history_is_a_list(values):
    with pytest.raises(BadInputError, match="expected a list of ids, got "):
        ids.pairs(values)
    with pytest.raises(BadInputError, match="expected a list of ids, got "):
        ids.id_texts(values, "exclude")


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        # 2026-01-31T12:00:00Z is 1769860800.
        (1769860800, 1769860800),
        (np.int32(12), 12),
        ("2026-01-31T12:00:00Z", 1769860800),
        ("2026-01-31 13:00+01:00", 1769860800),
        (datetime.datetime(2026, 1, 31, 12), 1769860800),
        (datetime.datetime(2026, 1, 31, 13, tzinfo=datetime.timezone(datetime.timedelta(hours=1))), 1769860800),
        (datetime.datetime(1969, 12, 31, 23, 59, 59, 500_000), -1),
    ],
)
def test_times_are_seconds_texts_and_datetimes(time, expected):
    assert ids.seconds(time, "at") == expected


@pytest.mark.parametrize("time", ["yesterday", 1.5, None, True])
def test_nothing_else_is_a_time(time):
    with pytest.raises(BadInputError, match="at: expected a time: seconds since 1970"):
        ids.seconds(time, "at")


def test_a_request_is_just_after_its_history_unless_its_time_is_given():
    assert moments.after([("a", 5), ("b", 3)]).time == 6
    assert moments.after([("a", 5)]).text == "order number 6, just after the newest interaction of the history"
    assert moments.after([("a", 0)]).time is None
    assert moments.given(None) is None
    assert moments.given(1769860800).text == "2026-01-31 12:00:00 UTC"
    assert moments.given("now").time > 1769860800
