"""Attributes of a version's candidates, for filters, boosts and promotions; a table of today may override them."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from server import parquet_tables
from shortlist import keys
from shortlist.config.features import FeatureType
from shortlist.errors import BadInputError
from shortlist.serving import rules
from shortlist.serving.catalogue import Catalogue

# A category alone is served as a list of one.
_CATEGORIES = "multi_category"


@dataclasses.dataclass(frozen=True)
class Categories:
    """The values of one category attribute."""

    values: Sequence[Sequence[str]]
    """[corpus_size] values of each candidate; empty if missing."""

    @functools.cached_property
    def rows(self) -> Mapping[str, npt.NDArray[np.int64]]:
        """The rows that have a value, by value."""
        found: dict[str, list[int]] = {}
        for row, values in enumerate(self.values):
            for value in values:
                found.setdefault(value, []).append(row)
        return {value: np.array(rows, np.int64) for value, rows in found.items()}

    def having(self, values: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Returns which candidates have one of some values, bool [corpus_size]."""
        mask = np.zeros(len(self.values), np.bool_)
        for value in values:
            if value in self.rows:
                mask[self.rows[value]] = True
        return mask


Numbers = npt.NDArray[np.floating[Any]]
"""[corpus_size] numbers; NaN if missing. Those of the catalogue are float32, as in the model: a bound such as 0.1 then
means the same number to both. Times, and numbers that only today's table has, are float64."""


class Attributes:
    """The attributes of all candidates of a version. It is immutable and safe for several threads."""

    def __init__(
        self, columns: Mapping[str, Categories | Numbers], size: int, of_today: frozenset[str] = frozenset()
    ) -> None:
        """Takes the columns.

        Args:
          columns: The values by attribute.
          size: Number of candidates.
          of_today: The attributes whose values may differ from those that the model has.
        """
        self._columns = columns
        self._size = size
        self.of_today = of_today
        self.kinds: Mapping[str, str] = {name: _kind_of(column) for name, column in columns.items()}
        """The attributes that a filter may name, with their kind as `rules.parse_filter` takes it."""

    @classmethod
    def of_version(cls, catalogue: Catalogue | None, size: int) -> Attributes:
        """Returns those in a version's catalogue."""
        if catalogue is None:
            return cls({}, size)
        columns: dict[str, Categories | Numbers] = {}
        for name, kind in catalogue.attributes.items():
            values = catalogue.attribute(name)
            if kind in (FeatureType.NUMERIC, FeatureType.TIMESTAMP):
                columns[name] = _numbers(values, np.float32 if kind is FeatureType.NUMERIC else np.float64)
            else:
                columns[name] = _categories(values)
        return cls(columns, size)

    def overridden(self, table: Overrides, rows: Mapping[str, int]) -> Attributes:
        """Returns attributes with the values of a table; candidates that it lacks keep theirs.

        Args:
          table: The table.
          rows: Row by candidate id; other candidates of the table are ignored.
        """
        positions = [(position, rows[item]) for position, item in enumerate(table.ids) if item in rows]
        columns = dict(self._columns)
        for name, column in table.columns.items():
            base = columns.get(name)
            if isinstance(column, Categories):
                none: list[Sequence[str]] = [()] * self._size
                lists = list(base.values) if isinstance(base, Categories) else none
                for position, row in positions:
                    lists[row] = column.values[position]
                columns[name] = Categories(lists)
            else:
                numbers = base.copy() if isinstance(base, np.ndarray) else np.full(self._size, np.nan)
                for position, row in positions:
                    numbers[row] = column[position]
                columns[name] = numbers
        return Attributes(columns, self._size, self.of_today | frozenset(table.columns))

    def mask(self, conditions: rules.Filter) -> npt.NDArray[np.bool_]:
        """Returns which candidates pass a filter, bool [corpus_size]; see `rules` for its meaning."""
        passed = np.ones(self._size, np.bool_)
        for name, rule in conditions.items():
            column = self._columns[name]
            if isinstance(column, Categories):
                if rule.any:
                    passed &= column.having(rule.any)
                if rule.none:
                    passed &= ~column.having(rule.none)
            else:
                # Comparisons with NaN are false.
                if rule.min is not None:
                    passed &= column >= rule.min
                if rule.max is not None:
                    passed &= column <= rule.max
        return passed

    def of_rows(self, names: Sequence[str], rows: npt.NDArray[np.int64]) -> dict[str, Sequence[Any]]:
        """Returns the values of some candidates by attribute."""
        found: dict[str, Sequence[Any]] = {}
        for name in names:
            column = self._columns[name]
            values: Any = [column.values[row] for row in rows] if isinstance(column, Categories) else column[rows]
            found[name] = values
        return found


