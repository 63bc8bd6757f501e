"""The `index` and `push` sections: the served index, and the versions in the serving folder."""

from __future__ import annotations

from typing import Literal

import pydantic

from shortlist.config.section import Number, Section, Text, Whole
from shortlist.quoting import short_repr


class Index(Section):
    """The nearest-neighbour index of the served model."""

    # ScaNN refuses corpora below 16 candidates, and crashes with a single one.
    kind: Literal["auto", "scann", "brute_force"] = "auto"
    """`auto`: exact search up to 500,000 candidates times dimensions, where it is as quick as ScaNN, and where ScaNN's
    recall is too low; otherwise ScaNN. `scann`: always ScaNN. `brute_force`: always exact search."""

    k: Whole = pydantic.Field(100, ge=1, le=10_000)
    """Maximum number of candidates per answer."""

    min_recall: Number = pydantic.Field(0.99, ge=0.0, le=1.0)
    """Minimum recall@k of the index against exact search, on test queries. Below it, nothing is pushed."""

    # ScaNN returns a fixed number of results. If exclusions use them up, it returns excluded candidates.
    max_exclusions: Whole = pydantic.Field(1024, ge=0, le=100_000)
    """Maximum number of excluded ids per query for ScaNN, which fetches as many extra candidates as a query excludes.
    Queries with more use exact search."""

    pool: Whole = pydantic.Field(500, ge=1, le=10_000)
    """Number of candidates that diversity, boosts and promotions choose an answer from: the longest answer of
    `recommend_filtered`, `k` at least."""

    filters: tuple[Text, ...] = ()
    """Features of the candidates that requests may filter by, such as `[genres, release_year]`; of type category,
    multi_category or numeric."""

    searchers: Whole = pydantic.Field(1, ge=1, le=64)
    """Number of ScaNN searchers in the model, each of an equal part of the candidates. All parts are searched and the
    answers merged. More than one is for catalogues on which ScaNN cannot be trained at once for lack of memory."""

    @pydantic.field_validator("filters")
    @classmethod
    def _check_filters(cls, filters: tuple[str, ...]) -> tuple[str, ...]:
        repeated = next((name for name in filters if filters.count(name) > 1), None)
        if repeated is not None:
            raise ValueError(f"{short_repr(repeated)} is there twice")
        return filters


class Push(Section):
    """Versions in the serving folder."""

    keep_versions: Whole = pydantic.Field(3, ge=1, le=10_000)
    """Number of newest versions to keep. Older versions are deleted."""
