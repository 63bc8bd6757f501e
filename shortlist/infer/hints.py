"""Columns and formats that the user has named."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from shortlist.config import text_format as config_format
from shortlist.errors import ConfigError
from shortlist.infer.text_format import TextOptions

NO_TIMES = "none"
ROW_ORDER = "row"


@dataclasses.dataclass(frozen=True)
class Hints:
    """Columns and formats that the user has named; the others are guessed."""

    query_id: str | None = None
    candidate_id: str | None = None
    timestamp: str | None = None
    """Name of a column, or `none` or `row`, unless a column has this name."""

    timestamp_format: str | None = None
    text: TextOptions = dataclasses.field(default_factory=TextOptions)
    candidates_columns: tuple[str, ...] | None = None
    """Names of the columns of a catalogue without a header."""

    queries_columns: tuple[str, ...] | None = None
    """Names of the columns of a table of queries without a header."""

    @property
    def names(self) -> list[str]:
        """The named columns."""
        return [name for name in (self.query_id, self.candidate_id, self.timestamp) if name]


def check_hints(hints: Hints) -> None:
    """Refuses options that a config would refuse, before they are used.

    Raises:
      ConfigError: Names the option.
    """
    text = hints.text
    checks: list[tuple[str, Callable[[Any], Any], Any]] = [
        ("--delimiter", config_format.checked_delimiter, text.delimiter),
        ("--encoding", config_format.checked_encoding, text.encoding),
        ("--timestamp-format", config_format.checked_time_format, hints.timestamp_format),
    ]
    for option, columns in (
        ("--columns", text.columns),
        ("--candidates-columns", hints.candidates_columns),
        ("--queries-columns", hints.queries_columns),
    ):
        checks.append((option, lambda names: config_format.checked_columns(names, header=False), columns))
    for option, check, value in checks:
        if value is None:
            continue
        try:
            check(value)
        except ValueError as error:
            raise ConfigError(f"{option}: {error}") from None
    if text.decimal not in (None, ".", ","):
        raise ConfigError.from_parts("--decimal", '"." or ","', repr(text.decimal))
