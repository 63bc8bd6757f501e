"""Cuts one query's interactions into windows: what each target's query side may see.

The one rule everything here obeys is that a target's query side holds only
interactions that are earlier than it in the order (for baskets: at an earlier
timestamp), whichever split they are in. The test-time history thus includes
eval rows, and with a temporal split earlier test rows: they lie in the past of
the moment that is evaluated. They enter histories and `seen`, never a train
target. The same holds for rows of weight 0: in a train window they stand among
the targets, where later targets look back on them, with a weight that says that
they are none. Split random claims no order: histories are empty, and seen is the train
rows for eval, train and eval rows for test.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from shortlist import keys, splits
from shortlist.config.split import Random, Split, WindowsSection


class Window(NamedTuple):
    """One record of the windows table, before its query's features are joined.

    Attributes:
      split: train, eval or test.
      position: Index of the first of `targets` among the query's ordered interactions.
      history: Interactions before the first of `targets`, oldest first.
      targets: What is to be retrieved, one row in eval and test; in train, rows of weight 0 between those that are
        targets, at least one of which there is.
      seen_ids: Distinct sorted candidates of the query's past; in train, of all its train rows.
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
    cuts: splits.RandomCuts | None = None,
) -> dict[str, list[Window]]:
    """Returns one query's windows by split, each list in the order of its targets.

    Args:
      interactions: All of ONE query's interactions, in any order.
      split: The split section of the config.
      sizes: max_history and max_targets.
      cuts: `splits.random_cuts` over the rows of all queries; split random only.
    """
    rows = splits.ordered(interactions)
    windows: dict[str, list[Window]] = {keys.SPLIT_TRAIN: [], keys.SPLIT_EVAL: [], keys.SPLIT_TEST: []}
    for window in iter_windows(rows, splits.assign(rows, split, cuts), split, sizes):
        windows[window.split].append(window)
    return windows


def iter_windows(
    rows: Sequence[splits.Interaction], names: Sequence[str], split: Split, sizes: WindowsSection
) -> Iterator[Window]:
    """Yields the windows of one query's ordered rows, train first.

    Lazily, since each eval and test window holds the query's whole past: their
    sum grows with the square of the query's length.

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
    """Returns the end of the past of row `index`: with `strict`, all rows at its own timestamp are no past."""
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
    chunks = _basket_chunks(train, sizes.max_targets) if strict else _chunks(len(train), sizes.max_targets)
    for start, end in chunks:
        if not any(row.is_target for row in train[start:end]):
            continue
        past = 0 if isinstance(split, Random) else past_end(train, start, strict)
        history = train[max(0, past - sizes.max_history) : past]
        yield Window(keys.SPLIT_TRAIN, positions[start], tuple(history), tuple(train[start:end]), seen)


def _chunks(size: int, max_targets: int) -> Iterator[tuple[int, int]]:
    for start in range(0, size, max_targets):
        yield start, min(start + max_targets, size)


def _basket_chunks(train: Sequence[splits.Interaction], max_targets: int) -> Iterator[tuple[int, int]]:
    """Yields chunks of whole baskets; a basket above max_targets gets chunks that hold nothing else.

    A window that began within a basket would either show the basket's other rows
    to its first target or hide them from the targets of later baskets.
    """
    start = end = 0
    for basket_end in _basket_ends(train):
        if basket_end - start > max_targets and end > start:
            yield start, end
            start = end
        end = basket_end
        if end - start > max_targets:
            for first, last in _chunks(end - start, max_targets):
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
    place = bisect.bisect_left(ordered_ids, candidate_id)
    if place == len(ordered_ids) or ordered_ids[place] != candidate_id:
        ordered_ids.insert(place, candidate_id)
