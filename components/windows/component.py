"""The Windows node: turns flat tables into time-ordered windows per query, split into train, eval and test."""

from __future__ import annotations

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.orchestration import data_types
from tfx.types import channel, component_spec, standard_artifacts

from components.windows import executor
from components.windows.from_config import windows_config_from
from shortlist import fingerprints
from shortlist.config.data import Data
from shortlist.config.interaction_features import InteractionFeatures

_Examples = standard_artifacts.Examples
_Schema = standard_artifacts.Schema
_Anomalies = standard_artifacts.ExampleAnomalies


class WindowsSpec(component_spec.ComponentSpec):
    """Flat examples in, windows and their derived schema out."""

    PARAMETERS = {
        "config": component_spec.ExecutionParameter(type=str),
        "interactions_sha256": component_spec.ExecutionParameter(type=str),
        "code_sha256": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "interactions": component_spec.ChannelParameter(type=_Examples),
        "candidates": component_spec.ChannelParameter(type=_Examples),
        "queries": component_spec.ChannelParameter(type=_Examples, optional=True),
        "queries_schema": component_spec.ChannelParameter(type=_Schema, optional=True),
        "gate": component_spec.ChannelParameter(type=_Anomalies, optional=True),
    }
    OUTPUTS = {
        "examples": component_spec.ChannelParameter(type=_Examples),
        "schema": component_spec.ChannelParameter(type=_Schema),
    }


class Windows(base_beam_component.BaseBeamComponent):
    """Joins, orders and splits the log.

    The gate's checks decide whether faulty rows stop the run, are reported, or are dropped and counted.

    Outputs:
      examples: Splits train, eval and test, gz TFRecords of windows, `stats.json`; custom
        properties `split_fingerprint`, `stats` and `warnings` (JSON).
      schema: `schema.pbtxt` of the windows; Transform and Trainer parse the windows with it.
    """

    SPEC_CLASS = WindowsSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        interactions: channel.BaseChannel,
        candidates: channel.BaseChannel,
        data: Data,
        interactions_sha256: str | data_types.RuntimeParameter,
        queries: channel.BaseChannel | None = None,
        queries_schema: channel.BaseChannel | None = None,
        gate: channel.BaseChannel | None = None,
        everything_is_train: bool = False,
        features: InteractionFeatures | None = None,
    ):
        """Builds the node.

        Args:
          interactions: Flat examples of the log.
          candidates: Flat examples of the catalogue.
          data: The data section; the part that decides the windows becomes the node's cache key.
          interactions_sha256: Fingerprint of the log's content; part of the fingerprint of split random.
          queries: Flat examples of the queries table, if there is one.
          queries_schema: The schema of the queries table; required with `queries`.
          gate: DataGate's report. It is not read; it makes this node run after the gate.
          everything_is_train: Whether all rows are train rows, with empty eval and test splits (`train.refit`).
          features: Features of the log's rows that the windows have; none by default.

        Raises:
          ValueError: Only one of `queries` and `queries_schema` is given.
        """
        if (queries is None) != (queries_schema is None):
            raise ValueError("expected both queries and queries_schema or neither, got one of them")
        super().__init__(
            spec=WindowsSpec(
                interactions=interactions,
                candidates=candidates,
                queries=queries,
                queries_schema=queries_schema,
                gate=gate,
                config=windows_config_from(data, everything_is_train, features).model_dump_json(),
                interactions_sha256=interactions_sha256,
                code_sha256=fingerprints.code_sha256(executor.__name__),
                examples=channel.Channel(type=_Examples),
                schema=channel.Channel(type=_Schema),
            )
        )
