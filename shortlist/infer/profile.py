"""Profile of a log: the facts that a user compares with what they know of their data."""

from __future__ import annotations

import collections
import datetime
import itertools
import statistics
from collections.abc import Sequence

from shortlist.infer import names
from shortlist.infer.columns import InferredColumn
from shortlist.infer.names import quoted
from shortlist.infer.time_readings import TimeReading
from shortlist.tables.timestamps import PER_SECOND, unit_of_number

# A query with more of all rows than this is probably a default value or a robot.
_LARGE_SHARE = 0.05
_LARGE_ROWS = 1_000
_PLACEHOLDERS = frozenset(
    ("0", "-1", "-", "?", "anonymous", "anon", "guest", "unknown", "default", "test", "other", "n/a", "none", "null")
)
_PLACEHOLDER_SHARE = 0.01
_FAR_AHEAD = 1.5


def lines(
    columns: Sequence[InferredColumn],
    query: InferredColumn,
    candidate: InferredColumn,
    time: TimeReading | None,
    is_whole: bool,
) -> list[str]:
    """Returns one line per fact: rows, queries, candidates, repeats, times, and texts that look like null.

    Args:
      columns: The log's columns.
      query: The column with query ids.
      candidate: The column with candidate ids.
      time: The column with timestamps, if there is one.
      is_whole: Whether the log has no other rows.
    """
    remark = "" if is_whole else " (the first ones; later rows are not in this profile)"
    found = [f"rows        {len(query.texts):,}{remark}"]
    found.append(f"queries     {len(query.counts):,} in {query.name}: {_per_id(query)}")
    found.append(f"candidates  {len(candidate.counts):,} in {candidate.name}: {_per_id(candidate)}")
    repeats = repeated_share(query, candidate)
    found.append(f"repeats     {repeats:.1%} of the rows repeat an earlier pair of query and candidate")
    found.append(f"times       {_times(time)}")
    for column in columns:
        if column.null_counts:
            texts = ", ".join(f"{text} {count:,} times" for text, count in column.null_counts.most_common(3))
            found.append(f"null-like   {column.name}: {texts}")
    return found


def warnings(query: InferredColumn, candidate: InferredColumn, time: TimeReading | None) -> list[str]:
    """Returns suspicious facts, each with the remedy."""
    found = []
    if query.counts and max(query.counts.values()) == 1:
        found.append(
            f"Each {query.name} has one row, so there is no history to learn from: is it the right column? Name "
            "another with --query-id."
        )
    name, largest = query.counts.most_common(1)[0]
    share = largest / max(query.counts.total(), 1)
    if share > _LARGE_SHARE and largest > _LARGE_ROWS and len(query.counts) > 2 / _LARGE_SHARE:
        found.append(f"{share:.0%} of the rows have the {query.name} {name!r}: a default value or a robot?")
    found += [warning for column in (query, candidate) for warning in _placeholders(column)]
    if time is not None and any("E+" in text or "e+" in text for text in itertools.islice(time.column.counts, 100)):
        found.append(
            f"{time.column.name} is written like {next(iter(time.column.counts))}: digits are lost. Export the column "
            "again as whole numbers."
        )
    if time is not None and names.has_word(time.column.name, names.RATING_WORDS):
        found.append(
            f"{time.column.name} looks like a rating, not like a time: without times, use --timestamp none, or "
            "--timestamp row if the rows are in the order of time."
        )
    if time is not None and len(time.column.counts) == 1:
        found.append(f"All rows have the same {time.column.name}: their order is that of the file.")
    return found


def _placeholders(column: InferredColumn) -> list[str]:
    """Returns a warning for each frequent id that often means "nobody" or "nothing"."""
    found = []
    common = column.counts.most_common(4)
    for place, (value, count) in enumerate(common[:3]):
        share = count / column.counts.total()
        # 0 may be the first of all numbers; as a default it is far ahead of the others.
        is_ahead = not _is_number(value) or (len(common) > place + 1 and count > _FAR_AHEAD * common[place + 1][1])
        if value.strip().lower() in _PLACEHOLDERS and share > _PLACEHOLDER_SHARE and is_ahead:
            found.append(
                f"{share:.0%} of the rows have the {column.name} {value!r}, which often stands for no id; if so, drop "
                f'them with `filter: {quoted(column.name)} != "{value}"`.'
            )
    return found


def _is_number(value: str) -> bool:
    return value.strip().lstrip("-").isdigit()


def repeated_share(query: InferredColumn, candidate: InferredColumn) -> float:
    """Returns the share of rows that repeat an earlier pair of query and candidate."""
    pairs = _pair_counts(query, candidate)
    rows = pairs.total()
    return (rows - len(pairs)) / max(rows, 1)


def tied_share(query: InferredColumn, time: InferredColumn) -> float:
    """Returns the share of rows whose query has another row with the same timestamp."""
    pairs = _pair_counts(query, time)
    return sum(count for count in pairs.values() if count > 1) / max(pairs.total(), 1)


def _pair_counts(left: InferredColumn, right: InferredColumn) -> collections.Counter[tuple[str, str]]:
    pairs = zip(left.texts, right.texts, strict=True)
    return collections.Counter((one, other) for one, other in pairs if one is not None and other is not None)


def _per_id(column: InferredColumn) -> str:
    name, largest = column.counts.most_common(1)[0]
    median = statistics.median_high(column.counts.values())
    return f"{median:,} rows in the median, {largest:,} at most ({largest / column.counts.total():.1%}, {name[:40]!r})"


def _times(time: TimeReading | None) -> str:
    if time is None:
        return "none"
    column = time.column
    if time.kind == "order":
        return f"{column.name}, order numbers {min(column.numbers)} to {max(column.numbers)}"
    if time.unit is not None:
        per_second = PER_SECOND[time.unit]  # type: ignore[index]
        valid = [number for number in column.numbers if unit_of_number(number) == time.unit]
        first, last = (_moment(float(number) / per_second) for number in (min(valid), max(valid)))
        outside = f"; {len(column.numbers) - len(valid):,} out of range" * (len(valid) < len(column.numbers))
        return f"{column.name} in {time.unit}, {first} to {last}{outside}"
    if column.is_time:
        seconds = [float(number) for number in column.numbers]
        return f"{column.name}, {_moment(min(seconds))} to {_moment(max(seconds))}"
    if time.format is not None:
        example = next(iter(column.counts))
        day = datetime.datetime.strptime(example.strip(), time.format)
        return f"{column.name} in the format {time.format}: {example!r} is {day:%d %B %Y, %H:%M}"
    return f"{column.name}, {min(column.counts)} to {max(column.counts)}"


def _moment(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.timezone.utc)
    return f"{moment:%Y-%m-%d %H:%M}"
