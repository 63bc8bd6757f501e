"""The histories that a pushed version was measured on, `assets.extra/histories.json`.

Format 1, of a sample of the test rows:

    rows             number of rows
    max_history      length that histories are cut to
    history_length   quantiles of the length of a history: {"p10", "p50", "p90"}
    newest_age       quantiles of the seconds from its newest item to the target; null without times
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shortlist import keys
from shortlist.model_files import HISTORIES_FILE
from shortlist.serving import version_files

FORMAT_VERSION = 1
"""Must increase with each incompatible change. Keys may be added without one."""


@dataclasses.dataclass(frozen=True)
class Quantiles:
    """Quantiles of a number."""

    p10: float
    p50: float
    p90: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Quantiles | None:
        """Returns the quantiles of some numbers; None without any."""
        if not len(values):
            return None
        return cls(*(float(value) for value in np.percentile(np.asarray(values, np.float64), [10, 50, 90])))


@dataclasses.dataclass(frozen=True)
class MeasuredHistories:
    """The content of the file, see the module."""

    rows: int
    max_history: int
    history_length: Quantiles
    newest_age: Quantiles | None

    @classmethod
    def of_windows(cls, windows: Sequence[Mapping[str, Any]]) -> MeasuredHistories | None:
        """Returns the statistics of parsed windows; None without any.

        Args:
          windows: Values by feature, each a list; `query_time` is the time of the target.
        """
        lengths = [len(window.get(keys.HISTORY_IDS, [])) for window in windows]
        found = Quantiles.of(lengths)
        if found is None:
            return None
        newest = [(max(window.get(keys.HISTORY_TIMES, []), default=0), window) for window in windows]
        ages = [
            max(window[keys.QUERY_TIME][0] - time, 0) for time, window in newest if time and window[keys.QUERY_TIME]
        ]
        return cls(len(windows), max(lengths), found, Quantiles.of(ages))

    @classmethod
    def of_version(cls, folder: pathlib.Path) -> MeasuredHistories | None:
        """Returns the statistics of a version; None if the version was pushed before there were such files.

        Raises:
          BadInputError: The file is damaged, or of a newer format.
        """
        return version_files.read(
            folder / HISTORIES_FILE, FORMAT_VERSION, "statistics that Shortlist wrote", cls._of_content
        )

    @classmethod
    def _of_content(cls, content: dict[str, Any]) -> MeasuredHistories:
        age = content["newest_age"]
        return cls(
            int(content["rows"]),
            int(content["max_history"]),
            Quantiles(**content["history_length"]),
            None if age is None else Quantiles(**age),
        )

    def to_json(self) -> str:
        """Returns the content of the file."""
        content = {"format_version": FORMAT_VERSION} | dataclasses.asdict(self)
        return json.dumps(content, indent=2, sort_keys=True) + "\n"
