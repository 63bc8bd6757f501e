"""The Tuner node: TFX's Tuner, with the catalogue and its transform graph as additional inputs."""

from __future__ import annotations

from tfx import components as standard
from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import trainer_pb2
from tfx.types import component_spec, standard_artifacts, standard_component_specs
from tfx.utils import json_utils

from components.trainer.component import CATALOGUE_INPUTS
from components.trainer.from_config import settings_from
from components.tuner import executor, tuner_fn
from shortlist import fingerprints
from shortlist.config.config import Config
from shortlist.records import nodes


class RetrievalTunerSpec(component_spec.ComponentSpec):
    """TFX's TunerSpec with `CATALOGUE_INPUTS`."""

    PARAMETERS = standard_component_specs.TunerSpec.PARAMETERS
    INPUTS = {**standard_component_specs.TunerSpec.INPUTS, **CATALOGUE_INPUTS}
    OUTPUTS = standard_component_specs.TunerSpec.OUTPUTS
    TYPE_ANNOTATION = standard_component_specs.TunerSpec.TYPE_ANNOTATION


class RetrievalTuner(standard.Tuner):
    """Searches for the best settings: trials train on train and are compared on eval, without the test split.

    Outputs:
      best_hyperparameters: KerasTuner's HyperParameters as JSON: values by the settings' dotted names.
      tuner_results: TFX's table of trials, and `trials.json`, see `shortlist.summary.Tuning`.
    """

    SPEC_CLASS = RetrievalTunerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        schema: types.BaseChannel,
        transform_graph: types.BaseChannel,
        candidates: types.BaseChannel,
        candidate_transform_graph: types.BaseChannel,
        config: Config,
    ):
        """Wires the node; inputs and config sections are the Trainer's, with the section `tune` in addition."""
        custom_config = {
            **settings_from(config).to_json(),
            # `enabled` does not change the search, so it is no part of the cache key.
            tuner_fn.TUNE: config.tune.model_dump(mode="json", exclude={"enabled"}),
            "code_sha256": fingerprints.code_sha256(tuner_fn.__name__, executor.__name__),
        }
        # TFX's own constructor would build the standard specification, which has no place for the catalogue.
        base_component.BaseComponent.__init__(
            self,
            spec=RetrievalTunerSpec(
                examples=examples,
                schema=schema,
                transform_graph=transform_graph,
                candidates=candidates,
                candidate_transform_graph=candidate_transform_graph,
                tuner_fn=f"{tuner_fn.__name__}.{tuner_fn.tuner_fn.__name__}",
                train_args=trainer_pb2.TrainArgs(),
                eval_args=trainer_pb2.EvalArgs(),
                custom_config=json_utils.dumps(custom_config),
                best_hyperparameters=types.Channel(type=standard_artifacts.HyperParameters),
                tuner_results=types.Channel(type=standard_artifacts.TunerResults),
            ),
        )
        self.with_id(nodes.TUNER)
