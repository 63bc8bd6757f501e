"""Cuts one query's interactions into windows: targets, and the history that each target's query side sees.

One rule holds everywhere: a target's query side contains only interactions that
are earlier in the order (for baskets: at an earlier timestamp), in whichever split.
A test row's history therefore includes eval rows, and with a temporal split earlier
test rows. At the moment of the test row, they are in the past. These rows appear in
histories and in `seen`, but are never train targets.

Rows of weight 0 are also history and seen, never targets. In a train window they are
in `targets` with weight 0, so that they are history for later targets.

Split random has no order. Its histories are empty. `seen` holds the train rows for
eval, and the train and eval rows for test.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from shortlist import keys, splits
from shortlist.config.split import Random, Split, WindowsSection


class Window(NamedTuple):
    """One record of the windows table, without its query's features.

    Attributes:
      split: train, eval or test.
      position: Index of the first of `targets` among the query's ordered interactions.
      history: Interactions before the first of `targets`, oldest first.
      targets: The rows to be retrieved: one row in eval and test. In train they include rows of weight 0, which are
        not targets; at least one row has a positive weight.
      seen_ids: Distinct sorted candidate ids of the query's past; in train, of all its train rows.
    """

    split: str
    position: int
    history: tuple[splits.Interaction, ...]
    targets: tuple[splits.Interaction, ...]
    seen_ids: tuple[bytes, ...]


def windows_of(
    interactions: Iterable[splits.Interaction],
    split: Split,
    sizes: WindowsSection,
    cuts: splits.Cuts | None = None,
) -> dict[str, list[Window]]:
    """Returns one query's windows by split, each list in the order of its targets.

    Args:
      interactions: All interactions of one query, in any order.
      split: The split section of the config.
      sizes: max_history and max_targets.
      cuts: `splits.random_cuts` or `splits.time_cuts` over the rows of all queries; for split random and for spans.
    """
    rows = splits.sort_rows(interactions)
    windows: dict[str, list[Window]] = {keys.SPLIT_TRAIN: [], keys.SPLIT_EVAL: [], keys.SPLIT_TEST: []}
    for window in iter_windows(rows, splits.assign_splits(rows, split, cuts), split, sizes):
        windows[window.split].append(window)
    return windows


def iter_windows(
    rows: Sequence[splits.Interaction], names: Sequence[str], split: Split, sizes: WindowsSection
) -> Iterator[Window]:
    """Yields the windows of one query's ordered rows, train first.

    This is a generator, since each eval and test window holds the query's whole past.
    Together they grow with the square of the query's length.

    Args:
      rows: All of one query's interactions, ordered.
      names: The split of each row, from `splits.assign`.
      split: The split section of the config.
      sizes: max_history and max_targets.
    """
    yield from _train_windows(rows, names, split, sizes)
    if isinstance(split, Random):
        yield from _unordered_rows(rows, names)
    else:
        yield from _ordered_rows(rows, names, sizes.max_history, splits.strict_times(split))


def past_end(rows: Sequence[splits.Interaction], index: int, strict: bool) -> int:
    """Returns the end of the past of row `index`; with `strict`, rows at its own timestamp are not past."""
    if not strict:
        return index
    return bisect.bisect_left(rows, rows[index].timestamp, hi=index, key=lambda row: row.timestamp)


def _train_windows(
    rows: Sequence[splits.Interaction], names: Sequence[str], split: Split, sizes: WindowsSection
) -> Iterator[Window]:
    positions = [position for position, name in enumerate(names) if name == keys.SPLIT_TRAIN]
    train = [rows[position] for position in positions]
    seen = tuple(sorted({row.candidate_id for row in train}))
    strict = splits.strict_times(split)
    cut = _basket_chunks if strict else _chunks
    for start, end in cut(train, sizes.max_targets):
        # A chunk without a target has no loss; its rows are still in later histories.
        if not any(row.is_target for row in train[start:end]):
            continue
        past = 0 if isinstance(split, Random) else past_end(train, start, strict)
        history = train[max(0, past - sizes.max_history) : past]
        yield Window(keys.SPLIT_TRAIN, positions[start], tuple(history), tuple(train[start:end]), seen)


def _chunks(train: Sequence[splits.Interaction], max_targets: int) -> Iterator[tuple[int, int]]:
    for start in range(0, len(train), max_targets):
        yield start, min(start + max_targets, len(train))


def _basket_chunks(train: Sequence[splits.Interaction], max_targets: int) -> Iterator[tuple[int, int]]:
    """Yields chunks of whole baskets; a basket above max_targets is cut into chunks of its own.

    A window that started within a basket would have one of two faults. Its first target
    would see the basket's other rows, or targets of later baskets would not see them.
    """
    # The chunk is train[start:end], whole baskets that fit together; each step tries to add one more basket.
    start = end = 0
    for basket_end in _basket_ends(train):
        if basket_end - start > max_targets and end > start:
            yield start, end
            start = end
        end = basket_end
        if end - start > max_targets:
            for first, last in _chunks(train[start:end], max_targets):
                yield start + first, start + last
            start = end
    if end > start:
        yield start, end


def _basket_ends(rows: Sequence[splits.Interaction]) -> Iterator[int]:
    for index, row in enumerate(rows, start=1):
        if index == len(rows) or rows[index].timestamp != row.timestamp:
            yield index


def _ordered_rows(
    rows: Sequence[splits.Interaction], names: Sequence[str], max_history: int, strict: bool
) -> Iterator[Window]:
    seen: list[bytes] = []
    added = 0
    # One growing sorted list, not a set per row: a query with n rows then costs n insertions, not n sorts.
    for index, name in enumerate(names):
        if name == keys.SPLIT_TRAIN or not rows[index].is_target:
            continue
        past = past_end(rows, index, strict)
        for row in rows[added:past]:
            _insert(seen, row.candidate_id)
        added = past
        yield Window(name, index, tuple(rows[max(0, past - max_history) : past]), (rows[index],), tuple(seen))


def _unordered_rows(rows: Sequence[splits.Interaction], names: Sequence[str]) -> Iterator[Window]:
    def seen_in(*allowed: str) -> tuple[bytes, ...]:
        return tuple(sorted({row.candidate_id for row, name in zip(rows, names, strict=True) if name in allowed}))

    seen = {
        keys.SPLIT_EVAL: seen_in(keys.SPLIT_TRAIN),
        keys.SPLIT_TEST: seen_in(keys.SPLIT_TRAIN, keys.SPLIT_EVAL),
    }
    for index, name in enumerate(names):
        if name != keys.SPLIT_TRAIN and rows[index].is_target:
            yield Window(name, index, (), (rows[index],), seen[name])


def _insert(ordered_ids: list[bytes], candidate_id: bytes) -> None:
    index = bisect.bisect_left(ordered_ids, candidate_id)
    if index == len(ordered_ids) or ordered_ids[index] != candidate_id:
        ordered_ids.insert(index, candidate_id)
