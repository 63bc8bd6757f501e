"""Conditions that the probe asks, by hand."""

import pyarrow as pa
import pyarrow.parquet as pq

from components.serving_check import conditions
from shortlist.config.features import FeatureType
from shortlist.model_files import CANDIDATES_FILE
from shortlist.serving import catalogue

_INPUTS = {"query_id", "filter_any_tag", "filter_none_tag", "filter_min_year", "filter_max_year"}


def write(folder, tags, years):
    (folder / "assets.extra").mkdir(parents=True)
    kinds = {"tag": FeatureType.MULTI_CATEGORY, "year": FeatureType.NUMERIC}
    rows = [
        {"row": row, "id": f"i{row}", "attribute_tag": tag, "attribute_year": year}
        for row, (tag, year) in enumerate(zip(tags, years, strict=True))
    ]
    pq.write_table(pa.Table.from_pylist(rows, catalogue.schema(None, kinds)), folder / CANDIDATES_FILE)
    return str(folder), [f"i{row}".encode() for row in range(len(rows))]


def test_the_most_frequent_value_and_the_middle_number_are_asked_for(tmp_path):
    folder, ids = write(tmp_path, [["b", "a"], ["b", "b"], ["a"], []], [1.0, 3.0, None, 2.0])
    tag, year = conditions.of_attributes(folder, _INPUTS, ids)
    # a and b have two candidates each.
    assert tag.inputs == ({"filter_any_tag": ["a"]}, {"filter_none_tag": ["a"]})
    assert tag.passing == ([b"i0", b"i2"], [b"i1", b"i3"])
    assert year.inputs == ({"filter_min_year": 2.0}, {"filter_max_year": 2.0})
    assert year.passing == ([b"i1", b"i3"], [b"i0", b"i3"])


def test_attributes_without_any_value_are_asked_for_too(tmp_path):
    folder, ids = write(tmp_path, [[], []], [None, None])
    tag, year = conditions.of_attributes(folder, _INPUTS, ids)
    assert tag.passing == ([], ids)
    assert year.passing == ([], [])
    assert conditions.of_attributes(folder, {"query_id"}, ids) == []
