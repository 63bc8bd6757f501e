"""The Indexer node: a blessed model in, the index that is served and its exact twin out."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.indexer import executor
from shortlist import fingerprints
from shortlist.config.serving import Index


class IndexerSpec(component_spec.ComponentSpec):
    """What the node reads and writes; no input may be called like an output."""

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

    A model that was not blessed is recorded rather than skipped, so that "why was nothing pushed" has an answer.

    Outputs:
      model: `Format-Serving/` with the SavedModel that is served; custom property `index`, JSON, what was built and
        measured, which also stands in `assets.extra/index.json`. Empty when there is none.
      exact_model: The same signatures on exact search, in plain TensorFlow.
      blessing: Custom properties `blessed`, 1 or 0; `status`, `ok`, `not_blessed` or `index_rejected`; `reasons`, a
        JSON list of sentences; `current_model` and `current_model_id`, what was blessed.
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
          examples: Windows; eval tunes, test gates.
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
