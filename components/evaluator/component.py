"""The Evaluator node: TFX's Evaluator on the test split, with the metrics and gates of FactorizedTopK."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tfx import components as standard
from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts, standard_component_specs
from tfx.utils import json_utils

from components.evaluator import eval_config, executor, extractors, tfma_metrics
from shortlist import fingerprints, keys
from shortlist.config.evaluate import Evaluate
from shortlist.records import nodes, properties


class RankEvaluatorSpec(component_spec.ComponentSpec):
    """TFX's EvaluatorSpec with two more parameters and one more input."""

    PARAMETERS = {
        **standard_component_specs.EvaluatorSpec.PARAMETERS,
        properties.COLD_START: component_spec.ExecutionParameter(type=str),
        executor.TARGET_SLICES: component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        **standard_component_specs.EvaluatorSpec.INPUTS,
        executor.CANDIDATES: component_spec.ChannelParameter(type=standard_artifacts.Examples, optional=True),
    }
    OUTPUTS = standard_component_specs.EvaluatorSpec.OUTPUTS
    TYPE_ANNOTATION = standard_component_specs.EvaluatorSpec.TYPE_ANNOTATION


class RankEvaluator(standard.Evaluator):
    """Ranks the targets of the test split, and blesses the model if it passes the gates.

    The `blessing` has the custom properties `blessed` (0 or 1) and `reasons` (a JSON list of sentences).
    """

    SPEC_CLASS = RankEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        baseline_model: types.BaseChannel,
        schema: types.BaseChannel,
        evaluate: Evaluate,
        candidates: types.BaseChannel | None = None,
        target_slices: Sequence[str] = (),
    ):
        """Wires the node.

        Args:
          examples: Windows, with a split `test`.
          model: The candidate, with a signature `evaluation`.
          baseline_model: The `Baseline` node's model; a model marked as skipped is not compared.
          schema: The windows' schema.
          evaluate: The section `evaluate`, with the metrics' K and the gates' thresholds.
          candidates: The flat catalogue; it is read only with target slices.
          target_slices: Slices of `evaluate.slices` by a feature of the target, which the catalogue contains.
        """
        code_sha256 = fingerprints.code_sha256(executor.__name__, tfma_metrics.__name__, extractors.__name__)
        # TFX's own constructor would make the standard specification, without our parameters.
        base_component.BaseComponent.__init__(
            self,
            spec=RankEvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                schema=schema,
                example_splits=json_utils.dumps([keys.SPLIT_TEST]),
                eval_config=eval_config.make_eval_config(evaluate, code_sha256),
                module_path=extractors.__name__,
                cold_start=evaluate.cold_start.model_dump_json(),
                target_slices=json.dumps(list(target_slices)),
                candidates=candidates if target_slices else None,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            ),
        )
        self.with_id(nodes.EVALUATOR)
