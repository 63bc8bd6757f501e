"""The order of a query's interactions, and which split each of them belongs to.

Pure Python: no TFX, TensorFlow or Beam, so that "no leakage" can be read and
tested in one place. The definitions are the product's:

- `leave_last_out`: the last interaction is test, the one before eval, the rest
  train; a query with fewer than three is train only.
- `leave_last_basket`: all rows at the last timestamp are test; the basket before
  is eval where there are three baskets, else train; one basket is train only.
- `temporal`: cuts in time, the same for every query.
- `random`: all rows shuffled by `row_key`; the last 20% are test, the 8% before
  eval. `random_cuts` turns the shuffle into two keys, after which each row is
  placed on its own: `train < eval_from <= eval < test_from <= test`.
"""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from shortlist import keys
from shortlist.config import types

_AFTER_ALL_KEYS = b"\xff" * (hashlib.sha256().digest_size + 1)
_Cut = TypeVar("_Cut", int, bytes)


class Interaction(NamedTuple):
    """One row of the interaction log; tuples compare in the order of time.

    Attributes:
      timestamp: Whole seconds or an order number; 0 where the log has none.
      source_path: The row's file, relative to the data root.
      source_row: The row within that file, 0-based.
      candidate_id: What the query met.
    """

    timestamp: int
    source_path: bytes
    source_row: int
    candidate_id: bytes


class RandomCuts(NamedTuple):
    """The first `row_key` of the eval and of the test split."""

    eval_from: bytes
    test_from: bytes


def ordered(interactions: Iterable[Interaction]) -> list[Interaction]:
    """Returns the interactions by (timestamp, path, row): ties keep the order of the file."""
    return sorted(interactions)


def strict_times(split: types.Split) -> bool:
    """Whether rows at one timestamp are one basket, none of them history for another."""
    return isinstance(split, types.LeaveLastBasket)


def assign(interactions: Sequence[Interaction], split: types.Split, cuts: RandomCuts | None = None) -> list[str]:
    """Returns the split's name of each of one query's interactions.

    Args:
      interactions: All of one query's interactions, ordered.
      split: The split section of the config.
      cuts: What `random_cuts` found over the rows of all queries; split random only.

    Raises:
      ValueError: For split random without cuts.
    """
    if isinstance(split, types.LeaveLastOut):
        return _last_out(interactions)
    if isinstance(split, types.LeaveLastBasket):
        return _last_basket(interactions)
    if isinstance(split, types.Temporal):
        return [_side(row.timestamp, split.eval_from, split.test_from) for row in interactions]
    if cuts is None:
        raise ValueError("split random needs the cuts of random_cuts(), got None")
    return [_side(row_key(split.seed, row), *cuts) for row in interactions]


def row_key(seed: int, row: Interaction) -> bytes:
    """Returns the SHA-256 by which split random shuffles: of the seed and the row's place, not its content."""
    return hashlib.sha256(b"%d\0%b\0%d" % (seed, row.source_path, row.source_row)).digest()


def random_counts(num_rows: int) -> tuple[int, int, int]:
    """Returns how many rows are train, eval and test: eval and test are rounded down, train has the rest."""
    test = num_rows * 20 // 100
    evaluation = num_rows * 8 // 100
    return num_rows - evaluation - test, evaluation, test


def random_cuts(interactions: Iterable[Interaction], seed: int) -> RandomCuts:
    """Returns the cuts of split random over the rows of ALL queries."""
    row_keys = [row_key(seed, row) for row in interactions]
    histogram = collections.Counter(map(key_bucket, row_keys))
    wanted = cut_buckets(histogram)
    return pick_cuts(histogram, [key for key in row_keys if key_bucket(key) in wanted])


def key_bucket(key: bytes) -> int:
    """Returns which of the 65,536 histogram buckets a row key is in; buckets are in the order of the keys."""
    return int.from_bytes(key[:2], "big")


def cut_buckets(histogram: Mapping[int, int]) -> frozenset[int]:
    """Returns the at most two buckets that hold the cuts.

    Only the keys of these buckets must be looked at one by one, which keeps an
    exact split of any number of rows within one process's memory.

    Args:
      histogram: Number of row keys by bucket, over all rows.
    """
    return frozenset(place[0] for place in _cut_places(histogram) if place is not None)


def pick_cuts(histogram: Mapping[int, int], row_keys: Iterable[bytes]) -> RandomCuts:
    """Returns the exact cuts.

    Args:
      histogram: Number of row keys by bucket, over all rows.
      row_keys: All row keys that are in `cut_buckets(histogram)`, in any order.
    """
    by_bucket: dict[int, list[bytes]] = {}
    for key in sorted(row_keys):
        by_bucket.setdefault(key_bucket(key), []).append(key)
    return RandomCuts(
        *(_AFTER_ALL_KEYS if place is None else by_bucket[place[0]][place[1]] for place in _cut_places(histogram))
    )


def _cut_places(histogram: Mapping[int, int]) -> list[tuple[int, int] | None]:
    """Returns (bucket, position within it) of both cuts; None for a cut after the last row."""
    train, evaluation, _ = random_counts(sum(histogram.values()))
    places: list[tuple[int, int] | None] = []
    for rank in (train, train + evaluation):
        before = 0
        place = None
        for bucket, count in sorted(histogram.items()):
            if rank < before + count:
                place = (bucket, rank - before)
                break
            before += count
        places.append(place)
    return places


def _tail(size: int, evaluation: int, test: int) -> list[str]:
    train = size - evaluation - test
    return [keys.SPLIT_TRAIN] * train + [keys.SPLIT_EVAL] * evaluation + [keys.SPLIT_TEST] * test


def _last_out(interactions: Sequence[Interaction]) -> list[str]:
    size = len(interactions)
    return _tail(size, 1, 1) if size >= 3 else _tail(size, 0, 0)


def _last_basket(interactions: Sequence[Interaction]) -> list[str]:
    times = [row.timestamp for row in interactions]
    baskets = sorted(set(times))
    if len(baskets) < 2:
        return _tail(len(times), 0, 0)
    evaluation = times.count(baskets[-2]) if len(baskets) >= 3 else 0
    return _tail(len(times), evaluation, times.count(baskets[-1]))


def _side(value: _Cut, eval_from: _Cut, test_from: _Cut) -> str:
    if value < eval_from:
        return keys.SPLIT_TRAIN
    return keys.SPLIT_EVAL if value < test_from else keys.SPLIT_TEST
