from __future__ import annotations

import json
import os

import tensorflow as tf

from components.table_example_gen import value_counts
from components.table_example_gen.value_counts import ValueCounts
from shortlist.config.features import Feature
from shortlist.config.table import Candidates
from tests.components.table_example_gen.test_component import gen, gen_of, ingest, write_csv


def _examples(name, *values):
    found = []
    for value in values:
        feature = tf.train.Feature(float_list=tf.train.FloatList(value=[] if value is None else [value]))
        found.append(tf.train.Example(features=tf.train.Features(feature={name: feature})).SerializeToString())
    return found


def _counted(name, *batches):
    counts = ValueCounts([name])
    for batch in batches:
        counts.add(value_counts.decoded(_examples(name, *batch), counts.columns))
    return value_counts.by_column(counts.counts())


def test_whole_numbers_are_counted_over_batches_and_missing_ones_are_not():
    assert _counted("stars", [4, 5, None], [], [None], [4]) == {"stars": [(4.0, 2), (5.0, 1)]}


def test_a_column_with_a_fraction_or_too_many_values_is_left_out(monkeypatch):
    assert _counted("price", [1, 2], [2.5], [3]) == {}
    assert _counted("price", [1, float("inf")]) == {}
    assert _counted("price", [1], [float("nan")]) == {}
    monkeypatch.setattr(value_counts, "MAX_VALUES", 2)
    assert _counted("stars", [1, 2], [3]) == {}
    # Two shards of one table: each has few values, both together have too many.
    assert value_counts.by_column([(("stars", float(value)), 1) for value in range(3)]) == {}
    assert value_counts.by_column([(("stars", 1.0), 1), (("stars", None), 1)]) == {}


def _values(artifact):
    with open(os.path.join(artifact.uri, "values.json"), encoding="utf-8") as file:
        return json.load(file)


def test_the_artifact_has_the_counts_of_the_rows_that_remain(tmp_path):
    rows = [("1", "10", 5, 4, ""), ("2", "10", 4, 4, ""), ("3", "11", 4, 3, ""), ("4", "11", 4, 1, "")]
    write_csv(tmp_path / "log.csv", rows)
    artifact = ingest(gen("log.csv", tmp_path, filter="rating > 1"), tmp_path)
    assert _values(artifact) == {"rating": [[3.0, 1], [4.0, 2]]}
    # The last row of each candidate: 4 of candidate 10, 1 of candidate 11.
    table = Candidates(path="log.csv", features={"rating": Feature(type="numeric")}, duplicates="last")
    assert _values(ingest(gen_of("candidates", table, tmp_path), tmp_path)) == {"rating": [[1.0, 1], [4.0, 1]]}
