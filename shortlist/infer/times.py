"""Choice of the column with the interactions' times, by the values and the name of each column."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import itertools
import statistics
from collections.abc import Iterable, Sequence
from typing import Literal

from shortlist.errors import ConfigError
from shortlist.infer import names
from shortlist.infer.columns import InferredColumn, determines
from shortlist.tables.timestamps import PER_SECOND, unit_of_number

OPTION = "--timestamp"
FORMAT_OPTION = "--timestamp-format"

Kind = Literal["clock", "text", "order"]

_TRIED_VALUES = 500
_DAYS = (
    *("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y.%m.%d", "%m/%d/%y", "%d/%m/%y"),
    *("%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%m %d, %Y", "%d.%m.%y"),
)
_HOURS = ("", "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%H:%M:%S %z")
_WHOLE = (
    *("%a %b %d %H:%M:%S %z %Y", "%a, %d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"),
    *("%Y%m%d%H%M%S", "%Y%m%dT%H%M%S", "%Y%m%d %H:%M:%S", "%d/%b/%Y:%H:%M:%S %z"),
)
_FORMATS = (*(f"{day} {hour}".strip() for day in _DAYS for hour in _HOURS), *_WHOLE)
# Pairs of formats that read the same text as two different days.
_SWAPPED = {"%m/%d": "%d/%m", "%d/%m": "%m/%d", "%m-%d": "%d-%m", "%d-%m": "%m-%d"}
_EARLIEST_YEAR = 1990
# Below it are times of something else, such as a registration that is the same in all rows of a query.
_MIN_SCORE = 15.0


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


@dataclasses.dataclass(frozen=True)
class TimeChoice:
    """The chosen column, and the runner-up with the reason for which it lost."""

    reading: TimeReading
    runner_up: str | None = None


def choose(
    columns: Sequence[InferredColumn],
    query: InferredColumn,
    candidate: InferredColumn,
    named: InferredColumn | None,
    format: str | None,
) -> TimeChoice:
    """Returns the column of the interactions' times.

    Args:
      columns: The log's columns.
      query: The column of query ids.
      candidate: The column of candidate ids.
      named: The column that the user has named, if any.
      format: The strptime format that the user has given, if any.

    Raises:
      ConfigError: No column fits, two fit equally well, or dates are ambiguous.
    """
    if named is not None:
        return TimeChoice(_of_named(named, format))
    free = [column for column in columns if column.name not in (query.name, candidate.name) and column.present]
    scored = []
    rejected = []
    for column in free:
        reading = _reading(column, format, query)
        if reading is None:
            continue
        score, faults = _score(reading, query, candidate)
        if score > _MIN_SCORE:
            scored.append((score, len(column.counts), reading, faults))
        else:
            rejected.append(f"{column.name} ({' and '.join(faults) or 'its name is that of no time'})")
    if not scored:
        raise _none_found(free, rejected)
    scored.sort(key=lambda entry: entry[:2], reverse=True)
    best = scored[0]
    if len(scored) > 1 and scored[1][:2] == best[:2] and scored[1][2].column.texts != best[2].column.texts:
        raise ConfigError.from_parts(
            "", "one column of times", f"{best[2].column.name} and {scored[1][2].column.name}", f"name it with {OPTION}"
        )
    _check_format(best[2])
    runner_up = None
    if len(scored) > 1:
        lost = " and ".join(scored[1][3]) or "its name says it less clearly"
        runner_up = f"{scored[1][2].column.name}: {lost}"
    elif rejected:
        runner_up = rejected[0]
    return TimeChoice(best[2], runner_up)


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
    name = quoted(column.name)
    is_early = all(float(text) < lowest for text in bad)
    condition = f"{name} >= {lowest}" if is_early else f"{name} >= {lowest} and {name} <= {max(numbers)}"
    return bad, condition


def _of_named(column: InferredColumn, format: str | None) -> TimeReading:
    """Returns the reading of the column that the user has named.

    Raises:
      ConfigError: Its values are no times, or ambiguous ones.
    """
    reading = _reading(column, format, None)
    if reading is None and column.is_whole and not names.is_cycle_name(column.name):
        reading = TimeReading(column, "order")
    if reading is None:
        example = next(iter(column.counts), "only blanks")
        raise ConfigError.from_parts(
            f"column {column.name!r}",
            "times: numbers since 1970, ISO 8601, dates, or whole numbers that increase with time",
            repr(example),
            f"give their format with {FORMAT_OPTION}, or name another column with {OPTION}",
        )
    _check_format(reading)
    return reading


def _reading(column: InferredColumn, format: str | None, query: InferredColumn | None) -> TimeReading | None:
    """Returns how a column can be read as times; None if it cannot."""
    if column.is_list or column.is_nested or not column.present:
        return None
    if column.is_time or column.is_iso:
        return TimeReading(column, "clock")
    if format is not None and _reads_all(_tried(column), format):
        return TimeReading(column, "text", format=format)
    if column.is_numeric:
        if names.has_word(column.name, names.RATING_WORDS):
            return None
        is_time_name = names.has_word(column.name, names.EVENT_TIME_WORDS)
        unit = unit_of_number(statistics.median_low(column.numbers))
        if unit is not None and (is_time_name or not names.is_id_name(column.name)):
            return TimeReading(column, "clock", unit=unit)
        if is_calendar(column):
            return TimeReading(column, "clock")
        if _is_sequence(column, query):
            return TimeReading(column, "order")
        return None
    formats = [format for format in _FORMATS if _reads_all(_tried(column), format)]
    if not formats:
        return None
    first = formats[0]
    other = next((second for second in formats[1:] if _is_swapped(first, second)), None)
    return TimeReading(column, "text", format=first, other_format=other)


def is_calendar(column: InferredColumn) -> bool:
    """Returns whether all values are dates such as 20231114; 500 distinct values are checked."""
    if not column.is_whole or any(len(text) != 8 for text in _tried(column)):
        return False
    return _reads_all(_tried(column), "%Y%m%d")


def quoted(name: str) -> str:
    """Returns a column's name in the syntax of a filter."""
    is_plain = name.isidentifier() and name.isascii() and name not in _FILTER_WORDS
    if is_plain:
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'col("{escaped}")'


