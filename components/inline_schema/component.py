"""The Schemas node: replaces ImportSchemaGen on a cluster, which cannot read the submitter's files."""

from __future__ import annotations

from collections.abc import Mapping

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.inline_schema import executor
from shortlist.config.table import TableName
from shortlist.records import nodes

_TABLES: tuple[TableName, ...] = ("interactions", "candidates", "queries")


class InlineSchemasSpec(component_spec.ComponentSpec):
    """Schemas as text parameters and as output artifacts; the schema of queries is optional."""

    PARAMETERS = {
        executor.text_key(table): component_spec.ExecutionParameter(type=str, optional=table == "queries")
        for table in _TABLES
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {
        table: component_spec.ChannelParameter(type=standard_artifacts.Schema, optional=table == "queries")
        for table in _TABLES
    }


class InlineSchemas(base_component.BaseComponent):
    """Writes schemas that were read when the pipeline was built; the texts are the cache key.

    One node writes the schemas of all tables, because on a cluster each node is a pod.

    Outputs:
      interactions, candidates, queries: `schema.pbtxt`.
    """

    SPEC_CLASS = InlineSchemasSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, texts: Mapping[TableName, str]):
        """Builds the node.

        Args:
          texts: TensorFlow Metadata schemas as text, by table name.
        """
        super().__init__(
            InlineSchemasSpec(
                **{executor.text_key(table): text for table, text in texts.items()},
                **{table: types.Channel(type=standard_artifacts.Schema) for table in texts},
            )
        )
        # By default TFX would name the node after the class.
        self.with_id(nodes.SCHEMAS)
