"""Ways to read a log's columns as times: clocks, dates in some format, and order numbers."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import itertools
import re
import statistics
from collections.abc import Iterable
from typing import Literal

from shortlist.infer import date_formats, names
from shortlist.infer.columns import InferredColumn
from shortlist.infer.date_formats import EARLIEST_YEAR
from shortlist.tables.timestamps import PER_SECOND, unit_of_number

Kind = Literal["clock", "text", "order"]

_SAMPLE_SIZE = 500
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp][Mm])?")
_EARLIEST = int(datetime.datetime(EARLIEST_YEAR, 1, 1, tzinfo=datetime.timezone.utc).timestamp())


@dataclasses.dataclass(frozen=True)
class TimeReading:
    """A way to read one column as times."""

    column: InferredColumn
    kind: Kind
    """`clock`: numbers since 1970, ISO 8601 or the file's own times. `text`: other dates. `order`: order numbers."""

    unit: str | None = None
    """For numbers since 1970, their unit."""

    format: str | None = None
    """For `text`, the strptime format."""

    other_format: str | None = None
    """A second format that reads all values, as other days."""


def read(column: InferredColumn, format: str | None, query: InferredColumn | None) -> TimeReading | None:
    """Returns how a column can be read as times; None if it cannot."""
    if column.is_list or column.is_nested or not column.present:
        return None
    if column.is_time or column.is_iso:
        return TimeReading(column, "clock")
    if format is not None and date_formats.reads_all(_sample(column), format):
        return TimeReading(column, "text", format=format)
    if format is not None and query is None:
        return None
    if column.is_numeric:
        if names.has_word(column.name, names.RATING_WORDS):
            return None
        is_time_name = names.has_word(column.name, names.EVENT_TIME_WORDS)
        unit = unit_of_number(statistics.median_low(column.numbers))
        if unit is not None and (is_time_name or not names.is_id_name(column.name)):
            return TimeReading(column, "clock", unit=unit)
        if _is_calendar(column):
            return TimeReading(column, "clock")
        if _is_sequence(column, query):
            return TimeReading(column, "order")
        return None
    formats = [format for format in date_formats.FORMATS if date_formats.reads_all(_sample(column), format)]
    if not formats:
        return None
    first = formats[0]
    other = next((second for second in formats[1:] if date_formats.is_swapped(first, second)), None)
    return TimeReading(column, "text", format=first, other_format=other)


def _is_calendar(column: InferredColumn) -> bool:
    """Returns whether all values are dates such as 20231114; 500 distinct values are checked."""
    if not column.is_whole or any(len(text) != 8 for text in _sample(column)):
        return False
    return date_formats.reads_all(_sample(column), "%Y%m%d")


def _sample(column: InferredColumn) -> list[str]:
    """Returns the first distinct values, at most 500."""
    return list(itertools.islice(column.counts, _SAMPLE_SIZE))


def _is_sequence(column: InferredColumn, query: InferredColumn | None) -> bool:
    """Returns whether whole numbers order a query's interactions, by their name and by their values."""
    if not column.is_whole or names.is_cycle_name(column.name) or names.is_pure_id_name(column.name):
        return False
    rank = names.rank_of(column.name, names.SEQUENCE_WORDS)
    if rank is None or min(column.numbers) < 0:
        return False
    if query is None or names.SEQUENCE_WORDS[rank] in names.CLEAR_SEQUENCE_WORDS:
        return True
    pairs = collections.Counter(zip(query.texts, column.texts, strict=True))
    return max(pairs.values()) == 1


def out_of_range(reading: TimeReading) -> tuple[list[str], str | None]:
    """Returns the times before 1990 or after tomorrow, and a filter that drops them; none for order numbers."""
    column = reading.column
    if reading.unit is None or column.is_time:
        return [], None
    bad = [
        text
        for text, number in zip(column.present, column.numbers, strict=True)
        if unit_of_number(number) != reading.unit
    ]
    if not bad:
        return [], None
    numbers = [number for number in column.numbers if unit_of_number(number) == reading.unit]
    lowest = _EARLIEST * PER_SECOND[reading.unit]  # type: ignore[index]
    name = names.quoted(column.name)
    is_early = all(float(text) < lowest for text in bad)
    condition = f"{name} >= {lowest}" if is_early else f"{name} >= {lowest} and {name} <= {max(numbers)}"
    return bad, condition


def clock_beside(reading: TimeReading, columns: Iterable[InferredColumn]) -> InferredColumn | None:
    """Returns a column with the time of the day, such as 14:05, if the column of times has dates alone."""
    dates = _sample(reading.column)
    if reading.kind == "order" or reading.column.is_time or any(":" in text or len(text) > 12 for text in dates):
        return None
    if reading.unit is not None:
        return None
    for column in columns:
        values = _sample(column)
        if column is not reading.column and values and all(map(_CLOCK.fullmatch, values)):
            return column
    return None


def date_parts(columns: Iterable[InferredColumn]) -> list[str]:
    """Returns the columns with the year, the month and the day of a date; empty if there are not all three."""
    found = []
    for part in ("year", "month", "day"):
        column = next((column for column in columns if part in names.words_of(column.name) and column.is_whole), None)
        if column is None:
            return []
        found.append(column.name)
    return found
