"""The Refresh node: embeds today's catalogue with the towers of an earlier blessed model."""

from __future__ import annotations

from collections.abc import Mapping

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.dsl.components.common import resolver
from tfx.types import channel, component_spec, standard_artifacts

from components.refresh import executor, strategy
from shortlist import fingerprints
from shortlist.config.features import of_model
from shortlist.config.gate import Check
from shortlist.config.table import Candidates
from shortlist.records import nodes

_TYPES: Mapping[str, type[types.Artifact]] = {
    "trained_model": standard_artifacts.Model,
    "model_blessing": standard_artifacts.ModelBlessing,
    "examples": standard_artifacts.Examples,
    "evaluation": standard_artifacts.ModelEvaluation,
    "verdict": standard_artifacts.ModelBlessing,
}


class RefreshSpec(component_spec.ComponentSpec):
    """An earlier model, its blessing and a catalogue in; a model of that catalogue and its blessing out."""

    PARAMETERS = {
        "features": component_spec.ExecutionParameter(type=str),
        "gate": component_spec.ExecutionParameter(type=str),
        "code_sha256": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "trained_model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
        "candidates": component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class Refresh(base_component.BaseComponent):
    """Gives a blessed model another catalogue. Nothing is trained.

    Candidates of the model's own catalogue are embedded by id and today's features, new ones by their features alone.

    Outputs:
      model: `Format-Serving/`, as the Indexer reads the Trainer's. Custom property `refresh`: JSON of `candidates`,
        `known`, `new`, `removed` and `refresh_of`, the artifact id of the earlier model.
      blessing: The earlier model's blessing, transferred to this model; custom properties as the Indexer's.
    """

    SPEC_CLASS = RefreshSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        blessing: types.BaseChannel,
        candidates: types.BaseChannel,
        table: Candidates,
        gate: Check,
    ):
        """Wires the node.

        Args:
          model: The Trainer's or the Refit's model of an earlier run.
          blessing: Its blessing.
          candidates: Flat examples of today's catalogue.
          table: The candidates' section of the config.
          gate: The check `data.gate.new_candidates`.
        """
        super().__init__(
            RefreshSpec(
                trained_model=model,
                model_blessing=blessing,
                candidates=candidates,
                features=executor.dump_features(of_model(table.features)),
                gate=gate.model_dump_json(),
                code_sha256=fingerprints.code_sha256(executor.__name__),
                model=types.Channel(type=standard_artifacts.Model),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )


def served_model(artifact_ids: Mapping[str, int]) -> resolver.Resolver:
    """Returns the Resolver of the served model and of the artifacts that it was judged by.

    Args:
      artifact_ids: Artifact id by output: `trained_model`, `model_blessing`, `examples` (the windows), `evaluation` and
        `verdict` (the Evaluator's).
    """
    inputs = {key: channel.Channel(type=_TYPES[key]) for key in artifact_ids}
    return resolver.Resolver(
        strategy_class=strategy.ArtifactIdStrategy, config={"artifact_ids": dict(artifact_ids)}, **inputs
    ).with_id(nodes.SERVED_MODEL)
