"""The Indexer node: turns a blessed model into the served index and its exact copy."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.indexer import executor
from shortlist import fingerprints
from shortlist.config.serving import Index


class IndexerSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of the node; TFX allows no input with the name of an output."""

    PARAMETERS = {
        "config": component_spec.ExecutionParameter(type=str),
        "exclude_seen": component_spec.ExecutionParameter(type=int),
        "code_sha256": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "trained_model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "exact_model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class Indexer(base_component.BaseComponent):
    """Builds, tunes, measures and exports the index.

    The node also runs for a model that was not blessed. It then records the reason that nothing was pushed.

    Outputs:
      model: `Format-Serving/` with the SavedModel to serve. Custom property `index`: JSON of the index and its
        measurements, the same as `assets.extra/index.json`. Empty if there is no index.
      exact_model: The same signatures with exact search, in plain TensorFlow.
      blessing: Custom properties `blessed` (1 or 0), `status` (`ok`, `not_blessed` or `index_rejected`) and `reasons`
        (a JSON list of sentences); `current_model` and `current_model_id` name the blessed model.
    """

    SPEC_CLASS = IndexerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        blessing: types.BaseChannel,
        examples: types.BaseChannel,
        index: Index,
        exclude_seen: bool,
    ):
        """Wires the node.

        Args:
          model: The Trainer's model.
          blessing: The Evaluator's verdict on it.
          examples: Windows; eval tunes the index, test measures it for the gate.
          index: The config's index section.
          exclude_seen: Whether recall is measured without seen items.
        """
        super().__init__(
            IndexerSpec(
                trained_model=model,
                model_blessing=blessing,
                examples=examples,
                config=index.model_dump_json(),
                exclude_seen=int(exclude_seen),
                code_sha256=fingerprints.code_sha256(executor.__name__),
                model=types.Channel(type=standard_artifacts.Model),
                exact_model=types.Channel(type=standard_artifacts.Model),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
