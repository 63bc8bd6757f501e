"""Which earlier model a candidate must not fall below."""

from __future__ import annotations

import ml_metadata as mlmd
from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver

_Artifacts = dict[str, list[types.Artifact]]


class LatestOtherBlessedModelStrategy(resolver.ResolverStrategy):
    """Resolves `model` to the latest blessed one of them other than `candidate`.

    TFX's LatestBlessedModelStrategy would resolve to the candidate itself once it is blessed, so
    that an unchanged re-run has another baseline: not cached, and compared with itself.
    """

    def resolve_artifacts(self, store: mlmd.MetadataStore, input_dict: _Artifacts) -> _Artifacts:
        """Picks the model.

        Args:
          store: Not used; the inputs have all that is needed.
          input_dict: `model`, all models; `model_blessing`, all blessings; `candidate`, the model of this run.

        Returns:
          `model` and `model_blessing` with one artifact each, or none on a first run; `candidate` is empty.
        """
        del store
        candidates = {artifact.id for artifact in input_dict["candidate"]}
        blessings = {
            blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY): blessing
            for blessing in sorted(input_dict["model_blessing"], key=lambda artifact: artifact.id)
            if blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == constants.BLESSED_VALUE
        }
        blessed = [model for model in input_dict["model"] if model.id in blessings and model.id not in candidates]
        latest = max(blessed, key=lambda artifact: artifact.id, default=None)
        return {
            "model": [] if latest is None else [latest],
            "model_blessing": [] if latest is None else [blessings[latest.id]],
            "candidate": [],
        }
