"""The `model` section: the two towers."""

from __future__ import annotations

from typing import Annotated, Literal, Union

import pydantic

from shortlist.config import renamed
from shortlist.config.section import Section


class FeaturesTowerSection(Section):
    """The classic two-tower query side: an embedding of the query id, and the query's features."""

    kind: Literal["features"] = "features"

    use_query_id: bool = True
    """Learn an embedding for each query id seen in train; unseen ids share one."""

    hidden_units: tuple[int, ...] = ()
    """Widths of hidden ReLU layers before the embedding; none is a linear tower."""

    dropout: float = pydantic.Field(0.0, ge=0.0, lt=1.0)
    """Dropout on the query's id and features while training."""


class HistoryTowerSection(Section):
    """Causal self-attention over the history's candidate embeddings, plus the query's features."""

    kind: Literal["history"] = "history"

    blocks: int = pydantic.Field(2, ge=1, le=16)
    """Transformer blocks."""

    position_bias: bool = True
    """Learn how much it counts how many positions ago something was, beside the place in the sequence."""

    time_intervals: bool = True
    """Learn how much it counts how long ago something was, and how long the query has been away. A query without its
    time, and items without theirs, are answered without."""

    heads: int = pydantic.Field(1, ge=1)
    """Attention heads; must divide model.embedding_dim."""

    feed_forward_factor: int = pydantic.Field(4, ge=1, le=16)
    """Width of a block's feed-forward layer, in model.embedding_dim; SASRec has 1."""

    dropout: float = pydantic.Field(0.2, ge=0.0, lt=1.0)
    """Dropout on embeddings, attention and feed-forward while training."""

    cold_start_fraction: float = pydantic.Field(0.05, ge=0.0, lt=1.0)
    """Fraction of train targets, redrawn each step, that are predicted from an empty history; half of them also without
    query features. New users then get popular items, not the items that others happened to begin with."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _recorded_names(cls, values: object) -> object:
        # Models and runs of older versions recorded their settings under the old names.
        return renamed.today("model.query_tower", values) if isinstance(values, dict) else values


QueryTower = Annotated[Union[FeaturesTowerSection, HistoryTowerSection], pydantic.Field(discriminator="kind")]


class CandidateTowerSection(Section):
    """The candidate side: an embedding of the candidate id, and the candidate's features."""

    use_candidate_id: bool = True
    """Learn an embedding for each candidate id seen in train; unseen ones rely on their features."""

    id_dropout: float = pydantic.Field(0.2, ge=0.0, lt=1.0)
    """Share of candidates, others in each training step, that are embedded by their features alone, so that features
    learn to stand for a candidate that train never met; nothing where candidates have no features."""

    hidden_units: tuple[int, ...] = ()
    """Widths of hidden ReLU layers on top of the features."""

    dropout: float = pydantic.Field(0.0, ge=0.0, lt=1.0)
    """Dropout on the candidate's features while training."""


class QueryTime(Section):
    """A learned vector for the moment a query is asked, added to its embedding."""

    knots: int = pydantic.Field(32, ge=2, le=10_000)
    """Moments with a vector of their own, evenly spaced from the first train target to the last; in between,
    interpolated."""


class Model(Section):
    """The two towers."""

    query_tower: QueryTower = HistoryTowerSection()
    candidate_tower: CandidateTowerSection = CandidateTowerSection()

    query_time: QueryTime | None = None
    """Follow demand through time; needs data.interactions.timestamp. What is asked later than the last train
    target, or without query_time, is asked at it."""

    embedding_dim: int = pydantic.Field(64, ge=2, le=4096)
    """Width of both towers' output."""

    normalize: bool = False
    """L2-normalise both towers' output: the score is a cosine."""

    @pydantic.model_validator(mode="after")
    def _heads_divide(self) -> Model:
        tower = self.query_tower
        if isinstance(tower, HistoryTowerSection) and self.embedding_dim % tower.heads:
            raise ValueError(f"query_tower.heads={tower.heads} does not divide embedding_dim={self.embedding_dim}")
        return self