def _tried(column: InferredColumn) -> list[str]:
    return list(itertools.islice(column.counts, _TRIED_VALUES))


def _reads_all(texts: Iterable[str], format: str) -> bool:
    return all(_read(text, format) is not None for text in texts)


def _read(text: str, format: str) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.strptime(text.strip(), format)
    except ValueError:
        return None
    # A two-digit year is read as 1969 to 2068.
    return moment if _EARLIEST_YEAR <= moment.year <= datetime.date.today().year + 1 else None


def _is_swapped(first: str, second: str) -> bool:
    return any(first.replace(day, other, 1) == second for day, other in _SWAPPED.items() if day in first)


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


def _score(reading: TimeReading, query: InferredColumn, candidate: InferredColumn) -> tuple[float, list[str]]:
    """Returns a score, higher is better, and the column's faults."""
    column = reading.column
    faults = []
    score = {"clock": 30.0, "text": 29.0, "order": 10.0}[reading.kind]
    vocabulary = names.SEQUENCE_WORDS if reading.kind == "order" else names.EVENT_TIME_WORDS
    rank = names.rank_of(column.name, vocabulary)
    if rank is not None:
        score += 20.0 + 0.1 * (len(vocabulary) - rank)
    if names.is_other_time_name(column.name):
        score -= 30.0
        faults.append("its name is that of another time")
    if reading.kind == "order" and names.has_word(column.name, ("cart", "basket", "page", "list", "slot", "screen")):
        score -= 30.0
        faults.append("its name is that of a place in a list")
    if len(column.counts) == 1:
        score -= 15.0
        faults.append("it is the same in all rows")
    elif determines(candidate, column):
        score -= 40.0
        faults.append(f"it is fixed for each {candidate.name}")
    elif determines(query, column):
        score -= 15.0
        faults.append(f"it is fixed for each {query.name}")
    if column.missing_share > 0.5:
        score -= 30.0
        faults.append(f"{column.missing_share:.0%} of its cells are missing")
    return score, faults


def _check_format(reading: TimeReading) -> None:
    if reading.other_format is None:
        return
    example = next(iter(reading.column.counts))
    raise ConfigError.from_parts(
        f"column {reading.column.name!r}",
        "dates with one meaning",
        f"{example!r}, in which the order of day and month is ambiguous, because no day is above 12",
        f'give it with {FORMAT_OPTION} "{reading.format}" or {FORMAT_OPTION} "{reading.other_format}"',
    )


def _none_found(free: Sequence[InferredColumn], rejected: Sequence[str]) -> ConfigError:
    got = f"none among {', '.join(column.name for column in free) or 'no other columns'}"
    if rejected:
        got += f"; not {', '.join(rejected)}"
    return ConfigError.from_parts(
        "",
        "a column of the interactions' times",
        got,
        f"name it with {OPTION} COLUMN (and {FORMAT_OPTION} for dates that are not ISO 8601); without times, use "
        f"{OPTION} none (split random) or {OPTION} row (the rows of the file are in the order of time)",
    )


_FILTER_WORDS = frozenset({"and", "or", "not", "in", "is", "None", "True", "False", "col", "matches"})
_EARLIEST = int(datetime.datetime(_EARLIEST_YEAR, 1, 1, tzinfo=datetime.timezone.utc).timestamp())
