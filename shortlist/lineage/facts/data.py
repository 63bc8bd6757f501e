"""Facts about the nodes that read, check and prepare the data."""

from __future__ import annotations

from shortlist.config import paths
from shortlist.lineage.executions import Execution
from shortlist.lineage.facts.wording import join_settings
from shortlist.lineage.fingerprints import content_sha256
from shortlist.lineage.settings import stats
from shortlist.records import artifacts, properties
from shortlist.records.artifacts import TableRecord, WindowsRecord


def describe_ingestion(execution: Execution) -> list[str]:
    """Returns a table's file, fingerprint, rows and spans."""
    table, sha256 = TableRecord.of(execution.output("examples")), content_sha256(execution)
    found = [path for path in [_data_path(execution)] if path]
    if sha256:
        found.append(f"sha256 {sha256[:16]}")
    if properties.DATA_PATH not in execution.properties or table is None or table.rows is None:
        return found
    dropped = [f"{count:,} dropped by {reason}" for reason, count in table.dropped.items() if count]
    found.append(", ".join([f"{table.rows:,} rows", *dropped]))
    if table.spans:
        found.append(f"spans {table.spans[0]} to {table.spans[1]}")
    return found


def _data_path(execution: Execution) -> str:
    found = execution.properties
    if properties.DATA_PATH in found:
        return paths.full_path(str(found[properties.DATA_PATH]), str(found.get(properties.DATA_ROOT, "")))
    # Version 0.1 used TFX's own ExampleGen.
    splits = artifacts.json_object(found.get("input_config")).get("splits") or [{}]
    pattern = splits[0].get("pattern")
    if not pattern:
        return ""
    return f"{found.get('input_base')}/{pattern}"


def describe_schema(execution: Execution) -> list[str]:
    """Returns the path of a table's schema."""
    path = execution.properties.get("schema_file")
    if path is None:
        return []
    return [str(path)]


def describe_statistics(execution: Execution) -> list[str]:
    """Returns the folder of a table's statistics."""
    return _uri(execution, "statistics")


def describe_validator(execution: Execution) -> list[str]:
    """Returns the folder of a table's anomalies."""
    return _uri(execution, "anomalies")


def _uri(execution: Execution, key: str) -> list[str]:
    artifact = execution.output(key)
    if artifact is None:
        return []
    damaged = artifact.properties.get(properties.DAMAGED)
    if damaged:
        return [f"{artifact.uri} (damaged: {damaged})"]
    return [f"{artifact.uri} (deleted)" if artifact.deleted else artifact.uri]


def describe_gate(execution: Execution) -> list[str]:
    """Returns the warnings of the data gate, and the tables that it did not compare."""
    report = execution.output("report")
    if report is None:
        return []
    not_compared = artifacts.json_object(report.properties.get(properties.NOT_COMPARED))
    return [
        "passed",
        *artifacts.sentences(report, properties.WARNINGS),
        *(f"{table} not compared: {reason}" for table, reason in not_compared.items()),
    ]


def describe_windows(execution: Execution) -> list[str]:
    """Returns the times, rows and rules of the split."""
    found, counts, config = [], stats(execution), artifacts.json_object(execution.properties.get(properties.CONFIG))
    if counts:
        rows = ", ".join(f"{split} {count:,}" for split, count in counts.get("rows", {}).items())
        record = WindowsRecord.of(execution.output("examples"))
        if record and record.cuts:
            found.append(join_settings({name.replace("_", " "): time for name, time in record.cuts.items()}))
        found.append(f"targets: {rows}; {counts.get('candidates', 0):,} candidates")
        dropped = ", ".join(f"{count:,} {name}" for name, count in counts.get("dropped", {}).items() if count)
        found.append(f"{counts.get('interactions', 0):,} interactions; dropped: {dropped or 'none'}")
    if config:
        split = config.get("split") or {}
        named = {name: value for name, value in split.items() if name != "kind" and value is not None}
        found.append(join_settings({"split": split.get("kind"), **named}))
        found.append(join_settings(config.get("windows") or {}))
    return [sentence for sentence in found if sentence]


def describe_transform(execution: Execution) -> list[str]:
    """Returns the features with their types."""
    features = artifacts.json_object(execution.properties.get(properties.CUSTOM_CONFIG)).get("features") or {}
    types = ", ".join(f"{name} {spec.get('type')}" for name, spec in features.items() if isinstance(spec, dict))
    return [types or "ids alone"]
