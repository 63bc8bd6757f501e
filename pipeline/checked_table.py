"""The nodes that read and check one input table, and the inputs that they read."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from tfx import components as standard
from tfx.dsl.components.base import base_component
from tfx.types import channel

from components.table_example_gen.component import TableExampleGen
from pipeline.target import ExternalInputs, Text
from shortlist.config.table import Table, TableName
from shortlist.records import nodes
from shortlist.tables.spec import Kind, Unit


@dataclasses.dataclass(frozen=True)
class Sources:
    """Inputs of the pipeline, pinned by content so that the cache notices every change."""

    data_root: Text
    """Folder that relative data paths start from; may be a URI that Beam opens."""
    content_sha256: Mapping[str, Text]
    """Table name to the fingerprint of its files."""
    schema_files: Mapping[TableName, pathlib.Path]
    """Table name to its schema, at a path that changes with the content."""
    timestamp_unit: Unit
    """Unit of the interactions' timestamp; the preflight detects it."""


@dataclasses.dataclass(frozen=True)
class CheckedTable:
    """One input table after ingestion, with its statistics, schema and anomalies."""

    nodes: list[base_component.BaseComponent | Any]
    examples: channel.BaseChannel
    statistics: channel.BaseChannel
    schema: channel.BaseChannel
    anomalies: channel.BaseChannel


def checked_table(name: Kind, table: Table, sources: Sources, schemas: ExternalInputs) -> CheckedTable:
    """Returns the nodes that read a table, describe it and compare it with its schema.

    Args:
      name: The table.
      table: Its section of the config.
      sources: The pipeline's inputs.
      schemas: The schemas by table name.
    """
    gen = TableExampleGen(name, table, sources.data_root, sources.content_sha256[name], sources.timestamp_unit)
    statistics = standard.StatisticsGen(examples=gen.outputs["examples"]).with_id(nodes.statistics(name))
    validator = standard.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schemas.outputs[name]
    ).with_id(nodes.validator(name))
    return CheckedTable(
        nodes=[gen, statistics, validator],
        examples=gen.outputs["examples"],
        statistics=statistics.outputs["statistics"],
        schema=schemas.outputs[name],
        anomalies=validator.outputs["anomalies"],
    )
