"""The Trainer node: TFX's Trainer, with the catalogue and its transform graph as additional inputs."""

from __future__ import annotations

from tfx import components as standard
from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.dsl.components.common import resolver
from tfx.proto import trainer_pb2
from tfx.types import channel, component_spec, standard_artifacts, standard_component_specs
from tfx.utils import json_utils

from components.trainer import executor, run_fn
from components.trainer.from_config import settings_from
from components.trainer.warm_start import strategy
from shortlist import fingerprints
from shortlist.config.config import Config
from shortlist.records import nodes

CATALOGUE_INPUTS = {
    "candidates": component_spec.ChannelParameter(type=standard_artifacts.Examples),
    "candidate_transform_graph": component_spec.ChannelParameter(type=standard_artifacts.TransformGraph),
}
"""Inputs of Trainer, Refit and Tuner in addition to those of TFX."""


class RetrievalTrainerSpec(component_spec.ComponentSpec):
    """TFX's TrainerSpec with `CATALOGUE_INPUTS` and the model of a warm start."""

    PARAMETERS = standard_component_specs.TrainerSpec.PARAMETERS
    INPUTS = {
        **standard_component_specs.TrainerSpec.INPUTS,
        **CATALOGUE_INPUTS,
        executor.SOURCE_MODEL: component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = standard_component_specs.TrainerSpec.OUTPUTS
    TYPE_ANNOTATION = standard_component_specs.TrainerSpec.TYPE_ANNOTATION


class RetrievalTrainer(standard.Trainer):
    """Trains the two towers on the train split; early stopping watches the eval split.

    Outputs:
      model: SavedModel with the signatures `query_embedding`, `candidate_embedding` and `evaluation`.
      model_run: TensorBoard logs and `progress.jsonl`. Checkpoints stay in `<pipeline_root>/Trainer/checkpoints` until
        the model is written, so that the next execution can resume from them.
    """

    SPEC_CLASS = RetrievalTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        schema: types.BaseChannel,
        transform_graph: types.BaseChannel,
        candidates: types.BaseChannel,
        candidate_transform_graph: types.BaseChannel,
        config: Config,
        hyperparameters: types.BaseChannel | None = None,
        source_model: types.BaseChannel | None = None,
    ):
        """Wires the node.

        Args:
          examples: Windows, with splits `train` and `eval`.
          schema: The windows' schema.
          transform_graph: Transform graph of the windows.
          candidates: Flat examples of the catalogue.
          candidate_transform_graph: Transform graph of the catalogue.
          config: The config; its model and train sections and its features become part of the node's cache key.
          hyperparameters: Output of a Tuner; its values override the config's.
          source_model: The model that `train.warm_start` begins from; the channel may be absent or resolve to nothing.
        """
        custom_config = {
            **settings_from(config).to_json(),
            "code_sha256": fingerprints.code_sha256(run_fn.__name__, executor.__name__),
        }
        # TFX's own constructor would build the standard specification, which has no place for the catalogue.
        base_component.BaseComponent.__init__(
            self,
            spec=RetrievalTrainerSpec(
                examples=examples,
                schema=schema,
                transform_graph=transform_graph,
                candidates=candidates,
                candidate_transform_graph=candidate_transform_graph,
                hyperparameters=hyperparameters,
                source_model=source_model,
                run_fn=f"{run_fn.__name__}.{run_fn.run_fn.__name__}",
                train_args=trainer_pb2.TrainArgs(),
                eval_args=trainer_pb2.EvalArgs(),
                custom_config=json_utils.dumps(custom_config),
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
            ),
        )
        self.with_id(nodes.TRAINER)


def latest_blessed_before(
    examples: types.BaseChannel, trainer_id: str = nodes.TRAINER, evaluator_id: str = nodes.EVALUATOR
) -> resolver.Resolver:
    """Returns the Resolver whose output `model` is the latest blessed model that was trained on other data.

    Args:
      examples: Windows of this run.
      trainer_id: The node that makes models.
      evaluator_id: The node that blesses them.
    """
    return resolver.Resolver(
        strategy_class=strategy.LatestBlessedBeforeStrategy,
        model=channel.Channel(type=standard_artifacts.Model, producer_component_id=trainer_id),
        model_blessing=channel.Channel(type=standard_artifacts.ModelBlessing, producer_component_id=evaluator_id),
        examples=examples,
    ).with_id(nodes.WARM_START_MODEL)
