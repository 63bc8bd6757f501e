"""Properties that every figure of the product rests on, on generated logs."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from components.windows import windowing
from shortlist import splits
from shortlist.config.split import Random, Split, WindowsSection
from shortlist.config.table import Repeats
from tests.components.windows import strategies

Rows = list[splits.Interaction]


class QuerySide(NamedTuple):
    """The rows that a model may use to predict one target."""

    split: str
    visible: tuple[splits.Interaction, ...]
    seen_ids: tuple[bytes, ...]


def query_sides(rows: Rows, split: Split, sizes: WindowsSection) -> dict[splits.Interaction, QuerySide]:
    """Returns the query side of every target, reading train windows as the model does: times in whole seconds."""
    cuts = splits.random_cuts(rows, 1)
    found = {}
    for windows in windowing.windows_of(rows, split, sizes, cuts).values():
        for window in windows:
            for index, target in enumerate(window.targets):
                if not target.is_target:
                    continue
                visible = window.history + window.targets[:index]
                if splits.strict_times(split):
                    visible = tuple(row for row in visible if row.timestamp < target.timestamp)
                assert target not in found, "a target twice"
                found[target] = QuerySide(window.split, visible, window.seen_ids)
    return found


def is_past(row: splits.Interaction, target: splits.Interaction, split: Split) -> bool:
    return row.timestamp < target.timestamp if splits.strict_times(split) else row < target


@settings(max_examples=400, deadline=None)
@given(
    strategies.rows(min_size=1),
    strategies.rows(first_row=100),
    strategies.ordered_splits,
    strategies.sizes,
    st.data(),
)
def test_rows_that_are_not_earlier_never_change_the_query_side(
    rows: Rows, others: Rows, split: Split, sizes: WindowsSection, data: st.DataObject
):
    target = data.draw(st.sampled_from(rows))._replace(weight=1.0)
    rows = [target if row[:4] == target[:4] else row for row in rows]
    past = [row for row in rows if is_past(row, target, split)]
    # Everything else is removed, and other rows that are not earlier come in.
    changed = [*past, target, *(row for row in others if not is_past(row, target, split))]
    before = query_sides(rows, split, sizes)[target]
    after = query_sides(changed, split, sizes)[target]

    # Whichever split each version puts the target in: the same latest max_history interactions.
    assert before.visible[-sizes.max_history :] == after.visible[-sizes.max_history :]
    if "train" not in (before.split, after.split):
        assert before.seen_ids == after.seen_ids


@settings(max_examples=400, deadline=None)
@given(
    strategies.rows(min_size=1),
    strategies.rows(first_row=100),
    strategies.ordered_splits,
    strategies.sizes,
    st.data(),
)
def test_with_repeats_first_later_rows_change_neither_targets_nor_histories(
    rows: Rows, others: Rows, split: Split, sizes: WindowsSection, data: st.DataObject
):
    target = data.draw(st.sampled_from(rows))._replace(weight=1.0)
    rows = [target if row[:4] == target[:4] else row for row in rows]
    earlier = [row for row in rows if row < target]
    changed = [*earlier, target, *(row for row in others if target < row)]
    before, after = (query_sides(splits.drop_repeats(log, "first"), split, sizes) for log in (rows, changed))
    first_of_its_candidate = not any(splits.repeat_key(row) == splits.repeat_key(target) for row in earlier)
    assert (target in before) == (target in after) == first_of_its_candidate
    if first_of_its_candidate:
        latest = slice(-sizes.max_history, None)
        assert before[target].visible[latest] == after[target].visible[latest]
        if "train" not in (before[target].split, after[target].split):
            assert before[target].seen_ids == after[target].seen_ids


@settings(max_examples=400, deadline=None)
@given(strategies.rows(), st.sampled_from(["all", "first", "last"]))
def test_one_target_and_one_row_of_weight_0_per_candidate_remain(rows: Rows, repeats: Repeats):
    kept = splits.drop_repeats(rows, repeats)
    assert kept == sorted(kept)
    if repeats == "all":
        assert kept == sorted(rows)
        return
    groups: dict[tuple[bytes, bool], Rows] = {}
    for row in sorted(rows):
        groups.setdefault((row.candidate_id, row.weight > 0.0), []).append(row)
    assert set(kept) == {group[0 if repeats == "first" else -1] for group in groups.values()}


@settings(max_examples=400, deadline=None)
@given(strategies.rows(), strategies.all_splits, strategies.sizes, st.data())
def test_weights_change_nothing_but_which_rows_are_targets(
    rows: Rows, split: Split, sizes: WindowsSection, data: st.DataObject
):
    heavier = [row._replace(weight=data.draw(st.sampled_from([0.5, 10.0]))) if row.is_target else row for row in rows]

    def unweighted(log: Rows) -> dict[str, list[windowing.Window]]:
        windows = windowing.windows_of(log, split, sizes, splits.random_cuts(log, 1))
        return {
            name: [
                window._replace(
                    history=tuple(row._replace(weight=1.0) for row in window.history),
                    targets=tuple(row._replace(weight=float(row.is_target)) for row in window.targets),
                )
                for window in found
            ]
            for name, found in windows.items()
        }

    assert unweighted(rows) == unweighted(heavier)


@settings(max_examples=400, deadline=None)
@given(strategies.rows(), strategies.ordered_splits, strategies.sizes)
def test_the_query_side_is_the_latest_of_the_past(rows: Rows, split: Split, sizes: WindowsSection):
    for target, side in query_sides(rows, split, sizes).items():
        past = sorted(row for row in rows if is_past(row, target, split))
        assert list(side.visible) == past[len(past) - len(side.visible) :]
        assert len(side.visible) >= min(len(past), sizes.max_history)
        if side.split == "train":
            assert len(side.visible) < sizes.max_history + sizes.max_targets
        else:
            assert len(side.visible) <= sizes.max_history
            assert list(side.seen_ids) == sorted({row.candidate_id for row in past})


@settings(max_examples=400, deadline=None)
@given(strategies.rows(), strategies.all_splits, strategies.sizes)
def test_every_interaction_is_a_target_exactly_once_in_its_split(rows: Rows, split: Split, sizes: WindowsSection):
    ordered = splits.sort_rows(rows)
    names = splits.assign_splits(ordered, split, splits.random_cuts(rows, 1))
    windows = windowing.windows_of(rows, split, sizes, splits.random_cuts(rows, 1))
    for name, found in windows.items():
        targets = [target for window in found for target in window.targets if target.is_target]
        in_split = [row for row, of_row in zip(ordered, names, strict=True) if of_row == name]
        assert targets == [row for row in in_split if row.is_target]
        # Those between them are looked back on.
        assert all(row in in_split for window in found for row in window.targets)
        assert [ordered[window.position] for window in found] == [window.targets[0] for window in found]
        most = sizes.max_targets if name == "train" else 1
        assert all(1 <= len(window.targets) <= most for window in found)
        assert all(any(row.is_target for row in window.targets) for window in found)
        assert all(len(window.history) <= sizes.max_history for window in found)


@settings(max_examples=400, deadline=None)
@given(strategies.rows(), strategies.all_splits, strategies.sizes, st.data())
def test_eval_and_test_rows_never_change_train_windows(
    rows: Rows, split: Split, sizes: WindowsSection, data: st.DataObject
):
    cuts = splits.random_cuts(rows, 1)
    ordered = splits.sort_rows(rows)
    names = splits.assign_splits(ordered, split, cuts)
    changed = [
        row if name == "train" else row._replace(candidate_id=data.draw(st.sampled_from(strategies.CANDIDATES)))
        for row, name in zip(ordered, names, strict=True)
    ]
    before = windowing.windows_of(rows, split, sizes, cuts)
    after = windowing.windows_of(changed, split, sizes, cuts)
    assert before["train"] == after["train"]


@settings(max_examples=200, deadline=None)
@given(strategies.rows(), strategies.sizes)
def test_random_sees_train_in_eval_and_train_and_eval_in_test(rows: Rows, sizes: WindowsSection):
    split = Random(seed=1)
    cuts = splits.random_cuts(rows, 1)
    ordered = splits.sort_rows(rows)
    names = splits.assign_splits(ordered, split, cuts)
    for side in query_sides(rows, split, sizes).values():
        allowed = ("train", "eval") if side.split == "test" else ("train",)
        expected = {row.candidate_id for row, name in zip(ordered, names, strict=True) if name in allowed}
        assert list(side.seen_ids) == sorted(expected)
