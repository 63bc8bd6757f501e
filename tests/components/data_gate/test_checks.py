from __future__ import annotations

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.data_gate.checks import GateReport, check_schema, compare
from shortlist.config.gate import Check, Gate
from shortlist.findings import Findings
from tests.components.data_gate.tables import log, statistics

ANOMALY = """anomaly_info { key: "gender" value { severity: ERROR
  reason { type: ENUM_TYPE_UNEXPECTED_STRING_VALUES description: "Examples contain values: X." } } }"""


def compared(gate: Gate, now: dict[str, object], before: dict[str, object]) -> GateReport:
    report = GateReport()
    compare("interactions", statistics(now), statistics(before), gate, report)
    return report


def test_the_action_decides_what_a_schema_anomaly_does():
    def found(action: str) -> Findings:
        findings = Findings()
        anomalies = text_format.Parse(ANOMALY, anomalies_pb2.Anomalies())
        check_schema(
            "queries", anomalies, "s/queries.pbtxt", Gate.model_validate({"schema_anomalies": action}), findings
        )
        return findings

    [error] = found("error").errors
    assert error.startswith("queries, feature 'gender': Examples contain values: X;")
    assert found("warn") == Findings(warnings=[error])
    assert found("ignore") == Findings()


@pytest.mark.parametrize(("rows", "passes"), [(1000, True), (501, True), (500, False), (100, False), (2000, True)])
def test_half_of_the_rows_gone_is_an_error(rows: int, passes: bool):
    report = compared(Gate(), log(rows), log(1000))
    assert report.volume == {"interactions": rows / 1000}
    assert (not report.findings.errors) == passes
    if not passes:
        assert report.findings.errors == [
            f"interactions: expected more than 0.5 times the 1000 rows of the last blessed run, got {rows} "
            f"({rows / 1000:.2f} times); check that the files are complete, or lower data.gate.volume.threshold"
        ]


def test_drift_warns_by_default_and_names_feature_distance_and_limit():
    report = compared(Gate(), log(1000, sale=0.6), log(1000, sale=0.1))
    assert not report.findings.errors
    [warning] = report.findings.warnings
    assert warning.startswith(
        "interactions, feature 'kind': expected about the distribution of the last blessed run, got: the share of "
    )
    assert "moved by 0.5, above data.gate.drift.threshold=0.3" in warning
    assert report.drift["interactions"]["kind"] == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["volume", "drift"])
def test_each_check_has_its_action(name: str):
    def found(action: str) -> Findings:
        only = {"volume": Check(threshold=0.0, action="ignore"), "drift": Check(threshold=1.0, action="ignore")}
        only[name] = Check.model_validate({"threshold": 0.4, "action": action})
        return compared(Gate(**only), log(300, sale=0.6), log(1000, sale=0.1)).findings

    [error] = found("error").errors
    assert found("warn") == Findings(warnings=[error])
    assert found("ignore") == Findings()


def test_drift_below_the_threshold_is_recorded():
    report = compared(Gate(), log(900), log(1000))
    assert report.findings == Findings()
    assert set(report.drift["interactions"]) == {"query_id", "candidate_id", "rating", "kind"}
