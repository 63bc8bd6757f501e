"""Kubeflow Pipelines as the target of a pipeline."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.common import importer
from tfx.orchestration import data_types
from tfx.types import channel, standard_artifacts

from components.inline_schema.component import InlineSchemas
from pipeline.kubeflow import parameters
from pipeline.kubeflow.parameters import ComparisonUris
from pipeline.target import ExternalInputs
from shortlist import keys
from shortlist.config.table import TableName
from shortlist.records import nodes

_artifacts = standard_artifacts


def parameter(name: str) -> data_types.RuntimeParameter:
    """Returns a runtime parameter, whose value is set when a run is submitted."""
    # No default: TFX's compiler for KFP v2 drops it.
    return data_types.RuntimeParameter(name=name, ptype=str)


@dataclasses.dataclass(frozen=True)
class KubeflowTarget:
    """A cluster. Its pods see no files of this machine, and KFP has no resolvers."""

    comparison: ComparisonUris
    """Decides which importers the pipeline has. Their URIs are set at submission."""

    @property
    def pipeline_root(self) -> str:
        """Empty: the root is set at submission and is not part of the spec."""
        return ""

    @property
    def serving_dir(self) -> data_types.RuntimeParameter:
        """Runtime parameter with the folder of the served versions."""
        return parameter(parameters.SERVING_DIR)

    def schemas(self, files: Mapping[TableName, pathlib.Path]) -> ExternalInputs:
        """Returns a node with the files' texts as execution properties."""
        node = InlineSchemas({table: file.read_text(encoding="utf-8") for table, file in files.items()})
        return ExternalInputs([node], node.outputs)

    def statistics_before(self, statistics: Mapping[str, channel.BaseChannel]) -> ExternalInputs:
        """Returns an importer per table with earlier statistics."""
        by_table: dict[str, Any] = {
            table: importer.Importer(
                source_uri=parameter(parameters.statistics_before(table)),
                artifact_type=_artifacts.ExampleStatistics,
                properties={"split_names": json.dumps([keys.SPLIT_ALL])},
            ).with_id(nodes.statistics_before(table))
            for table in statistics
            if table in self.comparison.statistics
        }
        return ExternalInputs(
            list(by_table.values()), {table: node.outputs["result"] for table, node in by_table.items()}
        )

    def baseline(self, model: channel.BaseChannel) -> ExternalInputs:
        """Returns an importer of the baseline model; without a baseline, neither nodes nor outputs."""
        del model
        return _imported(nodes.BLESSED_MODEL, parameters.BASELINE_MODEL, self.comparison.baseline_model)

    def warm_start(self, examples: channel.BaseChannel) -> ExternalInputs:
        """Returns an importer of the model of other data that submission finds; without one, neither."""
        del examples
        return _imported(nodes.WARM_START_MODEL, parameters.WARM_START_MODEL, self.comparison.warm_start_model)


def _imported(node_id: str, uri_parameter: str, uri: str | None) -> ExternalInputs:
    """Returns an importer of a model whose URI is a runtime parameter; without a URI, neither nodes nor outputs."""
    if uri is None:
        return ExternalInputs([], {})
    node = importer.Importer(source_uri=parameter(uri_parameter), artifact_type=_artifacts.Model).with_id(node_id)
    return ExternalInputs([node], {"model": node.outputs["result"]})
