"""What a compiled pipeline is told when a run is submitted. All are strings, and none has a default."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from shortlist.config.config import Config

DATA_ROOT = "data_root"
"""Where the tables' relative paths start, as the pods see it."""
SERVING_DIR = "serving_dir"
"""Folder that models are pushed to, as the pods see it."""
BASELINE_MODEL = "baseline_model"
"""URI of the model that the new one must not fall below; only where the pipeline was compiled with a baseline."""


def content_sha256(table: str) -> str:
    """Returns the name of the parameter with the fingerprint of a table's files."""
    return f"{table}_sha256"


def statistics_before(table: str) -> str:
    """Returns the name of the parameter with the URI of a table's statistics in the last blessed run."""
    return f"{table}_statistics_before"


@dataclasses.dataclass(frozen=True)
class ComparedWith:
    """URIs of what earlier runs left; a cluster cannot look for it, since KFP has no resolvers."""

    baseline_model: str | None = None
    """Of the latest blessed model, the Trainer's output."""

    statistics: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """By table name, of the statistics of the last blessed run on other data."""

    @property
    def parameters(self) -> dict[str, str]:
        """What is told at submission."""
        told = {statistics_before(table): uri for table, uri in self.statistics.items()}
        return told if self.baseline_model is None else {**told, BASELINE_MODEL: self.baseline_model}


def placeholders(config: Config, baseline: bool, statistics: bool) -> ComparedWith:
    """Returns what a package is compiled with that has places for earlier things, whose URIs are not known yet."""
    tables = config.data.tables if statistics else {}
    return ComparedWith("told at submission" if baseline else None, dict.fromkeys(tables, "told at submission"))


NOTHING = ComparedWith()
"""On a first run."""
