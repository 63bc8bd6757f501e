"""The Refit node: trains the recipe of a blessed model a second time, on all data."""

from __future__ import annotations

from tfx import components as standard
from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import trainer_pb2
from tfx.types import component_spec, standard_artifacts, standard_component_specs
from tfx.utils import json_utils

from components.refit import executor, refit_fn
from components.trainer.component import RetrievalTrainerSpec
from shortlist import fingerprints
from shortlist.records import nodes


class RefitSpec(component_spec.ComponentSpec):
    """The Trainer's specification with the measured model and its blessing as additional inputs."""

    PARAMETERS = RetrievalTrainerSpec.PARAMETERS
    INPUTS = {
        **RetrievalTrainerSpec.INPUTS,
        executor.MEASURED_MODEL: component_spec.ChannelParameter(type=standard_artifacts.Model),
        executor.MODEL_BLESSING: component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    OUTPUTS = {
        **standard_component_specs.TrainerSpec.OUTPUTS,
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    TYPE_ANNOTATION = standard_component_specs.TrainerSpec.TYPE_ANNOTATION


class Refit(standard.Trainer):
    """Trains the recipe of a blessed model on windows without held-out rows, for its best number of steps.

    Outputs:
      model: As the Trainer's. Its custom property `refit` is JSON with the id of the measured model, whose metrics the
        blessing is based on. Empty if the measured model was not blessed.
      model_run: As the Trainer's.
      blessing: The measured model's blessing, transferred to this model; custom properties as the Indexer's.
    """

    SPEC_CLASS = RefitSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        schema: types.BaseChannel,
        transform_graph: types.BaseChannel,
        candidates: types.BaseChannel,
        candidate_transform_graph: types.BaseChannel,
        measured_model: types.BaseChannel,
        blessing: types.BaseChannel,
        source_model: types.BaseChannel | None = None,
    ):
        """Wires the node.

        Args:
          examples: Windows with all rows in split train.
          schema: The windows' schema.
          transform_graph: Transform graph of these windows, with vocabularies and counts of all data.
          candidates: Flat examples of the catalogue.
          candidate_transform_graph: Transform graph of the catalogue.
          measured_model: The Trainer's model; its settings are the recipe.
          blessing: The Evaluator's blessing of the measured model.
          source_model: The model that the measured model's training began from, with `train.warm_start`.
        """
        custom_config = {"code_sha256": fingerprints.code_sha256(refit_fn.__name__, executor.__name__)}
        # TFX's own constructor would build the standard specification, which lacks the additional inputs.
        base_component.BaseComponent.__init__(
            self,
            spec=RefitSpec(
                examples=examples,
                schema=schema,
                transform_graph=transform_graph,
                candidates=candidates,
                candidate_transform_graph=candidate_transform_graph,
                measured_model=measured_model,
                model_blessing=blessing,
                source_model=source_model,
                run_fn=f"{refit_fn.__name__}.{refit_fn.refit_fn.__name__}",
                train_args=trainer_pb2.TrainArgs(),
                eval_args=trainer_pb2.EvalArgs(),
                custom_config=json_utils.dumps(custom_config),
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            ),
        )
        self.with_id(nodes.REFIT)
