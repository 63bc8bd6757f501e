"""The order of a query's interactions, and their splits.

This module is pure Python, without TFX, TensorFlow or Beam: the absence of leakage
can be read and tested in one place. Every split has two cuts:
`train < eval_from <= eval < test_from <= test`. The kinds of split are:

- `leave_last_out`: the last interaction is test, the one before is eval, the rest
  is train. A query with fewer than three interactions is train only.
- `leave_last_basket`: all rows at the last timestamp are test. The basket before is
  eval if there are three baskets, else train. A single basket is train only.
- `temporal`: two cuts in time, the same for all queries. `time_cuts` returns them;
  spans count from the latest row.
- `random`: all rows, shuffled by `row_key`. The last 20% are test, the 8% before
  are eval. `random_cuts` returns the two keys.

A row of weight 0 is history, but never a target. The definitions count only rows of
positive weight. A row of weight 0 belongs to the split between whose cuts it lies.

A basket is all rows of one whole second, also in logs with fractions of a second:
the windows distinguish baskets by `target_times`, which are whole seconds. The
fractions only order a query's rows.
"""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from shortlist import keys
from shortlist.config.split import LeaveLastBasket, Random, SpanName, Split, Temporal
from shortlist.config.table import Repeats

# Greater than every SHA-256, as it is one byte longer.
_AFTER_ALL_KEYS = b"\xff" * (hashlib.sha256().digest_size + 1)
_Cut = TypeVar("_Cut", int, bytes, "Interaction")

_DAY = 24 * 60 * 60
SPAN_SECONDS: dict[SpanName, int] = {"hour": 60 * 60, "day": _DAY, "week": 7 * _DAY}
"""Length of a span in seconds."""

# 1970 began on a Thursday, 4 days before a Monday.
_SPAN_OFFSETS: dict[SpanName, int] = {"hour": 0, "day": 0, "week": 4 * _DAY}


class Interaction(NamedTuple):
    """One row of the interaction log. Tuples compare by time.

    Attributes:
      timestamp: Whole seconds or an order number; 0 if the log has neither.
      nanos: Nanoseconds after the whole second; 0 if the log has none.
      source_path: The row's file, relative to the data root.
      source_row: The row within that file, 0-based.
      candidate_id: The candidate that the query interacted with.
      weight: Weight in the loss; with 0 the row is not a target.
      features: Values of the row's features that the windows have, in the order of their names.
    """

    timestamp: int
    nanos: int
    source_path: bytes
    source_row: int
    candidate_id: bytes
    weight: float = 1.0
    features: tuple[bytes | str | float | int | None, ...] = ()

    @property
    def time(self) -> tuple[int, int]:
        """Seconds and nanoseconds."""
        return self.timestamp, self.nanos

    @property
    def is_target(self) -> bool:
        """Whether the row may be a target, in any split."""
        return self.weight > 0.0


class TimeCuts(NamedTuple):
    """The first second, or order number, of the eval and of the test split."""

    eval_from: int
    test_from: int


class RandomCuts(NamedTuple):
    """The first `row_key` of the eval and of the test split."""

    eval_from: bytes
    test_from: bytes


Cuts = RandomCuts | TimeCuts


def sort_rows(interactions: Iterable[Interaction]) -> list[Interaction]:
    """Returns the interactions sorted by (timestamp, nanos, path, row): ties keep the order of the file."""
    return sorted(interactions)


def repeat_key(row: Interaction) -> tuple[bytes, bool]:
    """Returns a key that is equal for two rows of one query if one repeats the other.

    Rows of weight 0 repeat only each other. A purchase that follows a view of
    weight 0 is the first purchase, not a repeat.
    """
    return row.candidate_id, row.is_target


def drop_repeats(interactions: Iterable[Interaction], repeats: Repeats) -> list[Interaction]:
    """Returns one query's sorted interactions without repeats.

    Only the `first` value of `repeats` is free of leakage: whether it keeps a row depends on earlier rows alone.

    Args:
      interactions: All of one query's interactions, in any order.
      repeats: Keep the first or the last interaction with each candidate, or all.
    """
    rows = sort_rows(interactions)
    if repeats == "all":
        return rows
    # A dict keeps the last row of each key.
    if repeats == "first":
        rows.reverse()
    return sort_rows({repeat_key(row): row for row in rows}.values())


def strict_times(split: Split) -> bool:
    """Returns whether rows at one timestamp are one basket, in which no row is history for another."""
    return isinstance(split, LeaveLastBasket)


def assign_splits(interactions: Sequence[Interaction], split: Split, cuts: Cuts | None = None) -> list[str]:
    """Returns the name of the split of each interaction of one query, including those that are not targets.

    Args:
      interactions: All of one query's interactions, sorted.
      split: The split section of the config.
      cuts: The result of `random_cuts` or `time_cuts` over the rows of all queries, for split random and for spans.

    Raises:
      ValueError: The split needs cuts and there are none.
    """
    if isinstance(split, Temporal):
        found = cuts if isinstance(cuts, TimeCuts) else time_cuts(split, None)
        return [_side(row.timestamp, *found) for row in interactions]
    if isinstance(split, Random):
        if not isinstance(cuts, RandomCuts):
            raise ValueError(f"split random needs the cuts of random_cuts(), got {cuts}")
        return [_side(row_key(split.seed, row), *cuts) for row in interactions]
    if isinstance(split, LeaveLastBasket):
        return _last_basket(interactions)
    return _last_out(interactions)


