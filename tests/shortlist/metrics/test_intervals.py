import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from shortlist.metrics.intervals import student_t_95, wilson


@pytest.mark.parametrize(("hits", "rows"), [(0, 10), (10, 10), (50, 100), (189, 943), (1, 1)])
def test_intervals_are_scipy_s(hits, rows):
    expected = scipy.stats.binomtest(hits, rows).proportion_ci(method="wilson")
    assert wilson(hits / rows, rows) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 8, 20, 1_000])
def test_student_s_t_is_scipy_s(freedom):
    assert student_t_95(freedom) == pytest.approx(scipy.stats.t.ppf(0.975, freedom), rel=3e-3)


def test_no_rows_say_nothing():
    assert wilson(0.3, 0) == (0.0, 1.0)


@given(st.floats(0, 1), st.integers(1, 10**9))
def test_the_share_lies_within_and_so_do_0_and_1(share, rows):
    low, high = wilson(share, rows)
    assert 0.0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1.0
