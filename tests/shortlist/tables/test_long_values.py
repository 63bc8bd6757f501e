"""Warnings of texts and lists that are cut."""

from shortlist.config.table import Candidates
from shortlist.tables.long_values import long_value_warnings

_ROWS = [
    {"about": ["one two three"], "tags": ["a", "b"], "kind": ["x"]},
    {"about": ["one\ttwo  "], "tags": ["a"] * 70, "kind": ["x"]},
    {"about": [], "tags": [], "kind": []},
]


def warnings(**about):
    features = {"about": {"type": "text", **about}, "tags": "multi_category", "kind": "category"}
    return long_value_warnings("candidates", Candidates.model_validate({"path": "x.csv", "features": features}), _ROWS)


def test_a_feature_that_is_cut_is_named_with_its_key():
    assert warnings(max_tokens=2) == [
        "x.csv: 1 of the first 3 rows have more than 2 words in about, 3 at most; the model reads the first ones, see "
        "data.candidates.features.about.max_tokens",
        "x.csv: 1 of the first 3 rows have more than 64 values in tags, 70 at most; the model reads the first ones, "
        "see data.candidates.features.tags.max_tokens",
    ]


def test_a_feature_that_is_read_as_a_whole_is_not_named():
    assert [text.split(" in ")[1][:4] for text in warnings(max_tokens=3)] == ["tags"]