@dataclasses.dataclass(frozen=True)
class Overrides:
    """The table `serve.attributes`."""

    ids: Sequence[str]
    columns: Mapping[str, Categories | Numbers]
    source: object = "attributes"
    """Name of the table for messages."""

    @classmethod
    def read(cls, path: pathlib.Path) -> Overrides:
        """Reads the table.

        Raises:
          BadInputError: The file cannot be read, or has no column `candidate_id`, or a wrong value.
        """
        table = parquet_tables.Table(path, "attributes", (keys.CANDIDATE_ID,))
        ids: list[str] = []
        values: dict[str, list[Any]] = {name: [] for name in table.names if name != keys.CANDIDATE_ID}
        numbers = {name for name in values if _is_of_numbers(table, name)}
        for first, batch in table.batches(table.names):
            for row, item in enumerate(table.ids(batch, keys.CANDIDATE_ID, first)):
                if item is None:
                    raise table.wrong(keys.CANDIDATE_ID, first + row, "an id", "none")
                ids.append(item)
            for name, found in values.items():
                found += table.numbers(batch, name, first) if name in numbers else table.values(batch, name, first)
        columns: dict[str, Categories | Numbers] = {
            name: np.array(found, np.float64) if name in numbers else Categories([*map(_texts, found)])
            for name, found in values.items()
        }
        return cls(ids, columns, path)

    def check(self, kinds: Mapping[str, str]) -> None:
        """Refuses columns of another kind than a version's own attributes: their filters would have another form.

        Args:
          kinds: `Attributes.kinds` of the version's catalogue.

        Raises:
          BadInputError: A column is.
        """
        names = {rules.NUMBER: "numbers or times", _CATEGORIES: "texts or lists of texts"}
        for name, column in self.columns.items():
            kind = _kind_of(column)
            if kinds.get(name, kind) != kind:
                where, expected = f"{self.source}, column {name!r}", f"{names[kinds[name]]}, as the version has"
                raise BadInputError.from_parts(where, expected, names[kind], "write them so, or rename the column")


def _kind_of(column: Categories | Numbers) -> str:
    return _CATEGORIES if isinstance(column, Categories) else rules.NUMBER


def _is_of_numbers(table: parquet_tables.Table, name: str) -> bool:
    """Returns whether a column has numbers or times; else it has texts or lists of texts.

    Raises:
      BadInputError: It has neither.
    """
    kind = table.type_of(name)
    if parquet_tables.is_text(kind.value_type if pa.types.is_list(kind) else kind):
        return False
    is_time = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    if is_time or pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return True
    raise table.wrong(name, None, "texts, lists of texts, numbers or times", f"values of type {kind}")


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(item for item in value if item is not None)


def _categories(values: pa.ChunkedArray) -> Categories:
    """Returns lists of texts.

    Args:
      values: list<string>.
    """
    # Rows share their texts: PyArrow's own conversion took 0.8 s of CPU with 200,000 candidates, this one 0.06 s.
    found: list[Sequence[str]] = []
    for chunk in values.chunks:
        encoded = chunk.values.dictionary_encode()
        names = [*encoded.dictionary.to_pylist(), None]
        texts = [names[code] for code in pc.fill_null(encoded.indices, -1).to_numpy().tolist()]
        ends = chunk.offsets.to_numpy().tolist()
        rows = [tuple(texts[start:end]) for start, end in itertools.pairwise(ends)]
        if encoded.null_count or chunk.null_count:
            is_valid = chunk.is_valid().to_pylist()
            rows = [
                tuple(text for text in row if text is not None) if valid else ()
                for row, valid in zip(rows, is_valid, strict=True)
            ]
        found += rows
    return Categories(found)


def _numbers(values: pa.ChunkedArray, kind: Any = np.float64) -> Numbers:
    return np.asarray(pc.fill_null(values.cast(pa.float64()), np.nan).to_numpy(), kind)
