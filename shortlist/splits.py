"""The order of a query's interactions, and the split of each.

Pure Python: no TFX, TensorFlow or Beam, so that "no leakage" can be read and
tested in one place. Every split is two cuts, `train < eval_from <= eval < test_from
<= test`. The definitions are the product's:

- `leave_last_out`: the last interaction is test, the one before eval, the rest
  train; a query with fewer than three is train only.
- `leave_last_basket`: all rows at the last timestamp are test; the basket before
  is eval where there are three baskets, else train; one basket is train only.
- `temporal`: cuts in time, the same for every query.
- `random`: all rows shuffled by `row_key`; the last 20% are test, the 8% before
  eval. `random_cuts` turns the shuffle into two keys.

A row of weight 0 is something that a query side may look at and never a target:
the definitions count rows of positive weight alone, and a row of weight 0 lies on
the side of the cuts where its place in the order puts it.

A basket is the rows of one whole second, also in logs that know parts of it: the
windows tell a basket's rows apart by `target_times`, which are seconds. Parts of a
second only order a query's rows.
"""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from shortlist import keys
from shortlist.config.split import LeaveLastBasket, Random, Split, Temporal
from shortlist.config.table import Repeats

_AFTER_ALL_KEYS = b"\xff" * (hashlib.sha256().digest_size + 1)
_Cut = TypeVar("_Cut", int, bytes, "Interaction")


class Interaction(NamedTuple):
    """One row of the interaction log; tuples compare in the order of time.

    Attributes:
      timestamp: Whole seconds or an order number; 0 where the log has none.
      nanos: The part of a second after it, in nanoseconds; 0 where the log has none.
      source_path: The row's file, relative to the data root.
      source_row: The row within that file, 0-based.
      candidate_id: What the query met.
      weight: How much it counts in the loss; with 0 it is no target.
    """

    timestamp: int
    nanos: int
    source_path: bytes
    source_row: int
    candidate_id: bytes
    weight: float = 1.0

    @property
    def time(self) -> tuple[int, int]:
        """Seconds and nanoseconds."""
        return self.timestamp, self.nanos

    @property
    def is_target(self) -> bool:
        """Whether it may be what is to be predicted, in any split."""
        return self.weight > 0.0


class RandomCuts(NamedTuple):
    """The first `row_key` of the eval and of the test split."""

    eval_from: bytes
    test_from: bytes


def ordered(interactions: Iterable[Interaction]) -> list[Interaction]:
    """Returns the interactions by (timestamp, nanos, path, row): ties keep the order of the file."""
    return sorted(interactions)


def repeat_key(row: Interaction) -> tuple[bytes, bool]:
    """Returns what two rows of one query share when one repeats the other.

    Rows of weight 0 repeat only each other: a purchase that follows a view of
    weight 0 is the first purchase, not a second interaction.
    """
    return row.candidate_id, row.is_target


def without_repeats(interactions: Iterable[Interaction], repeats: Repeats) -> list[Interaction]:
    """Returns one query's ordered interactions, of each candidate the first or last one unless `repeats` is all.

    With `first`, whether a row is kept is decided by rows before it alone.
    """
    rows = ordered(interactions)
    if repeats == "all":
        return rows
    kept = {repeat_key(row): row for row in (rows if repeats == "last" else reversed(rows))}
    return ordered(kept.values())


def strict_times(split: Split) -> bool:
    """Whether rows at one timestamp are one basket, none of them history for another."""
    return isinstance(split, LeaveLastBasket)


def assign(interactions: Sequence[Interaction], split: Split, cuts: RandomCuts | None = None) -> list[str]:
    """Returns the split's name of each of one query's interactions, also of those that are no targets.

    Args:
      interactions: All of one query's interactions, ordered.
      split: The split section of the config.
      cuts: What `random_cuts` found over the rows of all queries; split random only.

    Raises:
      ValueError: For split random without cuts.
    """
    if isinstance(split, Temporal):
        return [_side(row.timestamp, split.eval_from, split.test_from) for row in interactions]
    if isinstance(split, Random):
        if cuts is None:
            raise ValueError("split random needs the cuts of random_cuts(), got None")
        return [_side(row_key(split.seed, row), *cuts) for row in interactions]
    return _last_basket(interactions) if isinstance(split, LeaveLastBasket) else _last_out(interactions)


def row_key(seed: int, row: Interaction) -> bytes:
    """Returns the SHA-256 by which split random shuffles: of the seed and the row's place, not its content."""
    return hashlib.sha256(b"%d\0%b\0%d" % (seed, row.source_path, row.source_row)).digest()


def random_counts(num_rows: int) -> tuple[int, int, int]:
    """Returns how many rows are train, eval and test: eval and test are rounded down, train has the rest."""
    test = num_rows * 20 // 100
    evaluation = num_rows * 8 // 100
    return num_rows - evaluation - test, evaluation, test


def random_cuts(interactions: Iterable[Interaction], seed: int) -> RandomCuts:
    """Returns the cuts of split random over the rows of ALL queries, of which only targets count."""
    row_keys = [row_key(seed, row) for row in interactions if row.is_target]
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
