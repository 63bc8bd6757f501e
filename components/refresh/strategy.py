"""Resolver strategy that finds artifacts by their ids."""

from __future__ import annotations

from collections.abc import Mapping

import ml_metadata as mlmd
from tfx import types
from tfx.dsl.components.common import resolver

_Artifacts = dict[str, list[types.Artifact]]


class ArtifactIdStrategy(resolver.ResolverStrategy):
    """Resolves each input to the artifact with a given id.

    The served version decides which model is refreshed, after rollbacks and forced pushes. It is in the serving folder
    and not in ML Metadata, where TFX's strategies look.
    """

    def __init__(self, artifact_ids: Mapping[str, int]) -> None:
        """Takes the artifact id by input."""
        self._artifact_ids = artifact_ids

    def resolve_artifacts(self, store: mlmd.MetadataStore, input_dict: _Artifacts) -> _Artifacts | None:
        """Returns one artifact by input; None, which fails the node, if one was deleted meanwhile."""
        del store
        found = {
            key: [artifact for artifact in artifacts if artifact.id == self._artifact_ids[key]]
            for key, artifacts in input_dict.items()
        }
        return found if all(found.values()) else None
