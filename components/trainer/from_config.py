"""The Trainer's settings, taken from the whole config when the pipeline is built.

No code that runs in a node imports this module: it knows all sections, and each would be part of the cache key.
"""

from __future__ import annotations

from components.trainer.settings import Settings
from shortlist.config.config import Config


def settings_from(config: Config) -> Settings:
    """Returns the part of a config that decides the trained model."""
    queries = config.data.queries
    return Settings(
        model=config.model,
        # Whether another model is made afterwards does not change this one.
        train=config.train.model_copy(update={"refit": False}),
        query_features=dict(queries.features) if queries else {},
        candidate_features=dict(config.data.candidates.features),
        windows=config.data.windows,
        split_kind=config.data.split.kind,
        exclude_seen=not config.evaluate.repeat_consumption,
    )
