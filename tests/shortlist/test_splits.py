from __future__ import annotations

import collections
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist import splits
from shortlist.config.split import LeaveLastBasket, LeaveLastOut, Random, Split, Temporal
from tests.components.windows import strategies

BASKET = LeaveLastBasket()
OUT = LeaveLastOut()


def at(*times: int) -> list[splits.Interaction]:
    return [splits.Interaction(time, 0, b"log.csv", row, b"c") for row, time in enumerate(times)]


def short(names: list[str]) -> str:
    """Returns one letter per row: t for train, e for eval, T for test."""
    return "".join({"train": "t", "eval": "e", "test": "T"}[name] for name in names)


def test_order_is_time_then_file_then_row():
    rows = [
        splits.Interaction(5, 0, b"b.csv", 0, b"fourth"),
        splits.Interaction(5, 0, b"a.csv", 10, b"third"),
        splits.Interaction(5, 0, b"a.csv", 9, b"second"),  # row 9 before row 10: a number, not text
        splits.Interaction(4, 0, b"z.csv", 99, b"first"),
        splits.Interaction(5, 1, b"a.csv", 0, b"fifth"),  # a nanosecond later, although its file sorts first
    ]
    names = [row.candidate_id for row in splits.sort_rows(rows)]
    assert names == [b"first", b"second", b"third", b"fourth", b"fifth"]


def test_negative_timestamps_come_before_the_epoch():
    assert [row.timestamp for row in splits.sort_rows(at(3, -5, 0))] == [-5, 0, 3]


@pytest.mark.parametrize(
    ("split", "times", "expected"),
    [
        (OUT, [], ""),
        (OUT, [1], "t"),
        (OUT, [1, 2], "tt"),
        (OUT, [1, 2, 3], "teT"),
        (OUT, [1, 2, 3, 3, 3], "ttteT"),  # ties: the file's order decides, one row each
        (BASKET, [], ""),
        (BASKET, [1], "t"),
        (BASKET, [1, 1, 1], "ttt"),  # one basket: nothing before it to learn from
        (BASKET, [1, 2], "tT"),
        (BASKET, [1, 1, 2, 2], "ttTT"),
        (BASKET, [1, 2, 3], "teT"),
        (BASKET, [1, 1, 2, 2, 2, 3, 3], "tteeeTT"),
        (BASKET, [1, 2, 3, 4], "tteT"),
        (Temporal(eval_from=3, test_from=5), [1, 2, 3, 4, 5, 6], "tteeTT"),  # the cuts' own times are after them
        (Temporal(eval_from=3, test_from=5), [5, 7], "TT"),
        (Temporal(eval_from=3, test_from=5), [1, 1], "tt"),
    ],
)
def test_each_row_gets_its_split(split: Split, times: list[int], expected: str):
    assert short(splits.assign_splits(at(*times), split)) == expected


DAY = 86_400
# Thursday 2024-02-29; 1970-01-01 was a Thursday, too, and this day is 19,782 days later.
LEAP_DAY = 19_782 * DAY


@pytest.mark.parametrize(
    ("rule", "latest", "eval_from", "test_from"),
    [
        # The day of the latest row is the test split, the day before is eval.
        ({"eval_spans": 1, "test_spans": 1}, LEAP_DAY + 5, LEAP_DAY - DAY, LEAP_DAY),
        ({"eval_spans": 1, "test_spans": 1}, LEAP_DAY, LEAP_DAY - DAY, LEAP_DAY),
        ({"eval_spans": 1, "test_spans": 1}, LEAP_DAY - 1, LEAP_DAY - 2 * DAY, LEAP_DAY - DAY),
        ({"eval_spans": 3, "test_spans": 2}, LEAP_DAY + 5, LEAP_DAY - 4 * DAY, LEAP_DAY - DAY),
        # 00:59:59 is in the first hour of the day; 24 hours end with it.
        ({"eval_spans": 1, "test_spans": 24, "span": "hour"}, LEAP_DAY + 3_599, LEAP_DAY - DAY, LEAP_DAY - 23 * 3_600),
        # The week began on Monday, three days before.
        ({"eval_spans": 1, "test_spans": 1, "span": "week"}, LEAP_DAY + 5, LEAP_DAY - 10 * DAY, LEAP_DAY - 3 * DAY),
        ({"eval_spans": 1, "test_spans": 1}, -1, -2 * DAY, -DAY),
        ({"eval_from": 3, "test_from": 5}, None, 3, 5),
    ],
)
def test_cuts_of_a_split_by_time(rule, latest, eval_from, test_from):
    assert splits.time_cuts(Temporal(**rule), latest) == (eval_from, test_from)


def test_spans_need_the_latest_row_of_all_queries():
    split = Temporal(eval_spans=1, test_spans=1)
    with pytest.raises(ValueError, match="needs the time of the latest row"):
        splits.assign_splits(at(1, 2), split)
    names = splits.assign_splits(at(0, DAY, 2 * DAY), split, splits.time_cuts(split, 2 * DAY))
    assert short(names) == "teT"
    # This query's own latest row is a day before the log's.
    assert short(splits.assign_splits(at(0, DAY), split, splits.time_cuts(split, 2 * DAY))) == "te"


def weighted(*times_and_weights: tuple[int, float]) -> list[splits.Interaction]:
    return [
        splits.Interaction(time, 0, b"log.csv", row, b"c", weight)
        for row, (time, weight) in enumerate(times_and_weights)
    ]


