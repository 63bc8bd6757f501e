"""Conditions on attributes: their JSON form, and who passes them."""

import math

import pytest

from shortlist.errors import BadInputError
from shortlist.serving.rules import Rule, matches, parse_filter

_KINDS = {"genres": "multi_category", "brand": "category", "year": "numeric", "added": "timestamp"}
_ATTRIBUTES = {
    "genres": [["Comedy"], ["Comedy", "Horror"], [], ["Drama"], None],
    "year": [1990.0, 2001.0, None, 1995.5, math.nan],
}


def passing(value):
    return matches(parse_filter(value, _KINDS), _ATTRIBUTES, 5).nonzero()[0].tolist()


def test_a_missing_value_passes_none_and_never_any_min_or_max():
    assert passing({"genres": {"none": ["Horror"]}}) == [0, 2, 3, 4]
    assert passing({"genres": {"any": ["Comedy", "Drama"]}}) == [0, 1, 3]
    assert passing({"year": {"min": 1990}}) == [0, 1, 3]
    assert passing({"year": {"max": 1995.5}}) == [0, 3]


def test_all_rules_hold_together():
    assert passing({"genres": {"any": ["Comedy"], "none": ["Horror"]}, "year": {"min": 1980, "max": 1990}}) == [0]
    assert passing({}) == passing(None) == [0, 1, 2, 3, 4]
    assert passing({"genres": {}, "year": {"min": None}}) == [0, 1, 2, 3, 4]
    assert passing({"year": {"min": 2, "max": 1}}) == []


def test_a_rule_is_read_as_it_was_written():
    found = parse_filter({"brand": {"any": ("A",)}, "year": {"max": 3}}, _KINDS)
    assert found == {"brand": Rule(any=("A",)), "year": Rule(max=3.0)}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "filter: expected rules by attribute"),
        ({"colour": {"any": ["red"]}}, "filter: expected one of the attributes 'brand', 'genres', 'year'"),
        ({"added": {"min": 3}}, "filter: expected one of the attributes"),
        ({"genres": ["Comedy"]}, "filter.genres: expected the keys any and none"),
        ({"genres": {"min": 3}}, "filter.genres: expected the keys any and none"),
        ({"year": {"any": ["3"]}}, "filter.year: expected the keys min and max"),
        ({"genres": {"any": "Comedy"}}, "filter.genres.any: expected a list of strings"),
        ({"genres": {"none": [""]}}, "filter.genres.none: expected a list of strings, none of them empty"),
        ({"genres": {"none": [3]}}, "filter.genres.none: expected a list of strings"),
        ({"year": {"min": "3"}}, "filter.year.min: expected a finite number"),
        ({"year": {"min": math.nan}}, "filter.year.min: expected a finite number"),
        ({"year": {"min": True}}, "filter.year.min: expected a finite number"),
        ({"year": {"max": 10**400}}, "filter.year.max: expected a finite number"),
    ],
)
def test_another_form_is_refused_by_its_key(value, message):
    with pytest.raises(BadInputError) as refused:
        parse_filter(value, _KINDS)
    assert str(refused.value).startswith(message)


def test_without_attributes_no_name_is_known():
    with pytest.raises(BadInputError, match="expected no attribute"):
        parse_filter({"genres": {"any": ["Comedy"]}}, {})
