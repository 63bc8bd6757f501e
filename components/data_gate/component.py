"""The DataGate node, and the Resolver that finds the earlier statistics for its comparison."""

from __future__ import annotations

from collections.abc import Mapping

from tfx.dsl.components.base import base_component, executor_spec
from tfx.dsl.components.common import resolver
from tfx.types import channel, component_spec, standard_artifacts

from components.data_gate import executor, strategy
from components.data_gate.executor import before_key, statistics_key
from shortlist import fingerprints
from shortlist.config.gate import Gate
from shortlist.records import nodes
from shortlist.records.nodes import TABLES

_Anomalies = standard_artifacts.ExampleAnomalies
_Statistics = standard_artifacts.ExampleStatistics

# The checks of this node. Windows does the others; a change of those must not run this node again.
_CHECKS = {"schema_anomalies", "drift", "volume"}


class DataGateSpec(component_spec.ComponentSpec):
    """Anomalies and statistics of each table in, one blessed report out."""

    PARAMETERS = {
        "schemas": component_spec.ExecutionParameter(type=str),
        "gate": component_spec.ExecutionParameter(type=str),
        "code_sha256": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        # A run without training reads the catalogue alone, and a config may have no queries.
        **{table: component_spec.ChannelParameter(type=_Anomalies, optional=table != "candidates") for table in TABLES},
        **{
            statistics_key(table): component_spec.ChannelParameter(type=_Statistics, optional=table != "candidates")
            for table in TABLES
        },
        **{before_key(table): component_spec.ChannelParameter(type=_Statistics, optional=True) for table in TABLES},
    }
    OUTPUTS = {"report": component_spec.ChannelParameter(type=_Anomalies)}


class DataGate(base_component.BaseComponent):
    """Stops the run for schema anomalies and for too great a change since the last blessed run.

    ExampleValidator only reports anomalies and never stops a run, so that this node is needed.

    Outputs:
      report: `report.json` with all measurements; ExampleAnomalies with the custom properties `blessed` = 1,
        `warnings` (JSON) and `not_compared` (JSON).
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        anomalies: Mapping[str, channel.BaseChannel],
        statistics: Mapping[str, channel.BaseChannel],
        before: Mapping[str, channel.BaseChannel],
        gate: Gate,
        schemas: str,
    ):
        """Builds the node.

        Args:
          anomalies: ExampleValidator's anomalies by table name; only the candidates are required.
          statistics: Statistics of the same tables, by table name.
          before: The outputs of `blessed_statistics`, by table name; empty for no comparison.
          gate: The section `data.gate`; this node's checks become part of its cache key.
          schemas: The folder of the schema files, as remedies name it.
        """
        super().__init__(
            spec=DataGateSpec(
                **anomalies,
                **{statistics_key(table): channel for table, channel in statistics.items()},
                **{before_key(table): before[table] for table in statistics if table in before},
                schemas=schemas,
                gate=gate.model_dump_json(include=_CHECKS),
                code_sha256=fingerprints.code_sha256(executor.__name__),
                report=channel.Channel(type=_Anomalies),
            )
        )


def blessed_statistics(
    statistics: Mapping[str, channel.BaseChannel], evaluator_id: str = nodes.EVALUATOR
) -> resolver.Resolver:
    """Returns a Resolver whose outputs are the statistics of the last blessed run on other data, by table name.

    Args:
      statistics: The statistics of this run, by table name.
      evaluator_id: Id of the node that blesses models.
    """
    return resolver.Resolver(
        strategy_class=strategy.BlessedStatisticsStrategy,
        model_blessing=channel.Channel(type=standard_artifacts.ModelBlessing, producer_component_id=evaluator_id),
        **statistics,
    ).with_id(nodes.BLESSED_STATISTICS)
