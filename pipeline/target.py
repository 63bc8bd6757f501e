"""Where a pipeline runs: all that differs between one machine and a cluster."""

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
from shortlist.config.table import TableName
from shortlist.records import nodes
from shortlist.workspace import Workspace

Text = Union[str, data_types.RuntimeParameter]
"""A value, or the name of one that is told when a run is submitted."""


@dataclasses.dataclass(frozen=True)
class ExternalInputs:
    """What comes from outside of the run, and the nodes that bring it."""

    nodes: Sequence[Any]
    outputs: Mapping[str, channel.BaseChannel]
    """Lacks what there is not."""


class Target(Protocol):
    """What `create_pipeline` asks of where the pipeline will run."""

    @property
    def pipeline_root(self) -> str:
        """Where artifacts go."""

    @property
    def serving_dir(self) -> Text:
        """Folder of the served versions."""

    def schemas(self, files: Mapping[TableName, pathlib.Path]) -> ExternalInputs:
        """Returns by table name the schemas in files of this machine."""

    def statistics_before(self, statistics: Mapping[str, channel.BaseChannel]) -> ExternalInputs:
        """Returns the statistics, by table name, of the last blessed run on other data than `statistics`."""

    def baseline(self, model: channel.BaseChannel) -> ExternalInputs:
        """Returns under `model` the latest blessed model other than `model`."""


@dataclasses.dataclass(frozen=True)
class LocalTarget:
    """A workspace, where nodes ask ML Metadata themselves what came before."""

    workspace: Workspace

    @property
    def pipeline_root(self) -> str:
        """The workspace's."""
        return str(self.workspace.pipeline_root)

    @property
    def serving_dir(self) -> str:
        """The workspace's."""
        return str(self.workspace.serving_dir)

    def schemas(self, files: Mapping[TableName, pathlib.Path]) -> ExternalInputs:
        """Returns TFX's own nodes, one a table."""
        by_table = {
            table: import_schema_gen.ImportSchemaGen(schema_file=str(file)).with_id(nodes.schema(table))
            for table, file in files.items()
        }
        return ExternalInputs(
            list(by_table.values()), {table: node.outputs["schema"] for table, node in by_table.items()}
        )

    def statistics_before(self, statistics: Mapping[str, channel.BaseChannel]) -> ExternalInputs:
        """Returns a Resolver."""
        node = blessed_statistics(statistics)
        return ExternalInputs([node], node.outputs)

    def baseline(self, model: channel.BaseChannel) -> ExternalInputs:
        """Returns a Resolver."""
        node = latest_other_blessed_model(model)
        return ExternalInputs([node], node.outputs)
