"""Resolver strategy for the model that a training starts from."""

from __future__ import annotations

import ml_metadata as mlmd
from tfx import types
from tfx.dsl.components.common import resolver

from components.data_gate.strategy import Lineage, blessed_models

_Artifacts = dict[str, list[types.Artifact]]


class LatestBlessedBeforeStrategy(resolver.ResolverStrategy):
    """Resolves `model` to the latest blessed model that was trained on other data than that of `examples`.

    Models of the same tables are skipped, whatever their settings. Otherwise an unchanged re-run would start from the
    model that this data gave, train again, and never come from the cache.
    """

    def resolve_artifacts(self, store: mlmd.MetadataStore, input_dict: _Artifacts) -> _Artifacts:
        """Picks the model.

        Args:
          store: The ML Metadata store.
          input_dict: `model`, all models; `model_blessing`, all blessings; `examples`, the windows of this run.

        Returns:
          `model` with one artifact, or none in a first run; the others are empty.
        """
        lineage = Lineage(store)
        now = [lineage.tables_of_windows(windows.id) for windows in input_dict["examples"]]
        models = {model.id: model for model in input_dict["model"]}
        found = [
            models[model_id]
            for model_id in blessed_models(input_dict["model_blessing"])
            if model_id in models and lineage.examples_behind_model(model_id) not in now
        ]
        return {"model": found[:1], "model_blessing": [], "examples": []}
