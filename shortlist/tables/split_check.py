"""Checks of the split before any component starts: its kind of times, and rows in train and test."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from shortlist import keys, splits
from shortlist.config.data import Data
from shortlist.config.split import SPANS_NEED_TIMES, LeaveLastBasket, LeaveLastOut, Random, Split, Temporal
from shortlist.errors import ConfigError
from shortlist.tables.input_table import InputTable, ParsedRow, Sample
from shortlist.tables.spec import Unit


def check_unit(split: Split, unit: Unit) -> None:
    """Refuses spans for a log whose timestamps are plain numbers.

    Args:
      split: The section `data.split`.
      unit: The unit of the log's timestamps.

    Raises:
      ConfigError: The split counts spans and the unit is `order`.
    """
    if isinstance(split, Temporal) and split.moves and unit == "order":
        raise ConfigError(f"data.split.{SPANS_NEED_TIMES}")


def check_split(table: InputTable, data: Data, sample: Sample, known: set[str]) -> None:
    """Refuses a complete table if the split would leave train or test empty.

    Args:
      table: The interactions.
      data: The section `data`.
      sample: Rows of the table; nothing is checked unless they are all.
      known: Ids of the catalogue.

    Raises:
      DataError: A split would be empty.
    """
    if not sample.is_whole:
        return
    queries: dict[object, list[splits.Interaction]] = collections.defaultdict(list)
    for number, row in enumerate(sample.rows):
        if row[keys.CANDIDATE_ID][0] in known:
            queries[row[keys.QUERY_ID][0]].append(_interaction(number, row))
    rows_of_queries = [splits.drop_repeats(rows, data.interactions.repeats) for rows in queries.values()]
    requirement = _REQUIREMENTS[data.split.kind](rows_of_queries, data.split)
    if requirement is not None:
        raise table.error(
            f"{requirement} for split {data.split.kind}",
            f"none among {sum(map(len, rows_of_queries))} rows with known candidates",
            "add interactions or choose another data.split",
        )


def _interaction(number: int, row: ParsedRow) -> splits.Interaction:
    """Returns a row in the form of the Windows component.

    Args:
      number: Position of the row in the order of files and rows.
      row: Values by feature name.
    """
    return splits.Interaction(
        timestamp=int(row.get(keys.TIMESTAMP, [0])[0]),
        nanos=int(row.get(keys.TIMESTAMP_NANOS, [0])[0]),
        source_path=b"",
        source_row=number,
        candidate_id=str(row[keys.CANDIDATE_ID][0]).encode(),
        weight=float(row.get(keys.WEIGHT, [1.0])[0]),
    )


_Queries = Sequence[Sequence[splits.Interaction]]


def _unmet_by_leave_last(queries: _Queries, split: LeaveLastOut | LeaveLastBasket) -> str | None:
    if any(keys.SPLIT_TEST in splits.assign_splits(rows, split) for rows in queries):
        return None
    if isinstance(split, LeaveLastBasket):
        return "a query with at least 2 different timestamps"
    return "a query with at least 3 interactions"


def _unmet_by_temporal(queries: _Queries, split: Temporal) -> str | None:
    times = [row.timestamp for row in itertools.chain(*queries) if row.is_target]
    if not times:
        return "an interaction of positive weight"
    cuts = splits.time_cuts(split, max(times))
    if min(times) >= cuts.eval_from:
        if split.moves:
            return f"an interaction more than {split.eval_spans} + {split.test_spans} spans before the latest one"
        return f"an interaction before eval_from={cuts.eval_from}"
    if max(times) < cuts.test_from:
        return f"an interaction at or after test_from={cuts.test_from}"
    return None


def _unmet_by_random(queries: _Queries, split: Random) -> str | None:
    targets = sum(row.is_target for row in itertools.chain(*queries))
    if splits.random_counts(targets)[2]:
        return None
    return "at least 5 interactions, of which 20% are test,"


# By split: returns the requirement that the rows do not meet, or None.
_REQUIREMENTS: dict[str, Callable[[_Queries, Any], str | None]] = {
    "leave_last_out": _unmet_by_leave_last,
    "leave_last_basket": _unmet_by_leave_last,
    "temporal": _unmet_by_temporal,
    "random": _unmet_by_random,
}
