"""Statistics of a table's columns from its first rows."""

from __future__ import annotations

import collections
import dataclasses
import fractions
import functools
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any

from shortlist.config.features import FeatureType
from shortlist.infer import names
from shortlist.scalars import BadCell, iso_seconds, number_of, text_of

# Enough rows to contain rare faults, and few enough to keep in memory.
SAMPLED_ROWS = 200_000

NULL_TEXTS = frozenset({"NA", "N/A", "#N/A", "NULL", "null", "None", "NaN", "nan", "\\N", "(null)", "undefined"})
"""Texts that programs write for a missing value."""

# Parts of a list cell in one text. No separator of a file, because files with control characters are refused.
_LIST_SEPARATOR = "\x1f"
_MULTI_DELIMITERS = "|;"
_MAX_CATEGORIES = 20_000
# With a value of its own in nearly every row, a column has nothing to learn from.
_MAX_DISTINCT_SHARE = 0.9
_TITLE_WORDS = ("title", "name", "description", "headline", "summary")
# An id determines a column if it leaves at most this share of the disagreement that chance would give.
_MAX_LEFT = 0.2
# Keys with several rows that a judgement needs.
_MIN_KEYS = 5


@dataclasses.dataclass(frozen=True)
class InferredColumn:
    """The sampled cells of one column; blank cells are None."""

    name: str
    texts: Sequence[str | None]
    is_time: bool
    """Whether the file declares the column as times or dates; its texts are seconds."""

    is_list: bool = False
    """Whether some cells are lists."""

    vector_dim: int = 0
    """Length of all cells, if they are lists of one length with fractions, such as embeddings; else 0."""

    is_nested: bool = False
    """Whether some cells are objects, or lists of lists or objects. Their texts are None."""

    @functools.cached_property
    def present(self) -> list[str]:
        """The cells that are neither blank nor a text for a missing value, such as NULL."""
        return [text for text in self.texts if text is not None and text not in NULL_TEXTS]

    @functools.cached_property
    def null_counts(self) -> collections.Counter[str]:
        """The frequency of each text for a missing value."""
        return collections.Counter(text for text in self.texts if text in NULL_TEXTS)

    @functools.cached_property
    def counts(self) -> collections.Counter[str]:
        """The frequency of each value."""
        return collections.Counter(self.present)

    @property
    def blanks(self) -> int:
        """The number of blank cells."""
        return sum(text is None for text in self.texts)

    @property
    def missing_share(self) -> float:
        """The share of cells that are blank or a text for a missing value, 0 to 1."""
        return 1.0 - len(self.present) / max(len(self.texts), 1)

    @functools.cached_property
    def numbers(self) -> list[Any]:
        """The values that are numbers."""
        return [number for number in map(self.number, self.present) if number is not None]

    def number(self, text: str) -> Any:
        """Returns the number of a cell's text, or None; a file's own time may be a fraction of seconds."""
        return fractions.Fraction(text) if self.is_time else _number(text)

    @property
    def is_numeric(self) -> bool:
        """Whether every value is a number."""
        return bool(self.present) and len(self.numbers) == len(self.present)

    @property
    def is_whole(self) -> bool:
        """Whether every value is a whole number."""
        return self.is_numeric and all(number == int(number) for number in self.numbers)

    @functools.cached_property
    def is_iso(self) -> bool:
        """Whether every value is an ISO 8601 date or time; 1,000 distinct values are checked."""
        # Parsing is slow, so 1,000 distinct values decide.
        return bool(self.present) and all(map(_is_iso, itertools.islice(self.counts, 1000)))

    @functools.cached_property
    def average_words(self) -> float:
        """The mean number of words in the distinct values."""
        return sum(len(value.split()) for value in self.counts) / max(len(self.counts), 1)

    @property
    def is_unique(self) -> bool:
        """Whether nearly every row has a value of its own."""
        return len(self.counts) > _MAX_DISTINCT_SHARE * max(len(self.present), 20)

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
        """Returns the type of a feature from this column; None if it is unsuitable (see `unsuitable`)."""
        if self.unsuitable():
            return None
        if self.is_time or self.is_iso:
            return FeatureType.TIMESTAMP
        if self.is_list or self.delimiter():
            return FeatureType.MULTI_CATEGORY
        if self.is_numeric and not self._has_codes:
            return FeatureType.NUMERIC
        if self._is_text:
            return FeatureType.TEXT
        return FeatureType.CATEGORY

    def unsuitable(self) -> str | None:
        """Returns the reason for which the column is no feature; None if it can be one."""
        if self.is_nested:
            return "its cells are objects or nested lists"
        # A guess of a type costs a projection per value. Whether vectors help is for the user to decide.
        if self.vector_dim:
            return f"its cells are vectors, which a feature of `type: vector` with `dim: {self.vector_dim}` reads"
        if not self.present:
            return "it has no values"
        if len(self.counts) < 2:
            return "it has one value"
        if self.is_time or self.is_iso or self.is_list or self.delimiter() or self._is_text:
            return None
        if self.is_numeric and not self._has_codes:
            if self.null_counts:
                nulls = ", ".join(sorted(self.null_counts))
                return f"its numbers are missing as {nulls}; write an empty cell instead to use it"
            return None
        if self.is_unique and len(self.present) > 50:
            return "nearly every row has a value of its own"
        if len(self.counts) > _MAX_CATEGORIES:
            return f"it has {len(self.counts):,} values in the rows that were read"
        return None

    @property
    def _has_codes(self) -> bool:
        # Leading zeros are digits of a code: 0663713001.
        return names.is_code_name(self.name) or any(
            len(text) > 1 and text.startswith("0") and text.isdigit() for text in itertools.islice(self.counts, 1000)
        )

    @property
    def _is_text(self) -> bool:
        if self.is_numeric or len(self.counts) <= 50:
            return False
        is_title = self.is_unique and names.has_word(self.name, _TITLE_WORDS)
        return self.average_words >= 2.0 or is_title


