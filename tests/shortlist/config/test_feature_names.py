"""Names of features that collide with those of Python, TensorFlow or Shortlist."""

from __future__ import annotations

from typing import Any

import pytest

from shortlist import keys
from shortlist.config.load import parse_config
from shortlist.errors import ConfigError
from tests.shortlist.config.test_load import MINIMAL


def with_features(table: str, *names: str) -> dict:
    section = {"path": "x.csv", "features": dict.fromkeys(names, "category")}
    data: Any = MINIMAL["data"]
    return {**MINIMAL, "data": {**data, table: section}}


def refusal(table: str, *names: str) -> str:
    with pytest.raises(ConfigError) as refused:
        parse_config(with_features(table, *names), "x.yaml")
    return str(refused.value)


RESERVED = sorted(keys.RESERVED | keys.RESERVED_FOR_INPUTS | keys.RESERVED_FOR_QUERIES)


@pytest.mark.parametrize("name", [*RESERVED, "Self", "SELF", "Query_Id", "History_IDs"])
def test_reserved_name_of_a_query_feature_in_any_case(name):
    said = refusal("queries", name)
    assert f"data.queries.features: the feature name {name!r} is reserved; use `column:` to rename it" in said


def test_query_features_that_differ_in_case_alone():
    said = refusal("queries", "age", "Age")
    assert "the feature names 'age' and 'Age' differ only in case" in said
    assert "`column:`" in said


@pytest.mark.parametrize("table", ["queries", "candidates", "interactions"])
@pytest.mark.parametrize("name", ["x" * 101, "x" * 1000, "1a", "_a", "a-b", "a b", "a.b", "é", "", " ", "a\n", "$"])
def test_name_that_is_no_word_of_100_characters(table, name):
    said = refusal(table, name)
    assert "must be 1 to 100 letters, digits and underscores" in said
    assert "`column:`" in said
    assert len(said) < 400


@pytest.mark.parametrize(
    "name", ["class", "None", "training", "name", "inputs", "args", "kwargs", "cls", "rank", "query", "x" * 100]
)
def test_other_names_are_accepted(name):
    for table in ("queries", "candidates"):
        tables = parse_config(with_features(table, name), "x.yaml").data.tables
        assert list(tables[table].features) == [name]


@pytest.mark.parametrize("name", ["self", "Self", "Candidate_Id"])
def test_reserved_name_of_a_candidate_feature(name):
    assert f"data.candidates.features: the feature name {name!r} is reserved" in refusal("candidates", name)


def test_candidate_features_that_differ_in_case_alone():
    said = refusal("candidates", "age", "Age")
    assert "the feature names 'age' and 'Age' differ only in case" in said
    assert "`column:`" in said


@pytest.mark.parametrize("table", ["queries", "candidates", "interactions"])
@pytest.mark.parametrize("name", ["filter_any_x", "Rerank_x", "history_x", "CONTEXT_"])
def test_prefix_of_an_input_of_the_served_model(table, name):
    said = refusal(table, name)
    assert f"the feature name {name!r} is reserved; use `column:` to rename it" in said
    assert "begin with filter_, rerank_, history_, context_" in said
