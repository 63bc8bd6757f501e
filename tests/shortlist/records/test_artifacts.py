import dataclasses
import json
from typing import Any

import pytest

from shortlist.records import artifacts, nodes, properties
from shortlist.records.artifacts import (
    BaselineRecord,
    Blessing,
    Evaluation,
    PushedModel,
    TableRecord,
    WindowsRecord,
)


@dataclasses.dataclass
class Recorded:
    properties: dict[str, Any]


READERS = [BaselineRecord, Blessing, Evaluation, PushedModel, TableRecord, WindowsRecord]


@pytest.mark.parametrize("reader", READERS)
def test_absent_artifact_has_no_record(reader):
    assert reader.of(None) is None


@pytest.mark.parametrize("reader", READERS)
def test_an_older_version_wrote_nothing(reader):
    assert reader.of(Recorded({})) is not None


@pytest.mark.parametrize("value", ["", "not JSON", "3", "null", None])
def test_invalid_json_is_empty(value):
    assert artifacts.json_object(value) == {}
    assert artifacts.json_list(value) == []


def test_blessing():
    given = {"blessed": 1, "reasons": '["good"]', "warnings": '["but"]', "status": "ok", "current_model_id": 7}
    found = Blessing.of(Recorded(given | {"figures": '{"p50_ms": 1.5}'}))
    assert found == Blessing(True, ["good"], ["but"], "ok", {"p50_ms": 1.5}, 7)
    assert not Blessing.of(Recorded({"blessed": 0})).blessed


def test_evaluation_of_a_version_without_slices():
    assert Evaluation.of(Recorded({"metrics": '{"ndcg_at_10": 0.5}'})) == Evaluation({"ndcg_at_10": 0.5}, None, {})
    assert Evaluation.of(Recorded({"slices": "[]", "baseline": "null"})) == Evaluation({}, [], {})


def test_push_is_read_as_it_is_written():
    recorded = PushedModel.properties_of(12, "/serving/12")
    assert recorded == {"pushed": 1, "pushed_version": "12", "pushed_destination": "/serving/12"}
    assert PushedModel.of(Recorded(recorded)) == PushedModel(True, 12, "/serving/12", [])
    refused = {"pushed": 0, "reasons": json.dumps(["too slow"])}
    assert PushedModel.of(Recorded(refused)) == PushedModel(False, None, "", ["too slow"])


def test_table():
    given = {"rows": 10, "dropped_filter": 2, "first_span": "2026-01-01", "last_span": "2026-01-03"}
    assert TableRecord.of(Recorded(given)) == TableRecord(
        10, {"filter": 2, "duplicate": 0}, ("2026-01-01", "2026-01-03")
    )


def test_names_that_stores_hold_since_version_0_1():
    assert {name: nodes.gen(name) for name in nodes.TABLES} == nodes.GENS
    assert (nodes.schema("queries"), nodes.statistics("queries")) == ("QueriesSchema", "QueriesStatistics")
    assert (properties.STATS, properties.dropped("filter")) == ("stats", "dropped_filter")
    assert properties.TUNED_VALUES == "values"
