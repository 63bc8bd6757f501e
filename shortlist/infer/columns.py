"""Statistics of a table's columns from its first rows."""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from shortlist.config.features import FeatureType
from shortlist.scalars import BadCell, iso_seconds, number_of, text_of

# Enough rows to contain rare faults, and few enough to keep in memory.
SAMPLED_ROWS = 200_000

_MULTI_DELIMITERS = "|;"
_MAX_CATEGORIES = 20_000
_WORD = re.compile(r"[A-Za-z]+|[0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclasses.dataclass(frozen=True)
class InferredColumn:
    """The sampled cells of one column; blank cells are None."""

    name: str
    texts: Sequence[str | None]
    is_time: bool
    """Whether the column is a Parquet timestamp or date; its texts are seconds."""

    is_list: bool = False
    """Whether some cells are lists."""

    @functools.cached_property
    def present(self) -> list[str]:
        """The cells that are not blank."""
        return [text for text in self.texts if text is not None]

    @functools.cached_property
    def counts(self) -> collections.Counter[str]:
        """The frequency of each value."""
        return collections.Counter(self.present)

    @property
    def blanks(self) -> int:
        """The number of blank cells."""
        return len(self.texts) - len(self.present)

    @functools.cached_property
    def words(self) -> frozenset[str]:
        """The words of the column's name in lower case: {customer, id} for `CustomerID`."""
        return frozenset(word.lower() for word in _WORD.findall(_CAMEL.sub(" ", self.name)))

    @functools.cached_property
    def numbers(self) -> list[Any]:
        """The values that are numbers."""
        return [number for number in map(_number, self.present) if number is not None]

    @property
    def is_numeric(self) -> bool:
        """Whether every value is a number."""
        return bool(self.present) and len(self.numbers) == len(self.present)

    @functools.cached_property
    def is_iso(self) -> bool:
        """Whether every value is an ISO 8601 date or time; 1,000 distinct values are checked."""
        # Parsing is slow, so 1,000 distinct values decide.
        return bool(self.present) and all(map(_is_iso, itertools.islice(self.counts, 1000)))

    @functools.cached_property
    def average_words(self) -> float:
        """The mean number of words in the distinct values."""
        return sum(len(value.split()) for value in self.counts) / max(len(self.counts), 1)

    def delimiter(self) -> str | None:
        """Returns the separator of several values in one cell, or None.

        A character is a separator if many values contain it and their parts repeat.
        """
        for delimiter in _MULTI_DELIMITERS:
            values = [value for value in self.counts if delimiter in value]
            parts = {part for value in values for part in value.split(delimiter)}
            if len(values) >= 0.1 * len(self.counts) and len(values) > 1 and 2 * len(parts) < len(values) * 3:
                return delimiter
        return None

    def feature_type(self) -> FeatureType | None:
        """Returns the type of a feature from this column; None if it is unsuitable."""
        if not self.present:
            return None
        if self.is_time:
            return FeatureType.TIMESTAMP
        if self.is_iso:
            return None
        if self.is_list or self.delimiter():
            return FeatureType.MULTI_CATEGORY
        if self.is_numeric and not {"id", "code", "zip", "isbn"} & self.words:
            return FeatureType.NUMERIC
        if self.average_words >= 2.0 and len(self.counts) > 50:
            return FeatureType.TEXT
        if len(self.counts) <= _MAX_CATEGORIES:
            return FeatureType.CATEGORY
        return None


def columns_of(
    names: Sequence[str], time_names: frozenset[str], rows: Iterator[tuple[int, dict[str, Any]]]
) -> list[InferredColumn]:
    """Returns the columns of the first rows.

    Args:
      names: Names of the table's columns.
      time_names: Names of the columns that a Parquet file declares as times.
      rows: Row numbers and cells from a reader; at most SAMPLED_ROWS are read.
    """
    cells: dict[str, list[str | None]] = {name: [] for name in names}
    lists: set[str] = set()
    for _, row in itertools.islice(rows, SAMPLED_ROWS):
        for name, texts in cells.items():
            cell = row[name]
            if isinstance(cell, list):
                lists.add(name)
            texts.append(_blank_as_none(cell))
    return [InferredColumn(name, texts, name in time_names, name in lists) for name, texts in cells.items()]


def consistency(column: InferredColumn, key: InferredColumn) -> float:
    """Returns the degree to which `key` determines `column`, 0 to 1.

    It is the share of the most frequent value among the rows of one key, averaged over the keys with several rows.
    """
    groups: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for value, key_value in zip(column.texts, key.texts, strict=True):
        if value is not None and key_value is not None:
            groups[key_value][value] += 1
    shares = [max(counts.values()) / total for counts in groups.values() if (total := sum(counts.values())) > 1]
    if not shares:
        return 0.0
    return sum(shares) / len(shares)


def _blank_as_none(cell: Any) -> str | None:
    if isinstance(cell, list):
        return "\x1f".join(str(part) for part in cell if part is not None) or None
    try:
        text = text_of(cell)
    except BadCell:
        return None
    if text and text.strip():
        return text
    return None


def _number(text: str) -> Any:
    try:
        return number_of(text)
    except BadCell:
        return None


def _is_iso(text: str) -> bool:
    try:
        iso_seconds(text)
    except BadCell:
        return False
    return True
