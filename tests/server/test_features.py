"""Features in requests: which values are taken, and what a wrong one does."""

from __future__ import annotations

import pytest
import tensorflow as tf

from server.features import Features
from server.model import LoadedModel
from server.question import Answer, Question
from shortlist import keys
from shortlist.errors import BadInputError

FEATURES = Features(
    {
        keys.HISTORY_IDS: tf.TensorSpec([None, None], tf.string),
        "look": tf.TensorSpec([None, 2], tf.float32),
        "tags": tf.TensorSpec([None, None], tf.string),
        "context_hour": tf.TensorSpec([None], tf.float32),
        "history_rating": tf.TensorSpec([None, None], tf.float32),
    }
)


def test_values_become_inputs():
    context = {"look": [1.0, 2.0], "hour": 8, "tags": None}
    assert FEATURES.context_inputs(context) == {"look": [1.0, 2.0], "context_hour": 8, "tags": None}
    rows = [{}, {"rating": 4}, {"rating": None}]
    assert FEATURES.event_inputs(rows) == {"history_rating": [None, 4, None]}


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"look": [1.0]}, "look takes 2 numbers, or none; got 1"),
        ({"look": [1.0, float("nan")]}, "look takes finite numbers; got nan at position 1"),
        ({"look": "1,2"}, "look takes 2 numbers, or none; got 1"),
        ({"hour": "late"}, "hour takes numbers; got 'late'"),
        ({"hour": [1, 2]}, "hour takes one value"),
        ({"rating": 3}, "the model has no feature 'rating'; it has"),
    ],
)
def test_a_wrong_value_of_the_context_is_refused(context, message):
    with pytest.raises(BadInputError, match=message):
        FEATURES.context_inputs(context)


@pytest.mark.parametrize("value", ["good", [4.0, 5.0], True, float("inf")])
def test_a_wrong_value_of_an_event_is_refused(value):
    with pytest.raises(BadInputError, match="rating takes"):
        FEATURES.event_inputs([{"rating": value}])


def test_a_wrong_value_that_reaches_the_model_is_an_error_and_no_popularity_list(model_folder):
    model = LoadedModel(model_folder)
    sound, wrong = Question({keys.QUERY_ID: "user-1", keys.K: 3}, k=3), Question({"age": "old", keys.K: 3}, k=3)
    first, second, third = model.answer([sound, wrong, sound])
    assert isinstance(second, BadInputError)
    assert isinstance(first, Answer)
    assert (first.fallback, len(first.items)) == (None, 3)
    assert third == first
