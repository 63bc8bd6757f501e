"""Distances derived by hand, and compared with TFDV's on its own statistics."""

from __future__ import annotations

import pytest

from shortlist.lineage import drift


def test_same_is_zero_and_nothing_in_common_is_one():
    one, other = [(0.0, 1.0, 5.0)], [(2.0, 3.0, 7.0)]
    assert drift.jensen_shannon(one, one) == 0
    assert drift.jensen_shannon(one, other) == pytest.approx(1.0)


def test_half_of_the_values_moved():
    # p = (1, 0), q = (1/2, 1/2), middle = (3/4, 1/4):
    # 1/2 log2(4/3) + 1/2 (1/2 log2(2/3) + 1/2 log2(2)) = 0.2075 - 0.1462 + 0.25 = 0.3113
    before, after = [(0.0, 1.0, 4.0)], [(0.0, 1.0, 1.0), (1.0, 2.0, 1.0)]
    assert drift.jensen_shannon(before, after) == pytest.approx(0.3113, abs=1e-4)


def test_bucket_is_spread_where_the_other_cuts_it():
    assert drift.jensen_shannon([(0.0, 2.0, 4.0)], [(0.0, 1.0, 9.0), (1.0, 2.0, 9.0)]) == pytest.approx(0)


def test_one_value_alone():
    assert drift.jensen_shannon([(3.0, 3.0, 4.0)], [(3.0, 3.0, 9.0)]) == 0


def test_value_that_moved_most():
    # a: 3/4 to 1/4.
    assert drift.most_moved({"a": 3, "b": 1}, {"a": 1, "c": 3}) == ("c", 0.75)
    assert drift.most_moved({"a": 3, "b": 1}, {"a": 1, "b": 3}) == ("a", 0.5)


def test_same_distances_as_the_data_gate():
    import pandas as pd
    import tensorflow_data_validation as tfdv

    from components.data_gate import comparison

    before = pd.DataFrame({"age": [float(n % 40) for n in range(400)], "job": ["clerk", "cook", "pilot", "cook"] * 100})
    after = pd.DataFrame({"age": [float(n % 60 + 10) for n in range(300)], "job": ["clerk", "cook", "clerk"] * 100})
    statistics = [tfdv.generate_statistics_from_dataframe(table) for table in (before, after)]
    own = {found.feature: found.distance for found in drift.drifts("queries", *statistics)}
    gate = {
        found.feature: found.distance
        for found in comparison.drifts("queries", statistics[1], statistics[0], threshold=0.0)
    }
    assert own.keys() == gate.keys() == {"age", "job"}
    assert own["job"] == pytest.approx(gate["job"], abs=1e-9)
    assert own["age"] == pytest.approx(gate["age"], abs=0.02)


def test_feature_that_lost_its_values_or_is_new():
    from tensorflow_metadata.proto.v0 import statistics_pb2

    def of(**counts):
        found = statistics_pb2.DatasetFeatureStatisticsList()
        dataset = found.datasets.add(num_examples=1)
        for name, count in counts.items():
            feature = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
            feature.path.step.append(name)
            for value in range(count):
                feature.string_stats.rank_histogram.buckets.add(label=str(value), sample_count=1)
        return found

    found = drift.drifts("queries", of(job=1, town=0, query_id=3, old=1), of(job=0, town=0, query_id=9, new=1))
    assert [(item.feature, item.distance, item.description) for item in found] == [
        ("job", 1.0, "no values at all any more")
    ]


def test_statistics_that_are_gone_or_none(tmp_path):
    assert drift.read(str(tmp_path)) is None
    (tmp_path / "Split-all").mkdir()
    (tmp_path / "Split-all" / "FeatureStats.pb").write_bytes(b"\xff\xff\xff")
    assert drift.read(str(tmp_path)) is None
