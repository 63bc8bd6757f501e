import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from shortlist.intervals import wilson


@pytest.mark.parametrize(("hits", "rows"), [(0, 10), (10, 10), (50, 100), (189, 943), (1, 1)])
def test_intervals_are_scipy_s(hits, rows):
    expected = scipy.stats.binomtest(hits, rows).proportion_ci(method="wilson")
    assert wilson(hits / rows, rows) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_no_rows_say_nothing():
    assert wilson(0.3, 0) == (0.0, 1.0)


@given(st.floats(0, 1), st.integers(1, 10**9))
def test_the_share_lies_within_and_so_do_0_and_1(share, rows):
    low, high = wilson(share, rows)
    assert 0.0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1.0
