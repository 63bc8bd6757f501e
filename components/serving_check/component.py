"""The ServingCheck node: checks that the exported models load and answer in a process without Shortlist."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.serving_check import executor, probe
from shortlist import fingerprints


class ServingCheckSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of the node; TFX allows no input with the name of an output."""

    PARAMETERS = {"code_sha256": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "exact_model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {"blessing": component_spec.ChannelParameter(type=standard_artifacts.InfraBlessing)}


class ServingCheck(base_component.BaseComponent):
    """Loads the model and its exact copy in a clean process each, and checks the answers of every signature.

    It replaces InfraValidator, which needs Docker.

    Outputs:
      blessing: The Pusher reads the custom property `blessed` (1 or 0). The others are `status` (`ok`, `check_failed`
        or `not_checked`), `reasons` (a JSON list of sentences) and `figures` (JSON of seconds and ms by model).
    """

    SPEC_CLASS = ServingCheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        exact_model: types.BaseChannel,
        blessing: types.BaseChannel,
        examples: types.BaseChannel,
    ):
        """Wires the node.

        Args:
          model: The Indexer's model.
          exact_model: Its exact copy.
          blessing: The Indexer's verdict.
          examples: Windows, with a split `test`.
        """
        super().__init__(
            ServingCheckSpec(
                model=model,
                exact_model=exact_model,
                model_blessing=blessing,
                examples=examples,
                code_sha256=fingerprints.code_sha256(executor.__name__, probe.__name__),
                blessing=types.Channel(type=standard_artifacts.InfraBlessing),
            )
        )
