from __future__ import annotations

import numpy as np
import pytest

from components.data_gate.comparison import TableDrift, drifts, num_rows
from tests.components.data_gate.tables import log, statistics


def distances(now: dict[str, object], before: dict[str, object], table: str = "interactions") -> dict[str, float]:
    return {drift.feature: drift.distance for drift in drifts(table, statistics(now), statistics(before), 0.3)}


def find(now: dict[str, object], before: dict[str, object], feature: str) -> TableDrift:
    [found] = [
        drift for drift in drifts("interactions", statistics(now), statistics(before), 0.3) if drift.feature == feature
    ]
    return found


def test_a_log_that_only_went_on_has_not_drifted():
    # Times, rows and files differ, and there are 5% fewer rows; the compared features are the same.
    measured = distances(log(950, first_row=1000), log(1000))
    assert set(measured) == {"query_id", "candidate_id", "rating", "kind"}
    assert max(measured.values()) < 0.05


def test_a_share_that_moved_is_measured_and_its_value_named():
    found = find(log(1000, sale=0.6), log(1000, sale=0.1), "kind")
    assert found.distance == pytest.approx(0.5)
    assert found.description in ("the share of 'sale' moved by 0.5", "the share of 'view' moved by 0.5")


def test_numbers_that_moved_are_measured():
    found = find(log(1000, rating=8.0), log(1000, rating=3.0), "rating")
    # Five deviations apart, two normal distributions share next to nothing.
    assert 0.8 < found.distance <= 1.0
    assert found.description.startswith("Jensen-Shannon divergence 0.")


def test_one_query_that_floods_the_log_is_drift():
    flooded = log(1000)
    flooded["query_id"] = ["bot"] * 500 + [f"q{number % 20}" for number in range(500)]
    found = find(flooded, log(1000), "query_id")
    assert found.distance == pytest.approx(0.5)
    assert found.description == "the share of 'bot' moved by 0.5"


def test_a_feature_without_values_has_the_greatest_distance():
    empty = log(1000, rating=np.full(1000, np.nan, np.float32), kind=np.array([None] * 1000, object))
    measured = distances(empty, log(1000))
    assert measured["rating"] == measured["kind"] == 1.0
    assert find(empty, log(1000), "kind").description == "no values at all any more"
    # New values are measured for shares only; for numbers there is no earlier distribution.
    assert "rating" not in distances(log(1000), empty)


def test_features_that_only_one_of_them_has_are_not_compared():
    assert "kind" not in distances(log(500), log(500, kind=None))
    assert "kind" not in distances(log(500, kind=None), log(500))
    # The schema's check reports a changed type, so that drift leaves such a feature out.
    assert "kind" not in distances(log(500, kind=np.ones(500, np.float32)), log(500))


def test_ids_of_a_table_are_not_compared():
    def catalogue(prefix: str) -> dict[str, object]:
        return {"candidate_id": [prefix + "1", prefix + "2"], "genre": ["a", "a"], "source_row": [0, 1]}

    assert distances(catalogue("x"), catalogue("y"), "candidates") == {"genre": 0.0}


def test_missing_values_do_not_hide_the_others():
    half = log(1000)
    half["rating"] = np.where(np.arange(1000) % 2, half["rating"], np.nan).astype(np.float32)
    assert distances(half, log(1000))["rating"] < 0.05


def test_rows_are_those_of_the_table():
    assert num_rows(statistics(log(123))) == 123
