"""The `index` and `push` sections: what is served, and how many versions are kept."""

from __future__ import annotations

from typing import Literal

import pydantic

from shortlist.config.section import Section


class Index(Section):
    """The nearest-neighbour index that is served."""

    kind: Literal["auto", "scann", "brute_force"] = "auto"
    """auto: ScaNN where its recall holds, exact search below 16 candidates."""

    k: int = pydantic.Field(100, ge=1, le=10_000)
    """Most candidates that one answer may have."""

    min_recall: float = pydantic.Field(0.99, ge=0.0, le=1.0)
    """Recall@k against exact search on test queries below which nothing is pushed."""

    max_exclusions: int = pydantic.Field(1024, ge=0)
    """Excluded ids a query that ScaNN over-fetches for; longer lists are searched exactly."""


class Push(Section):
    """Where and how pushed versions are kept."""

    keep_versions: int = pydantic.Field(3, ge=1)
    """Newest versions kept; older ones are deleted."""
