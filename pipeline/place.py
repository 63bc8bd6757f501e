"""Where a pipeline runs: all that differs between one machine and a cluster."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Union

from tfx import v1 as tfx

from components.baseline.component import latest_other_blessed_model
from components.data_gate.component import blessed_statistics
from shortlist.workspace import Workspace

Text = Union[str, tfx.dsl.experimental.RuntimeParameter]
"""A value, or the name of one that is told when a run is submitted."""


@dataclasses.dataclass(frozen=True)
class Earlier:
    """What earlier runs left for this one to be compared with, and the nodes that bring it."""

    nodes: Sequence[Any]
    outputs: Mapping[str, tfx.types.BaseChannel]
    """Empty where there is nothing to compare with."""


class Place(Protocol):
    """What `create_pipeline` asks of where the pipeline will run."""

    @property
    def pipeline_root(self) -> str:
        """Where artifacts go."""

    @property
    def serving_dir(self) -> Text:
        """Folder of the served versions."""

    def schema(self, file: pathlib.Path) -> Any:
        """Returns the node whose output `schema` is that of a file of this machine."""

    def statistics_before(self, statistics: Mapping[str, tfx.types.BaseChannel]) -> Earlier:
        """Returns the statistics, by table name, of the last blessed run on other data than `statistics`."""

    def baseline(self, model: tfx.types.BaseChannel) -> Earlier:
        """Returns under `model` the latest blessed model other than `model`."""


@dataclasses.dataclass(frozen=True)
class ThisMachine:
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

    def schema(self, file: pathlib.Path) -> Any:
        """Returns TFX's own node."""
        return tfx.components.ImportSchemaGen(schema_file=str(file))

    def statistics_before(self, statistics: Mapping[str, tfx.types.BaseChannel]) -> Earlier:
        """Returns a Resolver."""
        node = blessed_statistics(statistics)
        return Earlier([node], node.outputs)

    def baseline(self, model: tfx.types.BaseChannel) -> Earlier:
        """Returns a Resolver."""
        node = latest_other_blessed_model(model)
        return Earlier([node], node.outputs)
