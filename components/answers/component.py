"""The Answers node: the trained model's answers to test queries, for the report."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.answers import executor
from shortlist import fingerprints
from shortlist.config.features import FeatureType
from shortlist.config.report import ReportSection
from shortlist.config.table import Candidates

# Feature types that can be shown as a title.
_TEXTS = (FeatureType.TEXT, FeatureType.CATEGORY)


class AnswersSpec(component_spec.ComponentSpec):
    """Model, windows and catalogue in, answers out."""

    PARAMETERS = {
        "report": component_spec.ExecutionParameter(type=str),
        "title": component_spec.ExecutionParameter(type=str),
        "exclude_seen": component_spec.ExecutionParameter(type=int),
        "code_sha256": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "candidates": component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {"answers": component_spec.ChannelParameter(type=standard_artifacts.InferenceResult)}


class Answers(base_component.BaseComponent):
    """Answers a sample of the test queries by exact search, whether the model is blessed or not.

    Outputs:
      answers: `answers.json`, see `components.answers.answers`; without it the custom property `problem` has the cause.
    """

    SPEC_CLASS = AnswersSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        examples: types.BaseChannel,
        candidates: types.BaseChannel,
        table: Candidates,
        report: ReportSection,
        exclude_seen: bool,
    ):
        """Wires the node.

        Args:
          model: The Trainer's model.
          examples: Windows, with a split `test`.
          candidates: The catalogue's flat examples.
          table: The candidates' section of the config, with the name of the title's feature.
          report: Whether single queries and their ids may be shown.
          exclude_seen: Whether answers exclude seen items.
        """
        has_title = table.title is not None and table.features[table.title].type in _TEXTS
        super().__init__(
            AnswersSpec(
                model=model,
                examples=examples,
                candidates=candidates,
                report=report.model_dump_json(),
                title=table.title if has_title else "",
                exclude_seen=int(exclude_seen),
                code_sha256=fingerprints.code_sha256(executor.__name__),
                answers=types.Channel(type=standard_artifacts.InferenceResult),
            )
        )