@pytest.mark.parametrize(
    ("split", "rows", "expected"),
    [
        # The last three rows of positive weight are train, eval and test. The others keep their position.
        (OUT, [(1, 0), (2, 5), (3, 0), (4, 1), (5, 0), (6, 2), (7, 0)], "tttee" + "TT"),
        (OUT, [(1, 1), (2, 0), (3, 1)], "ttt"),  # two targets only
        (OUT, [(1, 0), (2, 0), (3, 0)], "ttt"),
        # Baskets of targets are 2, 4 and 6; a row of weight 0 in one of them is in its split.
        (BASKET, [(1, 0), (2, 5), (3, 0), (4, 0), (4, 1), (5, 0), (6, 2), (6, 0), (7, 0)], "tttee" + "eTTT"),
        (BASKET, [(1, 0), (2, 5)], "tt"),
        (Temporal(eval_from=3, test_from=5), [(2, 0), (3, 0), (4, 1), (5, 0)], "teeT"),
    ],
)
def test_only_rows_of_positive_weight_are_counted_from_the_end(
    split: Split, rows: list[tuple[int, float]], expected: str
):
    assert short(splits.assign_splits(weighted(*rows), split)) == expected


def test_a_basket_is_a_whole_second_whatever_its_parts():
    rows = [splits.Interaction(time, nanos, b"l", 0, b"c") for time, nanos in [(1, 0), (1, 5), (2, 7), (2, 9), (3, 1)]]
    assert short(splits.assign_splits(rows, BASKET)) == "tteeT"
    assert short(splits.assign_splits(rows, OUT)) == "ttteT"


def test_repeats_are_distinguished_by_candidate_and_weight():
    rows = [
        splits.Interaction(time, 0, b"l", time, name.encode(), weight)
        for time, (name, weight) in enumerate([("a", 0.0), ("b", 1.0), ("a", 1.0), ("a", 0.0), ("b", 2.0), ("a", 9.0)])
    ]
    assert [row.timestamp for row in splits.drop_repeats(rows, "all")] == [0, 1, 2, 3, 4, 5]
    # First: a as history, b, a as a target. Last: a as history, b, a as a target.
    assert [row.timestamp for row in splits.drop_repeats(rows, "first")] == [0, 1, 2]
    assert [row.timestamp for row in splits.drop_repeats(rows, "last")] == [3, 4, 5]


def test_random_counts_only_targets():
    rows = weighted(*((time, float(time % 2)) for time in range(200)))
    names = splits.assign_splits(rows, Random(seed=4), splits.random_cuts(rows, 4))
    targets = collections.Counter(name for row, name in zip(rows, names, strict=True) if row.is_target)
    assert targets == {"train": 72, "eval": 8, "test": 20}


def test_random_key_is_the_sha256_of_seed_path_and_row():
    row = splits.Interaction(123, 0, b"log.csv", 7, b"c9")
    assert splits.row_key(42, row) == hashlib.sha256(b"42\x00log.csv\x007").digest()


def test_random_shuffles_by_location_not_by_content():
    first, second = at(1, 1)
    assert splits.row_key(1, first) != splits.row_key(1, second)
    assert splits.row_key(1, first) != splits.row_key(2, first)
    assert splits.row_key(1, first) == splits.row_key(1, first._replace(timestamp=9, candidate_id=b"other"))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (100_000, (72_000, 8_000, 20_000)),
        (0, (0, 0, 0)),
        (4, (4, 0, 0)),  # 20% of 4 is 0.8, rounded down
        (5, (4, 0, 1)),
        (12, (10, 0, 2)),  # 8% of 12 is 0.96
        (13, (10, 1, 2)),  # 8% of 13 is 1.04
        (99, (73, 7, 19)),
    ],
)
def test_random_counts(rows: int, expected: tuple[int, int, int]):
    assert splits.random_counts(rows) == expected


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(0, 2**31 - 1))
def test_random_counts_are_exact_and_follow_the_rank(num_rows: int, seed: int):
    rows = at(*range(num_rows))
    names = splits.assign_splits(rows, Random(seed=seed), splits.random_cuts(rows, seed))
    counts = collections.Counter(names)
    assert (counts["train"], counts["eval"], counts["test"]) == splits.random_counts(num_rows)
    by_key = sorted(zip((splits.row_key(seed, row) for row in rows), names, strict=True))
    assert [name for _, name in by_key] == sorted(names, key=["train", "eval", "test"].index)


def test_cuts_need_only_the_keys_of_their_buckets():
    rows = at(*range(1000))
    row_keys = [splits.row_key(5, row) for row in rows]
    histogram = collections.Counter(splits.key_bucket(key) for key in row_keys)
    wanted = splits.cut_buckets(histogram)
    near = [key for key in row_keys if splits.key_bucket(key) in wanted]
    assert len(near) < 10
    # Of 1000 rows, the 720 lowest keys are train and the next 80 eval.
    assert splits.pick_cuts(histogram, near) == (sorted(row_keys)[720], sorted(row_keys)[800])


def test_random_without_cuts_is_refused():
    with pytest.raises(ValueError, match="random_cuts"):
        splits.assign_splits(at(1), Random())


@settings(deadline=None)
@given(strategies.rows(), strategies.ordered_splits)
def test_train_comes_before_eval_comes_before_test(rows: list[splits.Interaction], split: Split):
    names = splits.assign_splits(splits.sort_rows(rows), split)
    assert len(names) == len(rows)
    assert names == sorted(names, key=["train", "eval", "test"].index)
