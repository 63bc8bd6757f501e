"""Targets of a pipeline: all that differs between this machine and a cluster."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Union

from tfx.components.schema_gen.import_schema_gen import component as import_schema_gen
from tfx.orchestration import data_types
from tfx.types import channel

from components.baseline.component import latest_other_blessed_model
from components.data_gate.component import blessed_statistics
from components.trainer.component import latest_blessed_before
from shortlist.config.table import TableName
from shortlist.records import nodes
from shortlist.workspace import Workspace

Text = Union[str, data_types.RuntimeParameter]
"""A value, or a runtime parameter whose value is set when a run is submitted."""


@dataclasses.dataclass(frozen=True)
class ExternalInputs:
    """Inputs from outside of the run, and the nodes that provide them."""

    nodes: Sequence[Any]
    outputs: Mapping[str, channel.BaseChannel]
    """Key to channel. Absent keys are unavailable."""


class Target(Protocol):
    """The place where a pipeline will run, as `create_pipeline` needs it."""

    @property
    def pipeline_root(self) -> str:
        """Folder of the artifacts."""

    @property
    def serving_dir(self) -> Text:
        """Folder of the served versions."""

    def schemas(self, files: Mapping[TableName, pathlib.Path]) -> ExternalInputs:
        """Returns the schemas of `files`, paths on this machine, by table name."""

    def statistics_before(self, statistics: Mapping[str, channel.BaseChannel]) -> ExternalInputs:
        """Returns the statistics of the last blessed run on other data than that of `statistics`, by table name."""

    def baseline(self, model: channel.BaseChannel) -> ExternalInputs:
        """Returns the latest blessed model other than `model`, under the key `model`."""

    def warm_start(self, examples: channel.BaseChannel) -> ExternalInputs:
        """Returns the latest blessed model of other data than that of the windows `examples`, under the key `model`."""


@dataclasses.dataclass(frozen=True)
class LocalTarget:
    """A workspace on this machine, whose nodes query ML Metadata for earlier runs."""

    workspace: Workspace

    @property
    def pipeline_root(self) -> str:
        """Folder of the workspace's artifacts."""
        return str(self.workspace.pipeline_root)

    @property
    def serving_dir(self) -> str:
        """Folder of the workspace's served versions."""
        return str(self.workspace.serving_dir)

    def schemas(self, files: Mapping[TableName, pathlib.Path]) -> ExternalInputs:
        """Returns an ImportSchemaGen per table."""
        by_table = {
            table: import_schema_gen.ImportSchemaGen(schema_file=str(file)).with_id(nodes.schema(table))
            for table, file in files.items()
        }
        return ExternalInputs(
            list(by_table.values()), {table: node.outputs["schema"] for table, node in by_table.items()}
        )

    def statistics_before(self, statistics: Mapping[str, channel.BaseChannel]) -> ExternalInputs:
        """Returns a Resolver of the statistics."""
        node = blessed_statistics(statistics)
        return ExternalInputs([node], node.outputs)

    def baseline(self, model: channel.BaseChannel) -> ExternalInputs:
        """Returns a Resolver of the model."""
        node = latest_other_blessed_model(model)
        return ExternalInputs([node], node.outputs)

    def warm_start(self, examples: channel.BaseChannel) -> ExternalInputs:
        """Returns a Resolver of the model."""
        node = latest_blessed_before(examples)
        return ExternalInputs([node], node.outputs)
