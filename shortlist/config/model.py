"""The `model` section: the two towers."""

from __future__ import annotations

from typing import Annotated, Literal, Union

import pydantic

from shortlist.config import renamed
from shortlist.config.section import Number, Section, Text, Whole

HiddenUnits = Annotated[tuple[Annotated[Whole, pydantic.Field(ge=1, le=8_192)], ...], pydantic.Field(max_length=16)]
"""Widths of layers, the first one first."""


class FeaturesTowerSection(Section):
    """The classic two-tower query side: an embedding of the query id, plus the query's features."""

    kind: Literal["features"] = "features"
    """Query id and features."""

    use_query_id: bool = True
    """Learn an embedding for each query id in train. Unseen ids share one embedding."""

    hidden_units: HiddenUnits = ()
    """Widths of the hidden ReLU layers before the embedding. An empty list is a linear tower."""

    dropout: Number = pydantic.Field(0.0, ge=0.0, lt=1.0)
    """Dropout on the query's id and features during training."""


class HistoryTowerSection(Section):
    """Causal self-attention over the history's candidate embeddings, plus the query's features."""

    kind: Literal["history"] = "history"
    """Self-attention over the history."""

    blocks: Whole = pydantic.Field(2, ge=1, le=16)
    """Number of transformer blocks."""

    # MovieLens 100K, mean of three seeds: test HR@10 0.2294 with and 0.2209 without (docs/figures.md).
    position_bias: bool = True
    """Add a learned relative position bias to attention, besides the position embedding."""

    # Together with train.shuffle_ties, MovieLens 100K: test HR@10 0.2457, 0.2294 without both (decision 15).
    time_intervals: bool = True
    """Add a learned bias to attention for the time since each history item, and a vector for the time since the last
    one. Requests without `query_time`, and history items without a timestamp, get neither."""

    history_features: tuple[Text, ...] = ()
    """Names of `data.interactions.features` that are embedded and added to their item, such as `[event, rating]`. They
    become inputs `history_<name>` of the served model. The features of the target itself are never read."""

    heads: Whole = pydantic.Field(1, ge=1, le=4_096)
    """Number of attention heads; must divide model.embedding_dim."""

    feed_forward_factor: Whole = pydantic.Field(4, ge=1, le=16)
    """Width of a block's feed-forward layer, as a multiple of model.embedding_dim; 1 in SASRec."""

    dropout: Number = pydantic.Field(0.2, ge=0.0, lt=1.0)
    """Dropout on embeddings, attention and feed-forward layers during training."""

    # MovieLens 100K: 82% of the answers to an empty history are popular items with 0.05, and 31% with 0.
    cold_start_fraction: Number = pydantic.Field(0.05, ge=0.0, lt=1.0)
    """Fraction of train targets, redrawn each step, that are predicted from an empty history; half of them also without
    query features. New users then get popular items, not the items that other users began with."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _recorded_names(cls, values: object) -> object:
        # Models and runs of older versions recorded their settings under the old names.
        if isinstance(values, dict):
            return renamed.rename_recorded("model.query_tower", values)
        return values


QueryTower = Annotated[Union[FeaturesTowerSection, HistoryTowerSection], pydantic.Field(discriminator="kind")]


class CandidateTowerSection(Section):
    """The candidate side: an embedding of the candidate id, plus the candidate's features."""

    use_candidate_id: bool = True
    """Learn an embedding for each candidate id in train. Unseen candidates are embedded by their features alone."""

    # The cost of 0.2 and mask_unseen_candidates is 0.001 to 0.002 of HR@10, at a standard error of 0.0025
    # (docs/figures.md).
    id_dropout: Number = pydantic.Field(0.2, ge=0.0, lt=1.0)
    """Fraction of candidates, redrawn each step, that are embedded without their id. The features then learn to
    represent candidates without train interactions. No effect if candidates have no features."""

    hidden_units: HiddenUnits = ()
    """Widths of the hidden ReLU layers on top of the features."""

    dropout: Number = pydantic.Field(0.0, ge=0.0, lt=1.0)
    """Dropout on the candidate's features during training."""


class QueryTime(Section):
    """A learned vector for the time of a query, added to the query's embedding."""

    knots: Whole = pydantic.Field(32, ge=2, le=10_000)
    """Number of learned vectors, at evenly spaced times from the first train target to the last. Times in between are
    interpolated."""


class Model(Section):
    """The two towers."""

    query_tower: QueryTower = HistoryTowerSection()
    """The tower that embeds a query (user)."""

    candidate_tower: CandidateTowerSection = CandidateTowerSection()
    """The tower that embeds a candidate (item)."""

    query_time: QueryTime | None = None
    """Learn how demand changes over time; needs data.interactions.timestamp. Requests after the last train target, or
    without `query_time`, use the time of the last train target. Off by default."""

    embedding_dim: Whole = pydantic.Field(64, ge=2, le=4096)
    """Width of both towers' output."""

    normalize: bool = False
    """L2-normalise both towers' output, so that scores are cosine similarities."""

    @property
    def embeds_query_ids(self) -> bool:
        """Whether each query id in train has an embedding."""
        return isinstance(self.query_tower, FeaturesTowerSection) and self.query_tower.use_query_id

    @pydantic.model_validator(mode="after")
    def _check_heads(self) -> Model:
        tower = self.query_tower
        if isinstance(tower, HistoryTowerSection) and self.embedding_dim % tower.heads:
            raise ValueError(f"query_tower.heads={tower.heads} does not divide embedding_dim={self.embedding_dim}")
        return self
