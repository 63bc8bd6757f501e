"""The Baseline node, and the Resolver that finds the model for it."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.dsl.components.common import resolver
from tfx.types import channel, component_spec, standard_artifacts

from components.baseline import executor, strategy
from shortlist import fingerprints
from shortlist.records import nodes


class BaselineSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of the node."""

    PARAMETERS = {"code_sha256": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "candidate": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "baseline": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
        "catalogue": component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {"model": component_spec.ChannelParameter(type=standard_artifacts.Model)}


class Baseline(base_component.BaseComponent):
    """Prepares the earlier model that the Evaluator compares the candidate with.

    The output `model` is a copy of the baseline. If the catalogue has changed since, its signature `evaluation` ranks
    in today's catalogue, and the custom property `catalogue_changed` describes the change. If there is nothing to
    compare, the output is an empty artifact with the custom properties `skipped` = 1 and `reason`. So the Evaluator's
    input always exists.
    """

    SPEC_CLASS = BaselineSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, model: types.BaseChannel, baseline: types.BaseChannel | None, candidates: types.BaseChannel):
        """Wires the node.

        Args:
          model: The candidate.
          baseline: The latest other blessed model; the channel may be absent or resolve to nothing.
          candidates: Flat examples of today's catalogue.
        """
        super().__init__(
            BaselineSpec(
                candidate=model,
                baseline=baseline,
                catalogue=candidates,
                model=types.Channel(type=standard_artifacts.Model),
                code_sha256=fingerprints.code_sha256(executor.__name__),
            )
        )


def latest_other_blessed_model(
    model: types.BaseChannel, trainer_id: str = nodes.TRAINER, evaluator_id: str = nodes.EVALUATOR
) -> resolver.Resolver:
    """Returns the Resolver whose output `model` is the latest blessed model other than the candidate `model`.

    Args:
      model: The candidate, the Trainer's output of this run.
      trainer_id: The node that makes models.
      evaluator_id: The node that blesses them.
    """
    return resolver.Resolver(
        strategy_class=strategy.LatestOtherBlessedModelStrategy,
        model=channel.Channel(type=standard_artifacts.Model, producer_component_id=trainer_id),
        model_blessing=channel.Channel(type=standard_artifacts.ModelBlessing, producer_component_id=evaluator_id),
        candidate=model,
    ).with_id(nodes.BLESSED_MODEL)
