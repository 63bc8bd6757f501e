"""What of the config decides the windows, and the fingerprint of the split that results."""

from __future__ import annotations

import hashlib
import json

from shortlist import keys
from shortlist.config import types

CONTRACT_VERSION = 1  # raise it when the same config would give other splits, histories or seen ids
SPLITS = (keys.SPLIT_TRAIN, keys.SPLIT_EVAL, keys.SPLIT_TEST)


class WindowsConfig(types.Section):
    """The part of the data section that the Windows node is keyed by in the cache."""

    split: types.Split
    windows: types.WindowsSection
    max_interactions_per_query: int
    max_unknown_fraction: float

    has_timestamps: bool
    """False where `interactions.timestamp` is null: all times are 0 then, which means unknown."""

    @classmethod
    def of(cls, data: types.Data) -> WindowsConfig:
        """Returns the part of `data` that decides the windows."""
        return cls(
            split=data.split,
            windows=data.windows,
            max_interactions_per_query=data.max_interactions_per_query,
            max_unknown_fraction=data.gate.unknown_candidates.threshold,
            has_timestamps=data.interactions.timestamp is not None,
        )


def split_fingerprint(split: types.Split, interactions_sha256: str) -> str:
    """Returns the SHA-256 that two models must share for their figures to be comparable.

    For split random it covers the interactions' content too: there, one more row
    moves every cut, while the other splits place each query's rows on their own.
    """
    said = {"contract_version": CONTRACT_VERSION, "split": split.model_dump(mode="json")}
    if isinstance(split, types.Random):
        said["interactions_sha256"] = interactions_sha256
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
