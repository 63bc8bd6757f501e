"""The last nodes of a pipeline: index, serving check and push."""

from __future__ import annotations

import dataclasses

from tfx.dsl.components.base import base_component
from tfx.types import channel

from components.indexer.component import Indexer
from components.pusher.component import VersionPusher
from components.serving_check.component import ServingCheck
from pipeline.target import Target
from shortlist.config.config import Config


@dataclasses.dataclass(frozen=True)
class Candidacy:
    """A model that may be served, with all that it is judged by."""

    model: channel.BaseChannel
    blessing: channel.BaseChannel
    examples: channel.BaseChannel
    """Windows, whose splits eval and test tune and measure the index."""
    candidates: channel.BaseChannel
    """Flat examples of the model's catalogue."""
    evaluation: channel.BaseChannel
    """The Evaluator's measurements, of the model or of the one that was measured in its place."""
    verdict: channel.BaseChannel | None = None
    """The Evaluator's blessing of the measured model, if `blessing` is another's."""


def publish(candidacy: Candidacy, config: Config, target: Target) -> list[base_component.BaseComponent]:
    """Returns the nodes that index, check and push a model, in their order.

    Args:
      candidacy: The model.
      config: The checked config.
      target: The place where the pipeline runs.
    """
    # The served index, its exact copy, and the recall of the first against the second. With them go the catalogue with
    # its titles, and the evaluation.
    indexer = Indexer(
        model=candidacy.model,
        blessing=candidacy.blessing,
        examples=candidacy.examples,
        index=config.index,
        exclude_seen=not config.evaluate.repeat_consumption,
        candidates=candidacy.candidates,
        table=config.data.candidates,
        evaluation=candidacy.evaluation,
        verdict=candidacy.verdict,
    )

    # Loads the export in a clean process and queries it. TFX's InfraValidator would need Docker.
    serving_check = ServingCheck(
        model=indexer.outputs["model"],
        exact_model=indexer.outputs["exact_model"],
        blessing=indexer.outputs["blessing"],
        examples=candidacy.examples,
    )

    # Pushes the index and its exact copy atomically, under a version that was never used.
    pusher = VersionPusher(
        model=indexer.outputs["model"],
        exact_model=indexer.outputs["exact_model"],
        model_blessing=indexer.outputs["blessing"],
        infra_blessing=serving_check.outputs["blessing"],
        serving_dir=target.serving_dir,
        keep_versions=config.push.keep_versions,
    )
    return [indexer, serving_check, pusher]
