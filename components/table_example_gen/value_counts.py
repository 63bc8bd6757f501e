"""Exact numbers of rows by value, for columns of few whole numbers: TFDV's histograms of numbers are estimates."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from tfx_bsl.coders import example_coder

from shortlist.tables.spec import TableSpec

MAX_VALUES = 1_000
"""Columns with more distinct values are left out."""

Count = tuple[tuple[str, float | None], int]
"""A column and one of its values with the number of rows; None for the value of a column that is left out."""


class ValueCounts:
    """Counts the values of some examples."""

    def __init__(self, columns: Sequence[str]) -> None:
        """Takes the names of the numeric columns."""
        self._counts = {name: collections.Counter[float]() for name in columns}
        self._left_out: set[str] = set()
        self._decoder = example_coder.ExamplesToRecordBatchDecoder()

    def add(self, examples: Sequence[bytes]) -> None:
        """Counts serialized flat examples."""
        if not examples or not self._counts:
            return
        batch = self._decoder.DecodeBatch(list(examples))
        for name in list(self._counts):
            place = batch.schema.get_field_index(name)
            # A column without any value in the batch has no type.
            if place < 0 or pa.types.is_null(batch.schema.field(place).type):
                continue
            values = batch.column(place).flatten()
            whole = pc.and_(pc.is_finite(values), pc.equal(values, pc.floor(values)))
            if not pc.all(whole, min_count=0).as_py():
                self._leave_out(name)
                continue
            found = pc.value_counts(values)
            self._counts[name].update(
                dict(zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True))
            )
            if len(self._counts[name]) > MAX_VALUES:
                self._leave_out(name)

    def counts(self) -> Iterator[Count]:
        """Yields the counts, to be added to those of other examples of the table."""
        for name, counter in self._counts.items():
            for value, rows in counter.items():
                yield (name, float(value)), rows
        for name in self._left_out:
            yield (name, None), 1

    def _leave_out(self, name: str) -> None:
        del self._counts[name]
        self._left_out.add(name)


def columns(spec: TableSpec) -> list[str]:
    """Returns the names of a table's numeric columns."""
    return [column.name for column in spec.columns if column.type in ("numeric", "weight")]


def by_column(summed: Iterable[Count]) -> dict[str, list[tuple[float, int]]]:
    """Returns the values of each column with their numbers of rows, in the order of the values.

    Args:
      summed: The counts of all examples, one per column and value.
    """
    pairs = list(summed)
    left_out = {name for (name, value), _ in pairs if value is None}
    found: dict[str, list[tuple[float, int]]] = {}
    for (name, value), rows in pairs:
        if value is not None and name not in left_out:
            found.setdefault(name, []).append((value, rows))
    return {name: sorted(values) for name, values in sorted(found.items()) if len(values) <= MAX_VALUES}
