from __future__ import annotations

from components.windows import windowing
from shortlist import splits
from shortlist.config.split import LeaveLastBasket, LeaveLastOut, Random, Temporal, WindowsSection

SIZES = WindowsSection(max_history=100, max_targets=100)


def log(*rows: tuple[int, str]) -> list[splits.Interaction]:
    """Returns one query's rows in the file's order, from (timestamp, candidate) pairs."""
    return [splits.Interaction(time, 0, b"log.csv", row, name.encode()) for row, (time, name) in enumerate(rows)]


def shown(windows: list[windowing.Window]) -> list[tuple[str, str, str]]:
    """Returns (history, targets, seen) of each window, its candidates written one after the other."""
    return [
        (
            "".join(row.candidate_id.decode() for row in window.history),
            "".join(row.candidate_id.decode() for row in window.targets),
            "".join(candidate.decode() for candidate in window.seen_ids),
        )
        for window in windows
    ]


def test_leave_last_out():
    windows = windowing.windows_of(log((1, "a"), (2, "b"), (3, "c"), (4, "d")), LeaveLastOut(), SIZES)
    assert shown(windows["train"]) == [("", "ab", "ab")]
    assert shown(windows["eval"]) == [("ab", "c", "ab")]
    assert shown(windows["test"]) == [("abc", "d", "abc")]  # the eval item is in the test-time past
    assert [windows[split][0].position for split in ("train", "eval", "test")] == [0, 2, 3]


def test_leave_last_out_of_short_queries():
    assert shown(windowing.windows_of(log((1, "a")), LeaveLastOut(), SIZES)["train"]) == [("", "a", "a")]
    two = windowing.windows_of(log((1, "a"), (2, "b")), LeaveLastOut(), SIZES)
    assert shown(two["train"]) == [("", "ab", "ab")]
    assert not two["eval"]
    assert not two["test"]
    three = windowing.windows_of(log((1, "a"), (2, "b"), (3, "c")), LeaveLastOut(), SIZES)
    assert [shown(three[split]) for split in ("train", "eval", "test")] == [
        [("", "a", "a")],
        [("a", "b", "a")],
        [("ab", "c", "ab")],
    ]


def test_ties_keep_the_order_of_the_file_whatever_order_they_are_read_in():
    rows = log((1, "a"), (5, "z"), (5, "b"), (5, "y"))
    for read in (rows, rows[::-1]):
        windows = windowing.windows_of(read, LeaveLastOut(), SIZES)
        assert shown(windows["eval"]) == [("az", "b", "az")]
        assert shown(windows["test"]) == [("azb", "y", "abz")]


def test_a_repeated_target_stays_in_its_own_seen_ids():
    windows = windowing.windows_of(log((1, "a"), (2, "a"), (3, "b"), (4, "a")), LeaveLastOut(), SIZES)
    assert shown(windows["test"]) == [("aab", "a", "ab")]  # seen is distinct, and consumers subtract the target


def test_long_queries_are_chunked_each_interaction_a_target_once():
    sizes = WindowsSection(max_history=2, max_targets=3)
    rows = log(*((time, name) for time, name in enumerate("abcdefghij")))
    windows = windowing.windows_of(rows, LeaveLastOut(), sizes)
    # Train is a to h: chunks of three, each with the two before its first target.
    assert shown(windows["train"]) == [("", "abc", "abcdefgh"), ("bc", "def", "abcdefgh"), ("ef", "gh", "abcdefgh")]
    assert shown(windows["eval"]) == [("gh", "i", "abcdefgh")]
    assert shown(windows["test"]) == [("hi", "j", "abcdefghi")]  # seen is the whole past, not the window


def test_leave_last_basket():
    rows = log((1, "a"), (1, "b"), (2, "c"), (2, "d"), (3, "a"), (3, "e"))
    windows = windowing.windows_of(rows, LeaveLastBasket(), SIZES)
    assert shown(windows["train"]) == [("", "ab", "ab")]
    assert shown(windows["eval"]) == [("ab", "c", "ab"), ("ab", "d", "ab")]  # d does not see c
    assert shown(windows["test"]) == [("abcd", "a", "abcd"), ("abcd", "e", "abcd")]  # e does not see a's repeat


def test_train_windows_hold_whole_baskets():
    sizes = WindowsSection(max_history=3, max_targets=4)
    rows = log(*((time, name) for time, names in enumerate(["ab", "cd", "ef", "g", "T"]) for name in names))
    windows = windowing.windows_of(rows, LeaveLastBasket(), sizes)
    # Train baskets: ab cd ef (g is eval). ab and cd fill a window of four; ef starts the next.
    assert shown(windows["train"]) == [("", "abcd", "abcdef"), ("bcd", "ef", "abcdef")]


