"""The gate's checks of one table, without reading or writing files."""

from __future__ import annotations

import dataclasses

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.data_gate import comparison
from components.data_gate.problems import find_anomalies
from shortlist.config.gate import Check, Gate
from shortlist.findings import Findings


@dataclasses.dataclass
class GateReport:
    """Results of all checks; the keys of each dict are table names."""

    findings: Findings = dataclasses.field(default_factory=Findings)
    compared_with: dict[str, str] = dataclasses.field(default_factory=dict)
    """Path of the earlier statistics."""
    not_compared: dict[str, str] = dataclasses.field(default_factory=dict)
    """Reason why a table was not compared with an earlier one."""
    volume: dict[str, float] = dataclasses.field(default_factory=dict)
    """Number of rows, divided by the earlier number."""
    drift: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    """Distance of each feature from the earlier distribution, 0 to 1."""


def check_schema(
    table: str, anomalies: anomalies_pb2.Anomalies, schema_path: str, gate: Gate, findings: Findings
) -> None:
    """Adds the table's schema anomalies to the findings."""
    for problem in find_anomalies(table, anomalies, schema_path):
        findings.add(gate.schema_anomalies, str(problem))


def compare(
    table: str,
    now: statistics_pb2.DatasetFeatureStatisticsList,
    before: statistics_pb2.DatasetFeatureStatisticsList,
    gate: Gate,
    report: GateReport,
) -> None:
    """Adds the table's change of volume and its drift since the last blessed run to the report."""
    _check_volume(table, comparison.num_rows(now), comparison.num_rows(before), gate.volume, report)
    drifts = comparison.drifts(table, now, before, gate.drift.threshold)
    report.drift[table] = {drift.feature: round(drift.distance, 6) for drift in drifts}
    for drift in drifts:
        if drift.distance > gate.drift.threshold:
            report.findings.add(
                gate.drift.action,
                f"{table}, feature {drift.feature!r}: expected about the distribution of the last blessed run, got: "
                f"{drift.description}, above data.gate.drift.threshold={gate.drift.threshold}; check how the column is "
                "written, or raise the limit",
            )


def _check_volume(table: str, now: int, before: int, limit: Check, report: GateReport) -> None:
    share = now / max(before, 1)
    report.volume[table] = round(share, 6)
    if share <= limit.threshold:
        report.findings.add(
            limit.action,
            f"{table}: expected more than {limit.threshold:g} times the {before} rows of the last blessed run, got "
            f"{now} ({share:.2f} times); check that the files are complete, or lower data.gate.volume.threshold",
        )
