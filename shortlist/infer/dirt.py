"""Filters for faulty rows of a log, each with the number of rows and candidates that it drops."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Sequence

from shortlist.errors import ConfigError
from shortlist.infer import names, time_readings
from shortlist.infer.columns import NULL_TEXTS, InferredColumn
from shortlist.infer.names import quoted
from shortlist.infer.time_readings import TimeReading

# A filter that is a guess drops at most this share of rows and of candidates.
_MAX_DROPPED = 0.1
_MIN_PREFIX_ROWS = 3
# Ids of real candidates, where most begin with a digit: 85123A, -42, B0012, gift_0001.
_CODE = "[^A-Za-z].*|.*[0-9]{3}.*"
_MOSTLY_NUMBER = "-?[0-9]+[A-Za-z]{0,3}"


@dataclasses.dataclass(frozen=True)
class Condition:
    """One condition of a filter."""

    text: str
    reason: str
    drops: Sequence[bool]
    """For each sampled row, whether the condition drops it."""

    is_required: bool
    """Whether the pipeline refuses these rows; the others are a guess."""

    is_of_form: bool = False
    """Whether it is the form of candidate ids, which holds in a catalogue as in the log."""


def find_conditions(
    columns: Sequence[InferredColumn],
    query: InferredColumn,
    candidate: InferredColumn,
    time: TimeReading | None,
    basket: InferredColumn | None,
) -> list[Condition]:
    """Returns the filter conditions that a log needs, and those against probable faults that drop little.

    Args:
      columns: The log's columns.
      query: The column with query ids.
      candidate: The column with candidate ids.
      time: The column with timestamps, if there is one.
      basket: The column with basket ids, if there is one.

    Raises:
      ConfigError: More than a tenth of the times are out of range, as with two units in one column.
    """
    conditions: list[Condition] = []
    required = [query, candidate, *([time.column] if time else [])]
    for column in required:
        conditions += _missing(column)
    if time is not None:
        conditions += _out_of_range(time)
    guesses = [*_amounts(columns), *_odd_ids(candidate)]
    if basket is not None:
        guesses = [*_cancelled(basket), *guesses]
    return conditions + [guess for guess in guesses if _drops_little(guess, candidate)]


def conditions_of_table(ids: InferredColumn, log_conditions: Sequence[Condition]) -> list[Condition]:
    """Returns the filter conditions of a table in a file of its own.

    Ids that the log's filter drops for their form, such as POST, would otherwise stay in the catalogue and be
    recommended.

    Args:
      ids: The table's column of ids.
      log_conditions: The log's conditions if the table is the catalogue, else none.
    """
    conditions = _missing(ids)
    if any(condition.is_of_form for condition in log_conditions):
        odd = sorted(value for value in ids.counts if _is_odd(value))
        if odd:
            reason = f"as in the log, {names.enumerated(odd)} are not ids of products"
            drops = [text is not None and _is_odd(text) for text in ids.texts]
            conditions.append(Condition(_form(ids), reason, drops, is_required=False, is_of_form=True))
    return conditions


def losses(conditions: Sequence[Condition], candidate: InferredColumn) -> tuple[int, int]:
    """Returns the number of rows that all conditions drop together, and of candidates that lose all rows."""
    if not conditions:
        return 0, 0
    dropped = [any(row) for row in zip(*(condition.drops for condition in conditions), strict=True)]
    return sum(dropped), _lost_candidates(dropped, candidate)


def is_amount(column: InferredColumn) -> bool:
    """Returns whether a column is a number of items, such as a quantity."""
    return names.has_word(column.name, names.AMOUNT_WORDS) and column.is_numeric


def _missing(column: InferredColumn) -> list[Condition]:
    conditions = []
    name, rows = quoted(column.name), len(column.texts)
    if column.blanks:
        reason = f"{column.blanks:,} of {rows:,} rows have no {column.name}"
        drops = [text is None for text in column.texts]
        conditions.append(Condition(f"{name} is not None", reason, drops, is_required=True))
    if column.null_counts and not column.is_time:
        listed = ", ".join(f'"{text}"' for text in sorted(column.null_counts))
        listed = listed.replace("\\", "\\\\")
        reason = (
            f"{column.null_counts.total():,} of {rows:,} rows have {listed} as {column.name}, which looks like null"
        )
        drops = [text in NULL_TEXTS for text in column.texts]
        test = f"{name} != {listed}" if len(column.null_counts) == 1 else f"{name} not in ({listed})"
        conditions.append(Condition(test, reason, drops, is_required=True))
    return conditions


def _out_of_range(time: TimeReading) -> list[Condition]:
    bad, condition = time_readings.out_of_range(time)
    if condition is None:
        return []
    if len(bad) > _MAX_DROPPED * len(time.column.present):
        raise ConfigError.from_parts(
            f"column {time.column.name!r}",
            f"times in one unit, {time.unit} since 1970, from 1990 until tomorrow",
            f"{len(bad):,} of {len(time.column.present):,} rows with others, such as {bad[0]}",
            "write all rows in one unit",
        )
    values = set(bad)
    reason = f"{len(bad):,} rows have a {time.column.name} before 1990 or in the future, such as {bad[0]}"
    return [Condition(condition, reason, [text in values for text in time.column.texts], is_required=True)]


def _cancelled(basket: InferredColumn) -> list[Condition]:
    prefix = _rare_prefix(basket)
    if prefix is None:
        return []
    drops = [text is not None and text.startswith(prefix) for text in basket.texts]
    reason = f"{sum(drops):,} rows have a {basket.name} that begins with {prefix}, which often means cancelled"
    return [Condition(f'not {quoted(basket.name)}.startswith("{prefix}")', reason, drops, is_required=False)]


def _amounts(columns: Sequence[InferredColumn]) -> list[Condition]:
    conditions = []
    for column in columns:
        if is_amount(column) and not column.null_counts:
            drops = [text is not None and _is_not_positive(text) for text in column.texts]
            if any(drops):
                reason = f"{sum(drops):,} rows have {column.name} of 0 or less, which often means returned"
                conditions.append(Condition(f"{quoted(column.name)} > 0", reason, drops, is_required=False))
    return conditions


def _odd_ids(column: InferredColumn) -> list[Condition]:
    """Returns a condition against ids such as POST or C2, if nearly all others begin with a digit or have several."""
    odd = {value: count for value, count in column.counts.items() if _is_odd(value)}
    # Of hashes and UUIDs, some begin with a letter by chance.
    numbers = sum(re.fullmatch(_MOSTLY_NUMBER, value) is not None for value in column.counts)
    if not odd or numbers < (1.0 - _MAX_DROPPED) * len(column.counts):
        return []
    drops = [text in odd for text in column.texts]
    examples = ", ".join(sorted(odd, key=lambda value: -odd[value])[:5])
    reason = f"nearly all {column.name} are numbers or codes with digits, but not {examples}"
    return [Condition(_form(column), reason, drops, is_required=False, is_of_form=True)]


def _drops_little(condition: Condition, candidate: InferredColumn) -> bool:
    rows = sum(condition.drops)
    candidates = _lost_candidates(condition.drops, candidate)
    is_small = rows < _MAX_DROPPED * len(condition.drops) and candidates < _MAX_DROPPED * len(candidate.counts)
    return bool(rows) and is_small


def _lost_candidates(drops: Sequence[bool], candidate: InferredColumn) -> int:
    kept = {text for text, is_dropped in zip(candidate.texts, drops, strict=True) if not is_dropped}
    return sum(value not in kept for value in candidate.counts)


def _rare_prefix(column: InferredColumn) -> str | None:
    """Returns the first letter of less than a tenth of the ids, if all others begin without a letter."""
    letters = collections.Counter(text[0] for text in column.present if text[0].isalpha())
    plain = len(column.present) - letters.total()
    if not letters or plain < (1.0 - _MAX_DROPPED) * len(column.present):
        return None
    letter, rows = letters.most_common(1)[0]
    return letter if rows >= _MIN_PREFIX_ROWS else None


def _is_not_positive(text: str) -> bool:
    try:
        return float(text) <= 0
    except ValueError:
        return False


def _form(column: InferredColumn) -> str:
    return f'matches({quoted(column.name)}, "{_CODE}")'


def _is_odd(text: str) -> bool:
    return re.fullmatch(_CODE, text) is None
