"""Values of a table that the server keeps, and whether a model can read them.

A wrong value in a table is the fault of who wrote the table. It must not become the answer to a client's request, so a
version that cannot read a table takes no traffic. Tables are larger than memory, and versions come later, so what is
kept of a table is one value of each form per column.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from shortlist.errors import BadInputError
from shortlist.serving import request_values
from shortlist.serving.request_values import ValueSpec

_REMEDY = "write the column as the model reads it, or leave it out"


class StoredValues:
    """One value of each form per column, with its place."""

    def __init__(self, source: object) -> None:
        """Takes the name of the table for messages, such as its path."""
        self._source = source
        self._samples: dict[tuple[str, Hashable], tuple[Any, str]] = {}

    def add(self, values: Mapping[str, Any], row: Callable[[], str]) -> None:
        """Adds the values of a row.

        Args:
          values: Value by column; None is a missing one.
          row: Returns the row for messages.
        """
        for column, value in values.items():
            if value is not None and (key := (column, _form(value))) not in self._samples:
                self._samples[key] = value, row()

    def misfits(self, specs: Mapping[str, ValueSpec]) -> dict[str, BadInputError]:
        """Returns an error for each column with a value that a model cannot read.

        Args:
          specs: The values that the model reads, by column; other columns are not looked at.
        """
        found: dict[str, BadInputError] = {}
        for (column, _), (value, row) in self._samples.items():
            fault = request_values.find_fault(specs[column], value) if column in specs else None
            if fault is not None:
                where = f"{self._source}, column {column!r}, {row}"
                found.setdefault(column, BadInputError.from_parts(where, fault.expected, fault.got, _REMEDY))
        return found


def _form(value: Any) -> Hashable:
    """Returns what decides whether a value fits an input: equal for values that fit the same inputs."""
    kind = type(value)
    if kind is float:
        return kind, math.isnan(value), abs(value) > request_values.MAX_FLOAT32
    if kind is int:
        return kind, abs(value) > request_values.MAX_INT64
    if kind is not list:
        return (kind,)
    forms = frozenset(map(_form, value))
    # The lengths of texts do not matter, beyond that there are several; those of vectors do.
    return (min(len(value), 2) if forms <= {str} else len(value)), forms
