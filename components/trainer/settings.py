"""Settings of the Trainer: the part of the config that the trained model depends on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from shortlist.config.features import Feature, of_model
from shortlist.config.interaction_features import InteractionFeatures
from shortlist.config.model import HistoryTowerSection, Model
from shortlist.config.section import Section
from shortlist.config.split import WindowsSection
from shortlist.config.train import Train
from shortlist.config.values import with_values


@dataclasses.dataclass(frozen=True)
class Settings:
    """The sections of a config that the model depends on, without gates and index."""

    model: Model
    train: Train
    query_features: Mapping[str, Feature]
    candidate_features: Mapping[str, Feature]
    windows: WindowsSection
    split_kind: str
    exclude_seen: bool = True
    """Whether early stopping ranks without seen items; see `evaluate.repeat_consumption`."""
    interactions: InteractionFeatures = dataclasses.field(default_factory=InteractionFeatures)
    """Features of the log's rows that the windows have for the model."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Settings:
        """Returns the settings from the result of `to_json`."""
        data = value["data"]
        return cls(
            model=Model.model_validate(value["model"]),
            train=Train.model_validate(value["train"]),
            query_features=_features(data["query_features"]),
            candidate_features=_features(data["candidate_features"]),
            windows=WindowsSection.model_validate(data["windows"]),
            split_kind=data["split"],
            exclude_seen=data.get("exclude_seen", True),
            interactions=InteractionFeatures.model_validate(data.get("interaction_features", {})),
        )

    def to_json(self) -> dict[str, Any]:
        """Returns JSON with the keys `model`, `train` and `data`; part of the node's cache key."""
        return {
            "model": self.model.model_dump(mode="json"),
            "train": self.train.model_dump(mode="json"),
            "data": {
                "query_features": of_model(self.query_features),
                "candidate_features": of_model(self.candidate_features),
                "windows": self.windows.model_dump(mode="json"),
                "split": self.split_kind,
                "exclude_seen": self.exclude_seen,
                # Absent by default, as in models of earlier versions.
                **(
                    {"interaction_features": self.interactions.model_dump(mode="json")}
                    if self._has_interactions
                    else {}
                ),
            },
        }

    def with_values(self, values: Mapping[str, Any]) -> Settings:
        """Returns these settings with new values for some of model's and train's.

        Args:
          values: Values by dotted name.

        Raises:
          RefusedValue: A setting cannot have its value.
        """
        changed: dict[str, Any] = {**with_values(self.sections, values)}
        return dataclasses.replace(self, **changed)

    @property
    def sections(self) -> dict[str, Section]:
        """The sections whose settings `with_values` can replace."""
        return {"model": self.model, "train": self.train}

    @property
    def strict_times(self) -> bool:
        """Whether a target can attend only to strictly older items, not to its own basket."""
        return self.split_kind == "leave_last_basket"

    @property
    def history_tower(self) -> HistoryTowerSection | None:
        """The history tower's section; None if the config has the other tower."""
        tower = self.model.query_tower
        return tower if isinstance(tower, HistoryTowerSection) else None

    @property
    def history_features(self) -> dict[str, Feature]:
        """The features of the history's items that the query tower reads, sorted by name."""
        names = self.history_tower.history_features if self.history_tower else ()
        return {name: self.interactions.history[name] for name in sorted(names)}

    @property
    def context_features(self) -> dict[str, Feature]:
        """The features of a request that its row in the log has, sorted by name."""
        return dict(sorted(self.interactions.context.items()))

    @property
    def _has_interactions(self) -> bool:
        return bool(self.interactions.read)

    def features_sha256(self) -> str:
        """Returns a fingerprint of the feature set; models with different ones cannot be compared."""
        features = {"query": of_model(self.query_features), "candidate": of_model(self.candidate_features)}
        # Absent by default, so that fingerprints of earlier versions stay the same.
        if self.history_features:
            features["history"] = of_model(self.history_features)
        if self.context_features:
            features["context"] = of_model(self.context_features)
        return hashlib.sha256(json.dumps(features, sort_keys=True).encode()).hexdigest()


def _features(value: Mapping[str, Any]) -> dict[str, Feature]:
    return {name: Feature.model_validate(feature) for name, feature in value.items()}
