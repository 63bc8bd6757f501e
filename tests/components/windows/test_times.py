from __future__ import annotations

import pytest

from components.windows import times


def isolated(timestamps: list[int]) -> times.IsolatedTimes | None:
    places = sorted(times.RowLocation(time, b"log.csv", row) for row, time in enumerate(timestamps))
    size = times.tail_size(len(places))
    return times.find_isolated(places[:size], places[-size:])


# 3,000 rows: three are cut off at each end, and the middle is from 1003 to 3996, 2993 seconds long.
LOG = list(range(1000, 4000))


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, None),
        ({2999: 3996 + 2993}, None),  # as far outside as the middle is long
        ({2999: 3996 + 2994}, (1, 1003, 3996, (6990, b"log.csv", 2999))),
        ({0: 1003 - 2994}, (1, 1003, 3996, (-1991, b"log.csv", 0))),
        ({2999: 10_000, 2998: 20_000, 0: -50_000}, (3, 1003, 3996, (-50_000, b"log.csv", 0))),
        # Four in three thousand are no longer outside the middle.
        (dict.fromkeys(range(2996, 3000), 10_000), None),
    ],
)
def test_times_further_outside_the_middle_than_it_is_long(changed: dict[int, int], found: object):
    assert isolated([changed.get(row, time) for row, time in enumerate(LOG)]) == found


def test_a_row_in_the_middle_of_the_file_is_found_where_it_stands():
    found = isolated([*range(1500), 10**9, *range(1500, 2999)])
    assert found is not None
    assert found.example == (10**9, b"log.csv", 1500)


def test_among_fewer_than_a_thousand_rows_nothing_is_isolated():
    assert isolated([*range(998), 10**9]) is None
    assert isolated([5]) is None


def test_where_all_others_are_at_one_time_any_other_is_isolated():
    assert isolated([7] * 1999 + [8]) == (1, 7, 7, (8, b"log.csv", 1999))


def test_tails_are_bounded_however_long_the_log_is():
    # one in 1,000 of 100 million rows, and the first row of the middle
    assert [times.tail_size(rows) for rows in (0, 2_999, 10**8, 10**10)] == [1, 3, 100_001, 100_001]


def test_isolated_times_survive_json():
    found = times.IsolatedTimes(1, 2, 3, times.RowLocation(4, "ü.csv".encode(), 5))
    assert times.IsolatedTimes.from_json(found.to_json()) == found
