"""The DataGate node, and the Resolver that finds what its tables are compared with."""

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

# The checks of this node; Windows makes the others, and a change of those must not run this one again.
_CHECKS = {"schema_anomalies", "drift", "volume"}


class DataGateSpec(component_spec.ComponentSpec):
    """Anomalies and statistics of each table in, one blessed report out."""

    PARAMETERS = {
        "schemas": component_spec.ExecutionParameter(type=str),
        "gate": component_spec.ExecutionParameter(type=str),
        "code_sha256": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        **{table: component_spec.ChannelParameter(type=_Anomalies, optional=table == "queries") for table in TABLES},
        **{
            statistics_key(table): component_spec.ChannelParameter(type=_Statistics, optional=table == "queries")
            for table in TABLES
        },
        **{before_key(table): component_spec.ChannelParameter(type=_Statistics, optional=True) for table in TABLES},
    }
    OUTPUTS = {"report": component_spec.ChannelParameter(type=_Anomalies)}


class DataGate(base_component.BaseComponent):
    """ExampleValidator only reports anomalies; this node stops the run for them, and for what moved too far.

    Outputs:
      report: `report.json` with all that was measured; ExampleAnomalies with the custom properties `blessed` = 1,
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
          anomalies: By table name; queries may be missing.
          statistics: Of the same tables.
          before: By table name, what `blessed_statistics` found; empty where nothing is to be compared with.
          gate: The checks that are this node's become its cache key.
          schemas: The folder of the schema files, named in remedies.
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
    """Returns the node whose outputs are, by table name, the statistics of the last blessed run on other data.

    Args:
      statistics: By table name, those of this run.
      evaluator_id: The node that blesses models.
    """
    return resolver.Resolver(
        strategy_class=strategy.BlessedStatisticsStrategy,
        model_blessing=channel.Channel(type=standard_artifacts.ModelBlessing, producer_component_id=evaluator_id),
        **statistics,
    ).with_id(nodes.BLESSED_STATISTICS)
