"""The Trainer's settings, extracted from the whole config when the pipeline is built.

No code that runs in a node imports this module. It imports all sections of the config, and all of them would become
part of the node's cache key.
"""

from __future__ import annotations

from components.trainer.settings import Settings
from shortlist.config.config import Config
from shortlist.config.train import Train


def settings_from(config: Config) -> Settings:
    """Returns the part of a config that the trained model depends on."""
    queries = config.data.queries
    # Slices by a feature of the log change no model.
    interactions = config.interaction_features.model_copy(update={"slices": {}})
    return Settings(
        model=config.model,
        train=_train(config),
        query_features=dict(queries.features) if queries else {},
        candidate_features=dict(config.data.candidates.features),
        windows=config.data.windows,
        split_kind=config.data.split.kind,
        exclude_seen=not config.evaluate.repeat_consumption,
        interactions=interactions,
    )


def _train(config: Config) -> Train:
    # A refit afterwards does not change this model.
    changed: dict[str, object] = {"refit": False}
    if config.tune.enabled:
        # Trials compare trainings from scratch, and can change the shapes of the weights (decision 38).
        changed["warm_start"] = None
    if config.tune.enabled or config.train.warm_start is None:
        changed["warm_start_epochs"] = None
    return config.train.model_copy(update=changed)
