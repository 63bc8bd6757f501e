"""What the first rows of a table tell of its columns."""

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

# Enough to see the dirt, little enough to hold.
SAMPLED_ROWS = 200_000

_MULTI_DELIMITERS = "|;"
_MAX_CATEGORIES = 20_000
_WORD = re.compile(r"[A-Za-z]+|[0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclasses.dataclass(frozen=True)
class InferredColumn:
    """The sampled cells of one column; blank ones are None."""

    name: str
    texts: Sequence[str | None]
    is_time: bool
    """A Parquet timestamp or date: its texts are seconds."""

    is_list: bool = False

    @functools.cached_property
    def present(self) -> list[str]:
        """Returns the cells that are not blank."""
        return [text for text in self.texts if text is not None]

    @functools.cached_property
    def counts(self) -> collections.Counter[str]:
        """Returns how often each value comes."""
        return collections.Counter(self.present)

    @property
    def blanks(self) -> int:
        """Returns the number of blank cells."""
        return len(self.texts) - len(self.present)

    @functools.cached_property
    def words(self) -> frozenset[str]:
        """Returns the words of the column's name in lower case: `CustomerID` is {customer, id}."""
        return frozenset(word.lower() for word in _WORD.findall(_CAMEL.sub(" ", self.name)))

    @functools.cached_property
    def numbers(self) -> list[Any]:
        """Returns the values that are numbers."""
        return [number for number in map(_number, self.present) if number is not None]

    @property
    def is_numeric(self) -> bool:
        """Returns whether every value is a number."""
        return bool(self.present) and len(self.numbers) == len(self.present)

    @functools.cached_property
    def is_iso(self) -> bool:
        """Returns whether every value is an ISO 8601 date or time."""
        return bool(self.present) and all(map(_is_iso, itertools.islice(self.counts, 1000)))

    @functools.cached_property
    def average_words(self) -> float:
        """Returns the mean number of words of the distinct values."""
        return sum(len(value.split()) for value in self.counts) / max(len(self.counts), 1)

    def delimiter(self) -> str | None:
        """Returns what separates several values in one cell, where it is a delimiter and its parts come again."""
        for delimiter in _MULTI_DELIMITERS:
            several = [value for value in self.counts if delimiter in value]
            parts = {part for value in several for part in value.split(delimiter)}
            if len(several) >= 0.1 * len(self.counts) and len(several) > 1 and 2 * len(parts) < len(several) * 3:
                return delimiter
        return None

    def feature_type(self) -> FeatureType | None:
        """Returns how the column could be a feature; None where it could not."""
        if not self.present:
            return None
        if self.is_time or self.is_iso:
            return FeatureType.TIMESTAMP if self.is_time else None
        if self.is_list or self.delimiter():
            return FeatureType.MULTI_CATEGORY
        if self.is_numeric and not {"id", "code", "zip", "isbn"} & self.words:
            return FeatureType.NUMERIC
        if self.average_words >= 2.0 and len(self.counts) > 50:
            return FeatureType.TEXT
        return FeatureType.CATEGORY if len(self.counts) <= _MAX_CATEGORIES else None


def columns_of(
    names: Sequence[str], time_names: frozenset[str], rows: Iterator[tuple[int, dict[str, Any]]]
) -> list[InferredColumn]:
    """Returns the columns of the first rows.

    Args:
      names: The table's columns.
      time_names: Those that a Parquet file keeps as times.
      rows: Row number and cells, as the readers yield them; at most SAMPLED_ROWS are taken.
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


def consistency(of: InferredColumn, by: InferredColumn) -> float:
    """Returns how far `by` decides `of`: the mean share of the commonest value over `by`'s values that come twice."""
    groups: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for value, key in zip(of.texts, by.texts, strict=True):
        if value is not None and key is not None:
            groups[key][value] += 1
    shares = [max(counts.values()) / total for counts in groups.values() if (total := sum(counts.values())) > 1]
    return sum(shares) / len(shares) if shares else 0.0


def _blank_as_none(cell: Any) -> str | None:
    if isinstance(cell, list):
        return "\x1f".join(str(part) for part in cell if part is not None) or None
    try:
        text = text_of(cell)
    except BadCell:
        return None
    return text if text and text.strip() else None


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