def columns_of(
    column_names: Sequence[str], time_names: frozenset[str], rows: Iterator[tuple[int, dict[str, Any]]]
) -> list[InferredColumn]:
    """Returns the columns of the first rows.

    Args:
      column_names: Names of the table's columns.
      time_names: Names of the columns that the file declares as times.
      rows: Row numbers and cells from a reader; at most SAMPLED_ROWS are read.
    """
    cells: dict[str, list[str | None]] = {name: [] for name in column_names}
    shapes: dict[str, set[str | int]] = {name: set() for name in column_names}
    for _, row in itertools.islice(rows, SAMPLED_ROWS):
        for name, texts in cells.items():
            cell = row[name]
            if isinstance(cell, list | dict):
                shapes[name].add(_shape(cell))
            texts.append(_text(cell))
    return [
        InferredColumn(
            name,
            texts,
            name in time_names,
            is_list=bool(shapes[name]),
            vector_dim=_vector_dim(shapes[name]),
            is_nested="nested" in shapes[name],
        )
        for name, texts in cells.items()
    ]


def consistency(column: InferredColumn, key: InferredColumn) -> float:
    """Returns the degree to which `key` determines `column`, 0 to 1.

    It is the mean, over the keys with several rows, of the share of each key's most frequent value. 0 if no key has
    several rows.
    """
    return _consistency(column.texts, key.texts)


def determines(key: InferredColumn, column: InferredColumn, group: InferredColumn | None = None) -> bool:
    """Returns whether a column is the same in all rows of a key, far beyond chance.

    Chance is the consistency after a shuffle: where nine rows in ten have one value, any key seems to determine it.

    Args:
      key: The column of ids.
      column: The column in question.
      group: Rows of a key with one value here, such as one order, count as one.
    """
    groups = key.texts if group is None else group.texts
    distinct: dict[object, tuple[str, str]] = {}
    for row, (value, row_key, row_group) in enumerate(zip(column.texts, key.texts, groups, strict=True)):
        if value is not None and row_key is not None:
            distinct.setdefault(row if group is None else (row_key, row_group), (value, row_key))
    values, row_keys = [value for value, _ in distinct.values()], [row_key for _, row_key in distinct.values()]
    if sum(count > 1 for count in collections.Counter(row_keys).values()) < _MIN_KEYS:
        return False
    found = _consistency(values, row_keys)
    random.Random(1).shuffle(values)  # noqa: S311  No secret; the seed makes the guess repeatable.
    by_chance = _consistency(values, row_keys)
    return found > by_chance and (1.0 - found) <= _MAX_LEFT * (1.0 - by_chance)


def _consistency(values: Sequence[str | None], row_keys: Sequence[str | None]) -> float:
    groups: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for value, row_key in zip(values, row_keys, strict=True):
        if value is not None and row_key is not None:
            groups[row_key][value] += 1
    shares = [max(counts.values()) / total for counts in groups.values() if (total := sum(counts.values())) > 1]
    return sum(shares) / len(shares) if shares else 0.0


def _shape(cell: list[Any] | dict[str, Any]) -> str | int:
    """Returns "nested", "list", or the length of a list of numbers of which one has a fraction."""
    if isinstance(cell, dict) or any(isinstance(part, list | dict) for part in cell):
        return "nested"
    numbers = [part for part in cell if isinstance(part, int | float) or hasattr(part, "as_tuple")]
    if len(cell) >= 3 and len(numbers) == len(cell) and any(number % 1 for number in numbers):
        return len(cell)
    return "list"


def _vector_dim(shapes: set[str | int]) -> int:
    """Returns the length of all lists, if they are numbers of one length; else 0."""
    lengths = [shape for shape in shapes if isinstance(shape, int)]
    return lengths[0] if len(shapes) == len(lengths) == 1 else 0


def _text(cell: Any) -> str | None:
    """Returns a cell's text; None for a blank or an object. A control character separates the parts of a list."""
    if isinstance(cell, list):
        parts = (_text(part) for part in cell)
        return _LIST_SEPARATOR.join(part for part in parts if part is not None) or None
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
