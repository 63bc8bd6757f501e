"""The DataGate node: no data that does not fit its schema goes further."""

from __future__ import annotations

from tfx import v1 as tfx
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec

from components.data_gate import executor
from shortlist import fingerprints

_Anomalies = tfx.types.standard_artifacts.ExampleAnomalies


class DataGateSpec(component_spec.ComponentSpec):
    """Anomalies of each table in, one blessed report out."""

    PARAMETERS = {
        "schemas": component_spec.ExecutionParameter(type=str),
        "code_sha256": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        table: component_spec.ChannelParameter(type=_Anomalies, optional=table == "queries")
        for table in executor.TABLES
    }
    OUTPUTS = {"report": component_spec.ChannelParameter(type=_Anomalies)}


class DataGate(base_component.BaseComponent):
    """ExampleValidator only reports anomalies; this node stops the run for them.

    Outputs: `report` (ExampleAnomalies with custom property `blessed` = 1).
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        interactions: tfx.types.BaseChannel,
        candidates: tfx.types.BaseChannel,
        queries: tfx.types.BaseChannel | None,
        schemas: str,
    ):
        """Builds the node.

        Args:
          interactions: Anomalies of the interactions.
          candidates: Anomalies of the catalogue.
          queries: Anomalies of the queries table, where there is one.
          schemas: The folder of the schema files, named in remedies.
        """
        super().__init__(
            spec=DataGateSpec(
                interactions=interactions,
                candidates=candidates,
                queries=queries,
                schemas=schemas,
                code_sha256=fingerprints.code_sha256(executor.__name__),
                report=tfx.dsl.Channel(type=_Anomalies),
            )
        )
