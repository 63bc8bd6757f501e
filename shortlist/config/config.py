"""The whole config of a pipeline; nodes import the sections that they depend on, never this module."""

from __future__ import annotations

import re

import pydantic

from shortlist import keys
from shortlist.config import space
from shortlist.config.data import Data
from shortlist.config.engines import NO_ENGINE, Beam, DirectBeam
from shortlist.config.evaluate import Evaluate
from shortlist.config.features import FeatureType
from shortlist.config.kubeflow import Kubeflow
from shortlist.config.metadata import Metadata, SqliteMetadata
from shortlist.config.model import HistoryTowerSection, Model
from shortlist.config.report import ReportSection
from shortlist.config.secrets import without_credentials
from shortlist.config.section import Section
from shortlist.config.serving import Index, Push
from shortlist.config.train import Train
from shortlist.config.tune import Tune

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Config(Section):
    """A pipeline: its data, its model, its gates, its index."""

    name: str
    """Name of the pipeline and of the served model: a-z, 0-9 and dashes."""

    workspace: str
    """Folder of all that the pipeline writes; relative to the working directory."""

    data: Data
    model: Model = Model()
    train: Train = Train()
    tune: Tune = Tune()
    evaluate: Evaluate = Evaluate()
    index: Index = Index()
    push: Push = Push()
    report: ReportSection = ReportSection()
    beam: Beam = DirectBeam()
    metadata: Metadata = SqliteMetadata()
    kubeflow: Kubeflow | None = None

    @pydantic.field_validator("beam", mode="before")
    @classmethod
    def _engine(cls, beam: object) -> object:
        if not isinstance(beam, dict):
            return beam
        engine = beam.get("engine", "direct")
        if isinstance(engine, str) and engine.lower() in NO_ENGINE:
            raise ValueError(
                f"engine {engine} is refused: {NO_ENGINE[engine.lower()]}; use direct, portable, flink or dataflow"
            )
        return {"engine": engine, **beam}

    @pydantic.field_validator("workspace")
    @classmethod
    def _workspace(cls, workspace: str) -> str:
        return without_credentials(workspace)

    @pydantic.field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} must be 1 to 63 of a-z, 0-9 and dashes, starting with a letter or digit")
        return name

    @pydantic.model_validator(mode="after")
    def _no_contradictions(self) -> Config:
        if self.data.split.kind == "random" and isinstance(self.model.query_tower, HistoryTowerSection):
            raise ValueError(
                "split random claims no order, so a history tower has no history to read; "
                "use query_tower.kind: features or another split"
            )
        self._check_slices()
        space.settings(self.tune, {"model": self.model, "train": self.train})
        mates = self.train.basket_mates or "train.basket_mates" in (self.tune.space or {})
        if mates and self.data.split.kind != "leave_last_basket":
            raise ValueError(
                f"train.basket_mates is for split leave_last_basket, whose windows tell baskets apart; the split is "
                f"{self.data.split.kind}, remove basket_mates"
            )
        searched = self.tune.space or {}
        by_id = self.model.candidate_tower.use_candidate_id and "model.candidate_tower.use_candidate_id" not in searched
        if not by_id and not self.data.candidates.features:
            raise ValueError(
                "model.candidate_tower.use_candidate_id: false leaves nothing to tell candidates apart by, "
                "data.candidates.features has none; add some, or keep the id"
            )
        if self.model.query_time and self.data.interactions.timestamp is None:
            raise ValueError(
                "model.query_time needs the times of the interactions; name their column in "
                "data.interactions.timestamp, or remove query_time"
            )
        return self

    @property
    def target_slices(self) -> tuple[str, ...]:
        """Those of `evaluate.slices` that are of the target."""
        of_queries = self.data.queries.features if self.data.queries else {}
        return tuple(name for name in self.evaluate.slices if name not in of_queries)

    def _check_slices(self) -> None:
        features = dict(self.data.queries.features) if self.data.queries else {}
        for name, feature in self.data.candidates.features.items():
            if keys.TARGET_FEATURE + name not in keys.RESERVED:
                features.setdefault(keys.TARGET_FEATURE + name, feature)
        for name in self.evaluate.slices:
            if name not in features:
                raise ValueError(
                    f"evaluate.slices: {name!r} is no feature that rows can be told by; data.queries.features and, "
                    f"after {keys.TARGET_FEATURE!r}, data.candidates.features give {sorted(features)}"
                )
            kind = features[name].type
            if kind not in (FeatureType.CATEGORY, FeatureType.MULTI_CATEGORY):
                raise ValueError(
                    f"evaluate.slices: {name!r} is of type {kind.value}; expected category or multi_category, "
                    "whose values can be listed"
                )
