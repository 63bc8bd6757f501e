"""Runtime parameters of a compiled pipeline, set when a run is submitted. All are strings without defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from shortlist.config.config import Config

DATA_ROOT = "data_root"
"""Folder that the tables' relative paths start from, as the pods see it."""
SERVING_DIR = "serving_dir"
"""Folder that models are pushed to, as the pods see it."""
BASELINE_MODEL = "baseline_model"
"""URI of the baseline model. The parameter exists only if the pipeline was compiled with a baseline."""
WARM_START_MODEL = "warm_start_model"
"""URI of the model that the training begins from. The parameter exists only if the pipeline was compiled with one."""


def content_sha256(table: str) -> str:
    """Returns the name of the parameter with the fingerprint of a table's files."""
    return f"{table}_sha256"


def statistics_before(table: str) -> str:
    """Returns the name of the parameter with the URI of a table's statistics in the last blessed run."""
    return f"{table}_statistics_before"


@dataclasses.dataclass(frozen=True)
class ComparisonUris:
    """URIs of earlier runs' artifacts to compare a run with.

    They are looked up before the run: KFP has no resolvers, so that the cluster cannot look them up.
    """

    baseline_model: str | None = None
    """URI of the latest blessed model, an output of its Trainer."""

    statistics: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Table name to the URI of its statistics in the last blessed run on other data."""

    warm_start_model: str | None = None
    """URI of the blessed model of that run, for a config with a warm start."""

    @property
    def parameters(self) -> dict[str, str]:
        """The URIs as run parameters, by name."""
        values = {statistics_before(table): uri for table, uri in self.statistics.items()}
        if self.baseline_model is not None:
            values[BASELINE_MODEL] = self.baseline_model
        if self.warm_start_model is not None:
            values[WARM_START_MODEL] = self.warm_start_model
        return values


_SET_AT_SUBMISSION = "set at submission"


def placeholders(config: Config, baseline: bool, statistics: bool) -> ComparisonUris:
    """Returns placeholders for compiling a package with importers whose URIs are set at submission.

    Args:
      config: The pipeline's config.
      baseline: Whether the package imports a baseline model and, with a warm start, one to begin from.
      statistics: Whether the package imports statistics of every table.
    """
    tables = config.data.tables if statistics else {}
    model = _SET_AT_SUBMISSION if baseline else None
    return ComparisonUris(model, dict.fromkeys(tables, _SET_AT_SUBMISSION), model if config.has_warm_start else None)


NO_COMPARISON = ComparisonUris()
"""The value for a first run."""
