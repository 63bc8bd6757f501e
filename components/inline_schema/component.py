"""The InlineSchema node: ImportSchemaGen for a cluster, which cannot read the files of who submits."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.inline_schema import executor


class InlineSchemaSpec(component_spec.ComponentSpec):
    """A schema as text in, the same as an artifact out."""

    PARAMETERS = {"text": component_spec.ExecutionParameter(type=str)}
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {"schema": component_spec.ChannelParameter(type=standard_artifacts.Schema)}


class InlineSchema(base_component.BaseComponent):
    """Writes a schema that was read when the pipeline was made; the text is the cache key.

    Outputs:
      schema: `schema.pbtxt`.
    """

    SPEC_CLASS = InlineSchemaSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, text: str):
        """Builds the node.

        Args:
          text: A TensorFlow Metadata schema as text.
        """
        super().__init__(InlineSchemaSpec(text=text, schema=types.Channel(type=standard_artifacts.Schema)))
