"""Choice of the column with the interactions' times, by the values and the name of each column."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from shortlist.errors import ConfigError
from shortlist.infer import names, time_readings
from shortlist.infer.columns import NULL_TEXTS, InferredColumn, determines
from shortlist.infer.time_readings import TimeReading

OPTION = "--timestamp"
FORMAT_OPTION = "--timestamp-format"

# Below it are times of something else, such as a registration that is the same in all rows of a query.
_MIN_SCORE = 15.0


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
    parts = time_readings.date_parts(free)
    scored: list[tuple[float, TimeReading, list[str]]] = []
    rejected = []
    for column in free:
        reading = time_readings.read(column, format, query)
        if reading is None or column.name in parts:
            continue
        score, faults = _score(reading, query, candidate)
        if score > _MIN_SCORE:
            scored.append((score, reading, faults))
        else:
            rejected.append(f"{column.name} ({' and '.join(faults) or 'its name is that of no time'})")
    if not scored:
        raise _none_found(free, rejected)
    scored.sort(key=lambda entry: entry[0], reverse=True)
    best = _earliest(scored)
    second = next((entry for entry in scored if entry is not best), None)
    if second is not None and second[0] == best[0] and not _is_ordered(best[1].column, second[1].column):
        raise ConfigError.from_parts(
            "",
            "one column of times",
            f"{best[1].column.name} and {second[1].column.name}",
            f"choose with {OPTION} {best[1].column.name} or {OPTION} {second[1].column.name}",
        )
    _check_format(best[1])
    runner_up = None
    if second is not None:
        lost = " and ".join(second[2]) or "its name says it less clearly, or it is later"
        runner_up = f"{second[1].column.name}: {lost}"
    elif rejected:
        runner_up = rejected[0]
    return TimeChoice(best[1], runner_up)


def _earliest(scored: Sequence[tuple[float, TimeReading, list[str]]]) -> tuple[float, TimeReading, list[str]]:
    """Returns the best entry; among equal ones the column that is never later than the others.

    A later time is a consequence of the interaction: an order is delivered, a loan is returned.
    """
    best = scored[0]
    for entry in scored[1:]:
        if entry[0] == best[0] and _is_ordered(entry[1].column, best[1].column):
            best = entry
    return best


def _is_ordered(first: InferredColumn, second: InferredColumn) -> bool:
    """Returns whether the first column is never later than the second, for numbers and for ISO 8601 texts."""
    pairs = [
        (one, other)
        for one, other in zip(first.texts, second.texts, strict=True)
        if one is not None and other is not None and not {one, other} & NULL_TEXTS
    ]
    if first.is_numeric and second.is_numeric:
        return all(first.number(one) <= second.number(other) for one, other in pairs)
    if first.is_iso and second.is_iso:
        # Texts of one length compare like their times; otherwise their dates decide.
        return all(one <= other if len(one) == len(other) else one[:10] <= other[:10] for one, other in pairs)
    return False


def _of_named(column: InferredColumn, format: str | None) -> TimeReading:
    """Returns the reading of the column that the user has named.

    Raises:
      ConfigError: Its values are no times, or ambiguous ones.
    """
    reading = time_readings.read(column, format, None)
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


def _score(reading: TimeReading, query: InferredColumn, candidate: InferredColumn) -> tuple[float, list[str]]:
    """Returns a score, higher is better, and the column's faults."""
    column = reading.column
    faults = []
    score = {"clock": 30.0, "text": 29.0, "order": 10.0}[reading.kind]
    vocabulary = names.SEQUENCE_WORDS if reading.kind == "order" else names.EVENT_TIME_WORDS
    rank = names.rank_of(column.name, vocabulary)
    if rank is not None:
        score += 20.0 + 0.1 * (len(vocabulary) - rank)
    if names.is_handling_name(column.name):
        score -= 0.5
        faults.append("its name is that of the time at which a program handled it")
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
    if reading.unit == "seconds" and not column.is_time and not column.is_whole:
        score -= 5.0
        faults.append("it has fractions of a second, which `run` takes from milliseconds or ISO 8601 only")
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
    got = f"none among {names.enumerated([column.name for column in free]) or 'no other columns'}"
    if rejected:
        got += f"; not {names.enumerated(rejected)}"
    remedy = f"name it with {OPTION} COLUMN"
    looks = [column for column in free if names.has_word(column.name, (*names.EVENT_TIME_WORDS, "month", "week"))]
    judged = {fault.split(" (")[0] for fault in rejected}
    unread = [f"{column.name} such as {next(iter(column.counts))!r}" for column in looks if column.name not in judged]
    if unread:
        got += f"; in no format that is known: {', '.join(unread[:4])}"
        remedy += f', and give its format for strptime, e.g. {FORMAT_OPTION} "%d/%m/%Y %H:%M"'
    else:
        remedy += f" (and {FORMAT_OPTION} for dates that are not ISO 8601)"
    if parts := time_readings.date_parts(free):
        remedy += (
            f"; join {', '.join(parts)} into one column first, e.g. with pandas: "
            'pd.to_datetime(log[["year", "month", "day"]]) after renaming them'
        )
    remedy += (
        f"; without times, use {OPTION} none (split random) or {OPTION} row (the rows of the file are in the order of "
        "time)"
    )
    return ConfigError.from_parts("", "a column of the interactions' times", got, remedy)
