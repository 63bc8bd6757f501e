"""Fingerprints of code, data and test rows, from ML Metadata."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

from shortlist.lineage.executions import Execution, output_of
from shortlist.records import artifacts, nodes, properties
from shortlist.records.artifacts import WindowsRecord


def code_sha256(execution: Execution) -> str:
    """Returns the fingerprint of a node's source code; empty for TFX's own nodes."""
    own = execution.properties.get(properties.CODE_SHA256)
    return str(own or _custom(execution).get(properties.CODE_SHA256) or "")


def content_sha256(execution: Execution) -> str:
    """Returns the fingerprint of a table's input files."""
    return str(
        execution.properties.get(properties.CONTENT_SHA256) or _custom(execution).get(properties.CONTENT_SHA256) or ""
    )


def schema_sha256(execution: Execution) -> str:
    """Returns the start of a schema file's fingerprint, which is the name of its folder."""
    return pathlib.PurePath(str(execution.properties.get("schema_file", ""))).parent.name


def test_rows(executions: Mapping[str, Execution]) -> str | None:
    """Returns a fingerprint of a run's test rows and their corpus; None if it is unknown.

    It joins the fingerprints of split, interactions and candidates. The split's fingerprint alone does not contain the
    log, so that a model can be compared with last week's.

    Args:
      executions: The run's executions by node.
    """
    record = WindowsRecord.of(output_of(executions.get(nodes.WINDOWS), "examples"))
    split = record.split_fingerprint if record else None
    tables = (nodes.INTERACTIONS_GEN, nodes.CANDIDATES_GEN)
    contents = [content_sha256(executions[name]) for name in tables if name in executions]
    if not split or len(contents) < 2 or not all(contents):
        return None
    return "/".join([split, *contents])


def _custom(execution: Execution) -> dict[str, Any]:
    """Returns a node's custom config; TFX's own ExampleGen, which version 0.1 used, wraps it twice."""
    config = artifacts.json_object(execution.properties.get(properties.CUSTOM_CONFIG))
    wrapped = config.get("custom_config")
    found = wrapped.get("value", config) if isinstance(wrapped, dict) else config
    return found if isinstance(found, dict) else {}