def test_a_basket_above_max_targets_shows_none_of_its_rows_to_another():
    sizes = WindowsSection(max_history=3, max_targets=2)
    rows = log(*((time, name) for time, names in enumerate(["a", "bcdef", "g", "h", "T"]) for name in names))
    windows = windowing.windows_of(rows, LeaveLastBasket(), sizes)
    # Train baskets: a bcdef g. Every piece of bcdef looks back to a alone; g, in a window of its own, sees d, e, f.
    assert [window[:2] for window in shown(windows["train"])] == [
        ("", "a"),
        ("a", "bc"),
        ("a", "de"),
        ("a", "f"),
        ("def", "g"),
    ]


def test_temporal_sees_everything_that_is_earlier():
    split = Temporal(eval_from=3, test_from=5)
    windows = windowing.windows_of(log((1, "a"), (2, "b"), (3, "c"), (4, "a"), (5, "d"), (6, "e")), split, SIZES)
    assert shown(windows["train"]) == [("", "ab", "ab")]
    assert shown(windows["eval"]) == [("ab", "c", "ab"), ("abc", "a", "abc")]
    # The second test row sees the first, which lies in its past.
    assert shown(windows["test"]) == [("abca", "d", "abc"), ("abcad", "e", "abcd")]


def test_temporal_query_without_train_rows():
    split = Temporal(eval_from=3, test_from=5)
    windows = windowing.windows_of(log((5, "a"), (6, "b")), split, SIZES)
    assert not windows["train"]
    assert shown(windows["test"]) == [("", "a", ""), ("a", "b", "a")]


def test_random_has_no_history_and_sees_by_split() -> None:
    rows = log(*((time, name) for time, name in enumerate("abcdef")))
    split = Random(seed=0)
    row_keys = sorted(splits.row_key(0, row) for row in rows)
    # Three train rows, one eval, two test, at the cuts that say so.
    cuts = splits.RandomCuts(row_keys[3], row_keys[4])
    in_split: dict[str, list[str]] = {name: [] for name in ("train", "eval", "test")}
    for row, name in zip(rows, splits.assign_splits(rows, split, cuts), strict=True):
        in_split[name].append(row.candidate_id.decode())
    train, evaluation, test = ("".join(in_split[name]) for name in ("train", "eval", "test"))
    assert (len(train), len(evaluation), len(test)) == (3, 1, 2)

    windows = windowing.windows_of(rows, split, WindowsSection(max_history=9, max_targets=2), cuts)
    assert shown(windows["train"]) == [("", train[:2], train), ("", train[2:], train)]
    assert shown(windows["eval"]) == [("", evaluation, train)]
    seen = "".join(sorted(train + evaluation))
    assert shown(windows["test"]) == [("", test[0], seen), ("", test[1], seen)]


def weighted(*rows: tuple[int, str, float]) -> list[splits.Interaction]:
    return [
        splits.Interaction(time, 0, b"log.csv", row, name.encode(), weight)
        for row, (time, name, weight) in enumerate(rows)
    ]


def test_rows_of_weight_0_are_history_and_seen_and_never_targets():
    rows = weighted((1, "v", 0), (2, "a", 1), (3, "w", 0), (4, "b", 1), (5, "x", 0), (6, "c", 1), (7, "y", 0))
    windows = windowing.windows_of(rows, LeaveLastOut(), SIZES)
    # In train they stand between the targets, for later ones to look back on.
    assert shown(windows["train"]) == [("", "vaw", "avw")]
    assert [row.is_target for row in windows["train"][0].targets] == [False, True, False]
    assert shown(windows["eval"]) == [("vaw", "b", "avw")]
    assert shown(windows["test"]) == [("vawbx", "c", "abvwx")]  # y is later than c


def test_a_window_without_a_target_is_not_made():
    sizes = WindowsSection(max_history=2, max_targets=2)
    views = [(time, name, 0.0) for time, name in enumerate("stuvwx")]
    rows = weighted(*views, (7, "a", 1), (8, "b", 1), (9, "c", 1))
    windows = windowing.windows_of(rows, LeaveLastOut(), sizes)
    # Chunks of two: st, uv, wx, a.
    assert shown(windows["train"]) == [("wx", "a", "astuvwx")]
    alone = windowing.windows_of(weighted((1, "a", 0), (2, "b", 0)), LeaveLastOut(), sizes)
    assert alone == {"train": [], "eval": [], "test": []}


def test_no_interactions_give_no_windows():
    for split in (LeaveLastOut(), LeaveLastBasket(), Temporal(eval_from=1, test_from=2)):
        assert windowing.windows_of([], split, SIZES) == {"train": [], "eval": [], "test": []}