def time_cuts(split: Temporal, latest: int | None) -> TimeCuts:
    """Returns the cuts of a temporal split.

    Args:
      split: The split section of the config.
      latest: Seconds of the latest target of ALL queries; only spans need it.

    Raises:
      ValueError: The split has spans and there is no latest row.
    """
    if split.eval_from is not None and split.test_from is not None:
        return TimeCuts(split.eval_from, split.test_from)
    if latest is None or split.eval_spans is None or split.test_spans is None:
        raise ValueError("a split by spans needs the time of the latest row, got None")
    length = SPAN_SECONDS[split.span]
    test_from = span_start(split.span, latest) - (split.test_spans - 1) * length
    return TimeCuts(test_from - split.eval_spans * length, test_from)


def span_start(span: SpanName, time: int) -> int:
    """Returns the first second of the span that contains a time, in seconds since 1970, in UTC."""
    return time - (time - _SPAN_OFFSETS[span]) % SPAN_SECONDS[span]


def row_key(seed: int, row: Interaction) -> bytes:
    """Returns the sort key of split random: the SHA-256 of the seed and the row's location, not its content."""
    return hashlib.sha256(b"%d\0%b\0%d" % (seed, row.source_path, row.source_row)).digest()


def random_counts(num_rows: int) -> tuple[int, int, int]:
    """Returns the number of train, eval and test rows; eval and test are rounded down, train has the rest."""
    test = num_rows * 20 // 100
    evaluation = num_rows * 8 // 100
    return num_rows - evaluation - test, evaluation, test


def random_cuts(interactions: Iterable[Interaction], seed: int) -> RandomCuts:
    """Returns the cuts of split random over the rows of ALL queries; only targets count."""
    row_keys = [row_key(seed, row) for row in interactions if row.is_target]
    histogram = collections.Counter(map(key_bucket, row_keys))
    buckets = cut_buckets(histogram)
    return pick_cuts(histogram, [key for key in row_keys if key_bucket(key) in buckets])


def key_bucket(key: bytes) -> int:
    """Returns the histogram bucket of a row key, one of 65,536; buckets are in the order of the keys."""
    return int.from_bytes(key[:2], "big")


def cut_buckets(histogram: Mapping[int, int]) -> frozenset[int]:
    """Returns the buckets that contain the cuts, two at most.

    Only the keys in these buckets have to be compared one by one. An exact split of
    any number of rows therefore fits into one process's memory.

    Args:
      histogram: Number of row keys by bucket, over all rows.
    """
    return frozenset(position[0] for position in _cut_positions(histogram) if position is not None)


def pick_cuts(histogram: Mapping[int, int], row_keys: Iterable[bytes]) -> RandomCuts:
    """Returns the exact cuts.

    Args:
      histogram: Number of row keys by bucket, over all rows.
      row_keys: All row keys of the buckets in `cut_buckets(histogram)`, in any order.
    """
    by_bucket: dict[int, list[bytes]] = {}
    for key in sorted(row_keys):
        by_bucket.setdefault(key_bucket(key), []).append(key)
    cuts = []
    for position in _cut_positions(histogram):
        if position is None:
            cuts.append(_AFTER_ALL_KEYS)
        else:
            bucket, index = position
            cuts.append(by_bucket[bucket][index])
    return RandomCuts(*cuts)


def _cut_positions(histogram: Mapping[int, int]) -> list[tuple[int, int] | None]:
    """Returns (bucket, index within the bucket) of both cuts; None for a cut after the last row."""
    train, evaluation, _ = random_counts(sum(histogram.values()))
    positions: list[tuple[int, int] | None] = []
    for rank in (train, train + evaluation):
        before = 0
        position = None
        for bucket, count in sorted(histogram.items()):
            if rank < before + count:
                position = (bucket, rank - before)
                break
            before += count
        positions.append(position)
    return positions


def _last_out(interactions: Sequence[Interaction]) -> list[str]:
    targets = [row for row in interactions if row.is_target]
    if len(targets) < 3:
        return [keys.SPLIT_TRAIN] * len(interactions)
    return [_side(row, targets[-2], targets[-1]) for row in interactions]


def _last_basket(interactions: Sequence[Interaction]) -> list[str]:
    baskets = sorted({row.timestamp for row in interactions if row.is_target})
    if len(baskets) < 2:
        return [keys.SPLIT_TRAIN] * len(interactions)
    eval_from = baskets[-2] if len(baskets) >= 3 else baskets[-1]
    return [_side(row.timestamp, eval_from, baskets[-1]) for row in interactions]


def _side(value: _Cut, eval_from: _Cut, test_from: _Cut) -> str:
    if value < eval_from:
        return keys.SPLIT_TRAIN
    return keys.SPLIT_EVAL if value < test_from else keys.SPLIT_TEST
