"""The Trainer's settings, extracted from the whole config when the pipeline is built.

No code that runs in a node imports this module. It imports all sections of the config, and all of them would become
part of the node's cache key.
"""

from __future__ import annotations

from components.trainer.settings import Settings
from shortlist.config.config import Config


def settings_from(config: Config) -> Settings:
    """Returns the part of a config that the trained model depends on."""
    queries = config.data.queries
    # Slices by a feature of the log change no model.
    interactions = config.interaction_features.model_copy(update={"slices": {}})
    return Settings(
        model=config.model,
        # A refit afterwards does not change this model.
        train=config.train.model_copy(update={"refit": False}),
        query_features=dict(queries.features) if queries else {},
        candidate_features=dict(config.data.candidates.features),
        windows=config.data.windows,
        split_kind=config.data.split.kind,
        exclude_seen=not config.evaluate.repeat_consumption,
        interactions=interactions,
    )
