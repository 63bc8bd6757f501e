"""Every number of the config has bounds, found by a walk of the schema: a new key is covered by itself."""

from __future__ import annotations

import math

import pytest
import yaml

from shortlist.config.kubeflow import quantity
from shortlist.config.load import parse_config
from tests.shortlist.config.test_load import MINIMAL
from tests.shortlist.config.test_problems import Place, places, refusal

# Numbers whose bounds are elsewhere.
BOUNDS_ELSEWHERE = {
    "tune.space.features.values.0": "of the setting, see test_searched_values_have_the_bounds_of_their_setting",
    "tune.space.features.min": "of the setting",
    "tune.space.features.max": "of the setting",
}
TYPES = ("integer", "number")


def types_of(place: Place) -> set[str]:
    members = place.schema.get("anyOf", [place.schema])
    return {member.get("type") for member in members} & set(TYPES)


NUMBERS = [place for place in places("features") if types_of(place)]
BOUNDED = [place for place in NUMBERS if place.dotted not in BOUNDS_ELSEWHERE]


def _id(place: Place) -> str:
    return " ".join([place.dotted, *(kind for _, kind in place.tags)])


def own_problem(place: Place, value: object) -> str:
    """Returns the problem of one key's value; empty if the value is accepted."""
    found = [part for part in refusal(place.raw(value)).split("; ") if part.startswith(f"{place.dotted}:")]
    return found[0] if found else ""


def bounds(place: Place) -> tuple[float, float]:
    """Returns the lowest and the highest accepted value."""
    schema = place.schema
    low = schema.get("minimum")
    if low is None:
        low = math.nextafter(schema["exclusiveMinimum"], math.inf)
    high = schema.get("maximum")
    if high is None:
        high = math.nextafter(schema["exclusiveMaximum"], -math.inf)
    return low, high


def test_the_walk_finds_numbers_in_lists_mappings_and_all_kinds():
    found = {place.dotted for place in NUMBERS}
    assert {
        "train.seed",
        "evaluate.ks.0",
        "model.query_tower.hidden_units.0",
        "data.interactions.weight.values.features",
        "data.split.eval_from",
        "kubeflow.tasks.features.accelerator.count",
        "beam.job_port",
        *BOUNDS_ELSEWHERE,
    } <= found
    assert len(NUMBERS) > 60


@pytest.mark.parametrize("place", BOUNDED, ids=_id)
def test_number_has_a_lower_and_an_upper_bound(place):
    assert {"minimum", "exclusiveMinimum"} & set(place.schema), "give the key a lower bound: ge or gt"
    assert {"maximum", "exclusiveMaximum"} & set(place.schema), "give the key an upper bound: le or lt"
    low, high = bounds(place)
    assert low < high < 2**63
    # The bounds themselves are valid, unless another key forbids them.
    for value in (low, high):
        assert "number, " not in own_problem(place, value)


@pytest.mark.parametrize("place", BOUNDED, ids=_id)
def test_number_out_of_bounds_is_refused_with_its_bounds(place):
    low, high = bounds(place)
    is_whole = types_of(place) == {"integer"}
    values = [low - 1, high + 1 if is_whole else math.nextafter(high, math.inf), -1e30, 1e30, 2**200, -(2**200), 1e308]
    values += [2**60_000, -(2**60_000), math.nan, math.inf, -math.inf, "1e999", "nan", "-inf", "9" * 5000]
    values += ["1e30", 10**18 if high < 10**18 else 2**64, *([1.5] if is_whole else [5e-324] if low > 0 else [])]
    for value in values:
        if isinstance(value, float) and value == low:
            continue
        said = own_problem(place, value)
        assert said, (place.dotted, str(value)[:40])
        assert "number" in said
        assert len(said) < 400


@pytest.mark.parametrize("place", NUMBERS, ids=_id)
def test_booleans_are_no_numbers(place):
    if "anyOf" in place.schema:  # tune.space may search a boolean.
        assert place.dotted == "tune.space.features.values.0"
        return
    for value in (True, False, yaml.safe_load("yes")):
        assert f"got {value}" in own_problem(place, value)


def test_lists_of_numbers_have_a_longest_length():
    lists = [place for place in places("features") if place.schema.get("type") == "array"]
    with_numbers = [place for place in lists if place.schema["items"].get("type") in TYPES]
    assert {place.dotted for place in with_numbers} == {
        "evaluate.ks",
        "model.query_tower.hidden_units",
        "model.candidate_tower.hidden_units",
    }
    for place in with_numbers:
        longest = place.schema["maxItems"]
        assert f"a list of at most {longest} values" in own_problem(place, list(range(1, longest + 2)))


@pytest.mark.parametrize(
    ("name", "searched"),
    [
        ("train.learning_rate", {"min": 1e-13, "max": 1.0}),
        ("train.learning_rate", {"min": 0.1, "max": 11.0}),
        ("train.batch_size", [64, 10**18]),
        ("train.batch_size", [True, 64]),
        ("train.loss.temperature", [0.0]),
        ("train.loss.temperature", [5e-324]),
        ("model.embedding_dim", [64, 2**200]),
        ("model.query_tower.dropout", [-1.0]),
        ("model.query_tower.blocks", {"min": -5, "max": 3}),
        ("model.query_tower.blocks", {"min": 1, "max": 1e30}),
    ],
)
def test_searched_values_have_the_bounds_of_their_setting(name, searched):
    said = refusal({**MINIMAL, "tune": {"space": {name: searched}}})
    assert said.startswith(f"tune.space.{name}: expected a ")
    assert ", at least " in said


@pytest.mark.parametrize("rate", [1e-12, 10.0])
def test_default_search_space_stays_within_the_bounds(rate):
    assert parse_config({**MINIMAL, "train": {"learning_rate": rate}}, "x.yaml").train.learning_rate == rate


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "expected at least one weight above 0"),
        ({"view": 0}, "expected at least one weight above 0"),
        # 0 as a float32: the type would be history, against the config.
        ({"view": 1e-60, "buy": 1}, "expected 0 or weights of at least 1e-06, got view: 1e-60"),
        ({"view": -0.5}, "weight.values.view: expected a number, at least 0"),
    ],
)
def test_weights(values, sentence):
    interactions = {"path": "x.csv", "weight": {"column": "event", "values": values}}
    assert sentence in refusal({**MINIMAL, "data": {**MINIMAL["data"], "interactions": interactions}})


@pytest.mark.parametrize("text", ["0", "0.0001", "9" * 400, "9999999P", "1e3", "-1", "nan", "inf", "1 Gi", "Gi", ""])
def test_quantity_that_no_cluster_has(text):
    with pytest.raises(ValueError, match="expected a Kubernetes quantity"):
        quantity(text)
    said = refusal({**MINIMAL, "kubeflow": {"image": "a", "defaults": {"cpu": text}}})
    assert said.startswith("kubeflow.defaults.cpu: expected a Kubernetes quantity")
    assert len(said) < 300


def test_a_metric_is_not_asked_for_twice():
    assert "expected each value in ks once, got [10, 10]" in refusal({**MINIMAL, "evaluate": {"ks": [10, 10]}})


def test_an_overlap_is_a_fraction():
    said = refusal({**MINIMAL, "evaluate": {"cold_start": {"empty_history": {"threshold": 5}}}})
    assert "empty_history.threshold: expected a fraction, at most 1, got 5" in said
