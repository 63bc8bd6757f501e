"""Resolver strategy for the earlier model that a candidate is compared with."""

from __future__ import annotations

import ml_metadata as mlmd
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver

_Artifacts = dict[str, list[types.Artifact]]


class LatestOtherBlessedModelStrategy(resolver.ResolverStrategy):
    """Resolves `model` to the latest blessed model other than `candidate`.

    TFX's LatestBlessedModelStrategy resolves to the candidate itself once it is blessed. An unchanged re-run would then
    have another baseline: it would not be cached, and the model would be compared with itself.
    """

    def resolve_artifacts(self, store: mlmd.MetadataStore, input_dict: _Artifacts) -> _Artifacts:
        """Picks the model.

        Args:
          store: Not used; the inputs are sufficient.
          input_dict: `model`, all models; `model_blessing`, all blessings; `candidate`, the model of this run.

        Returns:
          `model` and `model_blessing` with one artifact each, or none in a first run; `candidate` is empty.
        """
        del store
        candidates = {artifact.id for artifact in input_dict["candidate"]}
        blessings = {
            blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY): blessing
            for blessing in sorted(input_dict["model_blessing"], key=lambda artifact: artifact.id)
            if blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == constants.BLESSED_VALUE
        }
        blessed = [model for model in input_dict["model"] if model.id in blessings and model.id not in candidates]
        if not blessed:
            return {"model": [], "model_blessing": [], "candidate": []}
        # Ids of ML Metadata grow with time.
        latest = max(blessed, key=lambda artifact: artifact.id)
        return {"model": [latest], "model_blessing": [blessings[latest.id]], "candidate": []}
