"""Remedies for the gates of cold start that fit the settings of the model that failed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from shortlist.config.features import FeatureType

NEW_ITEMS_KEY = "evaluate.cold_start.unseen_candidates"
NEW_USERS_KEY = "evaluate.cold_start.empty_history"

# Of MovieLens 100K's held-out films, more than 0.5 did not find more (docs/figures.md, "Cold start").
_MOST_ID_DROPOUT = 0.5
# With 0.1, the answers to new users of sparse logs pass the gate clearly (docs/figures.md).
_COLD_START_FRACTION = 0.1
_MOST_COLD_START_FRACTION = 0.3
_DROPOUT = 0.5


@dataclasses.dataclass(frozen=True)
class TrainedSettings:
    """Settings of a trained model that decide how it answers for new items and new users."""

    id_dropout: float | None = None
    """Of the candidate tower; None if candidates have no id to drop."""
    masks_unseen: bool | None = None
    """Whether candidates without train interactions are left out of the negatives; None for a loss without the key."""
    feature_types: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Types of the candidates' features by name."""
    cold_start_fraction: float | None = None
    """Of the history tower; None for another tower."""
    query_dropout: float | None = None
    """Of the features tower; None for another tower."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> TrainedSettings:
        """Returns the settings of a model.

        Args:
          config: The entry `config` of the model's `assets.extra/shortlist.json`; keys of older versions may be absent.
        """
        model = config.get("model", {})
        candidate, query = model.get("candidate_tower", {}), model.get("query_tower", {})
        features = config.get("data", {}).get("candidate_features", {})
        is_history = query.get("kind") == "history"
        return cls(
            candidate.get("id_dropout") if candidate.get("use_candidate_id", True) else None,
            config.get("train", {}).get("loss", {}).get("mask_unseen_candidates"),
            {name: feature["type"] for name, feature in features.items()},
            query.get("cold_start_fraction") if is_history else None,
            None if is_history else query.get("dropout"),
        )


def new_items(settings: TrainedSettings) -> str:
    """Returns the remedies for a model that does not recommend new items, the gate's key last."""
    found = []
    if settings.masks_unseen is False:
        found.append("set train.loss.mask_unseen_candidates: true")
    if settings.id_dropout is not None and settings.id_dropout < _MOST_ID_DROPOUT:
        found.append(f"set model.candidate_tower.id_dropout: {_MOST_ID_DROPOUT:g} (now {settings.id_dropout:g})")
    listed = ", ".join(f"{name}: {kind}" for name, kind in sorted(settings.feature_types.items()))
    if set(settings.feature_types.values()) <= {FeatureType.TEXT.value}:
        found.append(f"add a category that new items share with others to data.candidates.features (now {listed})")
    found.append(f"or, if new items may wait until a training has seen them, set {NEW_ITEMS_KEY}.action: warn")
    return "; ".join(found)


def new_users(settings: TrainedSettings) -> str:
    """Returns the remedies for a model that does not give new users what is popular, the gate's key last."""
    found = []
    fraction = settings.cold_start_fraction
    if fraction is not None and fraction < _MOST_COLD_START_FRACTION:
        raised = _COLD_START_FRACTION if fraction < _COLD_START_FRACTION else _MOST_COLD_START_FRACTION
        found.append(f"set model.query_tower.cold_start_fraction: {raised:g} (now {fraction:g})")
    if settings.query_dropout is not None and settings.query_dropout < _DROPOUT:
        found.append(f"set model.query_tower.dropout: {_DROPOUT:g} (now {settings.query_dropout:g})")
    found.append(f"or, if no request comes from new users, set {NEW_USERS_KEY}.action: warn")
    return "; ".join(found)
