"""What the gate looks at in one table, apart from how it is read and written."""

from __future__ import annotations

import dataclasses

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.data_gate import comparison
from components.data_gate.problems import find_anomalies
from shortlist.config.gate import Check, Gate
from shortlist.findings import Findings


@dataclasses.dataclass
class GateReport:
    """All that the gate found; each dict is by table name."""

    findings: Findings = dataclasses.field(default_factory=Findings)
    compared_with: dict[str, str] = dataclasses.field(default_factory=dict)
    """Where the earlier statistics are."""
    not_compared: dict[str, str] = dataclasses.field(default_factory=dict)
    """Why a table was compared with no earlier one."""
    volume: dict[str, float] = dataclasses.field(default_factory=dict)
    """Rows as a share of before."""
    drift: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    """Each feature's distance from before."""


def check_schema(
    table: str, anomalies: anomalies_pb2.Anomalies, schema_path: str, gate: Gate, findings: Findings
) -> None:
    """Adds the table's anomalies to the findings."""
    for problem in find_anomalies(table, anomalies, schema_path):
        findings.add(gate.schema_anomalies, str(problem))


def compare(
    table: str,
    now: statistics_pb2.DatasetFeatureStatisticsList,
    before: statistics_pb2.DatasetFeatureStatisticsList,
    gate: Gate,
    report: GateReport,
) -> None:
    """Adds to the report how far the table has moved since the last blessed run."""
    _check_volume(table, comparison.num_rows(now), comparison.num_rows(before), gate.volume, report)
    drifts = comparison.drifts(table, now, before, gate.drift.threshold)
    report.drift[table] = {drift.feature: round(drift.distance, 6) for drift in drifts}
    for drift in drifts:
        if drift.distance > gate.drift.threshold:
            report.findings.add(
                gate.drift.action,
                f"{table}, feature {drift.feature!r}: expected values distributed like the last blessed run's, got "
                f"{drift.what}, above data.gate.drift.threshold={gate.drift.threshold}; check how the column is "
                "written, or raise the limit",
            )


def _check_volume(table: str, now: int, before: int, limit: Check, report: GateReport) -> None:
    share = now / max(before, 1)
    report.volume[table] = round(share, 6)
    if share <= limit.threshold:
        report.findings.add(
            limit.action,
            f"{table}: expected more than {limit.threshold:g} times the {before} rows of the last blessed run, got "
            f"{now} ({share:.2f} times); check that the files are whole, or lower data.gate.volume.threshold",
        )
