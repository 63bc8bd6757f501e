"""What the server knows of a version whose model is in another process."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from server.features import Features

if TYPE_CHECKING:
    from server.attributes import Overrides


@dataclasses.dataclass(frozen=True)
class Facts:
    """A version without its model."""

    version: str
    """Name of its folder."""

    folder: pathlib.Path
    pushed_at: float
    """When the version was pushed, seconds since 1970."""

    max_k: int
    """Candidates that an answer may have."""

    uses_times: bool
    """Whether answers depend on the time of the request."""

    excludes_seen: bool
    """Whether answers leave the history out."""

    features: Features
    kinds: Mapping[str, str]
    """The attributes that a filter may name, with their kind as `rules.parse_filter` takes it."""

    own_kinds: Mapping[str, str]
    """The same of the attributes that the version has without today's."""


@dataclasses.dataclass(frozen=True)
class Load:
    """The order to load a version."""

    folder: pathlib.Path
    max_batch: int
    """Largest batch that the version will be asked."""

    tables: Sequence[Overrides] = ()
    """Tables of today's attributes, the newest first. The version takes the first that it can use."""
