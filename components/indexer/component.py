"""The Indexer node: turns a blessed model into the served index and its exact copy."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.indexer import executor
from components.indexer.catalogue import CatalogueFields
from shortlist import fingerprints
from shortlist.config.serving import Index
from shortlist.config.table import Candidates


class IndexerSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of the node; TFX allows no input with the name of an output."""

    PARAMETERS = {
        "config": component_spec.ExecutionParameter(type=str),
        "exclude_seen": component_spec.ExecutionParameter(type=int),
        "catalogue": component_spec.ExecutionParameter(type=str),
        "code_sha256": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "trained_model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "candidates": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "verdict": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing, optional=True),
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
        measurements, the same as `assets.extra/index.json`. `assets.extra/candidates.parquet` and `evaluation.json`
        are documented in `shortlist.serving.catalogue` and `evaluation`. Empty if there is no index.
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
        candidates: types.BaseChannel,
        table: Candidates,
        evaluation: types.BaseChannel,
        verdict: types.BaseChannel | None = None,
    ):
        """Wires the node.

        Args:
          model: The Trainer's model.
          blessing: The Evaluator's verdict on it.
          examples: Windows; eval tunes the index, test measures it for the gate.
          index: The config's index section.
          exclude_seen: Whether recall is measured without seen items.
          candidates: The catalogue's flat examples.
          table: The candidates' section of the config, with the title and the attributes.
          evaluation: The Evaluator's measurements, of the model or of the one that it is a refit of.
          verdict: The Evaluator's blessing of the measured model, if `blessing` is another's. ML Metadata allows one
            event per artifact and execution, so that no artifact can be an input twice.
        """
        super().__init__(
            IndexerSpec(
                trained_model=model,
                model_blessing=blessing,
                examples=examples,
                config=index.model_dump_json(),
                exclude_seen=int(exclude_seen),
                candidates=candidates,
                evaluation=evaluation,
                verdict=verdict,
                catalogue=CatalogueFields.of(table).to_json(),
                code_sha256=fingerprints.code_sha256(executor.__name__),
                model=types.Channel(type=standard_artifacts.Model),
                exact_model=types.Channel(type=standard_artifacts.Model),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
