"""The complete config of a pipeline.

Nodes import the sections that they depend on, never this module, because a node's imports are part of its cache key.
"""

from __future__ import annotations

import re

import pydantic

from shortlist import keys
from shortlist.config import space
from shortlist.config.data import Data
from shortlist.config.engines import NO_ENGINE, Beam, DirectBeam
from shortlist.config.evaluate import Evaluate
from shortlist.config.features import Feature, FeatureType
from shortlist.config.interaction_features import InteractionFeatures, check_features, used_features
from shortlist.config.kubeflow import Kubeflow
from shortlist.config.metadata import Metadata, SqliteMetadata
from shortlist.config.model import HistoryTowerSection, Model
from shortlist.config.notify import Notify
from shortlist.config.paths import local_folder
from shortlist.config.report import ReportSection
from shortlist.config.secrets import without_credentials
from shortlist.config.section import Line, Section
from shortlist.config.serve import Serve
from shortlist.config.serving import Index, Push
from shortlist.config.train import Train
from shortlist.config.tune import Tune
from shortlist.quoting import short_repr

# Valid as a folder, as a TF Serving model and in the names of Kubeflow Pipelines.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Config(Section):
    """One pipeline: its data, model, training, evaluation, index and infrastructure."""

    name: str
    """Name of the pipeline and of the served model: a-z, 0-9 and dashes."""

    workspace: Line
    """Folder for everything that the pipeline writes; relative to the working directory."""

    data: Data
    """Input tables, their split and their checks."""

    model: Model = Model()
    """The query tower and the candidate tower."""

    train: Train = Train()
    """Loss, optimizer, schedule and early stopping."""

    tune: Tune = Tune()
    """Search for better settings before training."""

    evaluate: Evaluate = Evaluate()
    """Metrics, and the gates that a model must pass."""

    index: Index = Index()
    """The nearest-neighbour index."""

    push: Push = Push()
    """Versions to keep in the serving folder."""

    serve: Serve = Serve()
    """The server of the pushed model, `shortlist serve`."""

    report: ReportSection = ReportSection()
    """The HTML report of a run."""

    notify: Notify | None = None
    """Who is told how a run ended. By default nobody."""

    beam: Beam = DirectBeam()
    """Engine for the Beam steps: ingestion, statistics, windows, transform and evaluation."""

    metadata: Metadata = SqliteMetadata()
    """Database for ML Metadata."""

    kubeflow: Kubeflow | None = None
    """Settings for Kubeflow Pipelines, for `compile`, `submit` and `run --orchestrator kubeflow-local`."""

    @pydantic.field_validator("beam", mode="before")
    @classmethod
    def _refuse_untested_engine(cls, beam: object) -> object:
        if not isinstance(beam, dict):
            return beam
        engine = beam.get("engine", "direct")
        if isinstance(engine, str) and engine.lower() in NO_ENGINE:
            raise ValueError(
                f"engine {engine} is not supported: {NO_ENGINE[engine.lower()]}; "
                "use direct, portable, flink or dataflow"
            )
        return {"engine": engine, **beam}

    @pydantic.field_validator("workspace")
    @classmethod
    def _check_workspace(cls, workspace: str) -> str:
        longest = max(len(name.encode()) for name in workspace.split("/"))
        # Linux takes 255 bytes per name and 4,096 per path; a run's files need some 500 of them.
        if longest > 255 or len(workspace.encode()) > 3_000:
            raise ValueError(
                "expected a path of at most 3,000 bytes whose folders have names of at most 255, "
                f"got {short_repr(workspace)}"
            )
        return local_folder(without_credentials(workspace))

    @pydantic.field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{short_repr(name)} must be 1 to 63 of a-z, 0-9 and dashes, starting with a letter or digit"
            )
        return name

    @pydantic.model_validator(mode="after")
    def _check_contradictions(self) -> Config:
        if self.data.split.kind == "random" and isinstance(self.model.query_tower, HistoryTowerSection):
            raise ValueError(
                "split random has no order of interactions, so a history tower would have no history; "
                "use model.query_tower.kind: features, or another split"
            )
        check_features(self.data.interactions, self.model.query_tower)
        self._check_slices()
        self._check_filters()
        # Checks all pairs of searched values, so that no trial has an invalid combination.
        space.settings(self.tune, {"model": self.model, "train": self.train})
        mates = self.train.basket_mates or "train.basket_mates" in (self.tune.space or {})
        if mates and self.data.split.kind != "leave_last_basket":
            raise ValueError(
                f"train.basket_mates needs split leave_last_basket, the only one with baskets; "
                f"the split is {self.data.split.kind}: remove basket_mates"
            )
        searched = self.tune.space or {}
        shuffles = self.train.shuffle_ties or "train.shuffle_ties" in searched
        if shuffles and self.data.interactions.timestamp_unit == "row":
            raise ValueError("train.shuffle_ties would destroy the order of data.interactions.timestamp_unit: row")
        by_id = self.model.candidate_tower.use_candidate_id and "model.candidate_tower.use_candidate_id" not in searched
        if not by_id and not self.data.candidates.features:
            raise ValueError(
                "model.candidate_tower.use_candidate_id: false leaves the candidate tower without inputs, "
                "because data.candidates.features is empty; add features, or use the id"
            )
        if self.model.query_time and self.data.interactions.timestamp is None:
            raise ValueError(
                "model.query_time needs interactions with timestamps; name their column in "
                "data.interactions.timestamp, or remove query_time"
            )
        return self

    def _check_filters(self) -> None:
        features = self.data.candidates.features
        for name in self.index.filters:
            if name not in features:
                raise ValueError(
                    f"index.filters: {short_repr(name)} is not a feature of data.candidates; expected some of "
                    f"{sorted(features)}"
                )
            if features[name].type in (FeatureType.TEXT, FeatureType.TIMESTAMP, FeatureType.VECTOR):
                raise ValueError(
                    f"index.filters: {short_repr(name)} is of type {features[name].type.value}; expected category, "
                    "multi_category or numeric"
                )

    @property
    def has_warm_start(self) -> bool:
        """Whether a training begins from an earlier model. A search compares trainings from scratch."""
        return self.train.warm_start is not None and not self.tune.enabled

    @property
    def needs_query_ids(self) -> bool:
        """Whether the query tower, or one that the search tries, embeds query ids."""
        return self.model.embeds_query_ids or "model.query_tower.use_query_id" in (self.tune.space or {})

    @property
    def target_slices(self) -> tuple[str, ...]:
        """The names in `evaluate.slices` that are features of the target, not of the query or of the log's row."""
        return tuple(
            name
            for name in self.evaluate.slices
            if name not in self._query_features and not name.startswith(keys.CONTEXT_FEATURE)
        )

    @property
    def interaction_features(self) -> InteractionFeatures:
        """The features of the log's rows that the model reads, or that its metrics are split by."""
        slices = [name for name in self.evaluate.slices if name not in self._query_features]
        return used_features(self.data.interactions, self.model.query_tower, slices)

    @property
    def unread_features(self) -> list[str]:
        """Names of features of the log that are checked and profiled, and that the model does not read."""
        read = self.interaction_features.read
        return [name for name in self.data.interactions.features if name not in read]

    @property
    def _query_features(self) -> dict[str, Feature]:
        return dict(self.data.queries.features) if self.data.queries else {}

    def _check_slices(self) -> None:
        features = self._query_features
        for name, feature in self.data.candidates.features.items():
            # `target_popularity` and the like are slices of every evaluation.
            if keys.TARGET_FEATURE + name not in keys.RESERVED:
                features.setdefault(keys.TARGET_FEATURE + name, feature)
        for name, feature in self.data.interactions.features.items():
            # A row of the windows has one value of a feature of the log.
            if feature.type is not FeatureType.MULTI_CATEGORY:
                features.setdefault(keys.CONTEXT_FEATURE + name, feature)
        for name in self.evaluate.slices:
            if name not in features:
                raise ValueError(
                    f"evaluate.slices: {short_repr(name)} is not a feature of data.queries or, with the prefix "
                    f"{keys.TARGET_FEATURE!r}, of data.candidates, or with {keys.CONTEXT_FEATURE!r}, of "
                    f"data.interactions; expected some of {sorted(features)}"
                )
            kind = features[name].type
            if kind not in (FeatureType.CATEGORY, FeatureType.MULTI_CATEGORY):
                raise ValueError(
                    f"evaluate.slices: {short_repr(name)} is of type {kind.value}; "
                    "expected category or multi_category, because each value becomes one slice"
                )
