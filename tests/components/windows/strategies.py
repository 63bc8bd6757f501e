"""Hypothesis strategies: one query's log, small enough that ties, repeats and baskets are common."""

from __future__ import annotations

from hypothesis import strategies as st

from shortlist import splits
from shortlist.config.split import LeaveLastBasket, LeaveLastOut, Random, Temporal, WindowsSection

MAX_TIME = 9
NANOS = (0, 0, 500_000_000, 999_999_999)
WEIGHTS = (0.0, 1.0, 1.0, 3.0)
PATHS = (b"a.csv", b"b.csv")
CANDIDATES = tuple(b"c%d" % number for number in range(6))

ordered_splits = st.sampled_from([LeaveLastOut(), LeaveLastBasket(), Temporal(eval_from=4, test_from=7)])
all_splits = st.one_of(ordered_splits, st.just(Random(seed=1)))
sizes = st.builds(WindowsSection, max_history=st.integers(1, 5), max_targets=st.integers(1, 5))


def rows(first_row: int = 0, min_size: int = 0, max_size: int = 14) -> st.SearchStrategy[list[splits.Interaction]]:
    """Rows of one query; each (path, row) is there once."""
    row = st.tuples(
        st.integers(0, MAX_TIME),
        st.sampled_from(NANOS),
        st.sampled_from(PATHS),
        st.sampled_from(CANDIDATES),
        st.sampled_from(WEIGHTS),
    )
    return st.lists(row, min_size=min_size, max_size=max_size).map(
        lambda drawn: [
            splits.Interaction(time, nanos, path, first_row + index, candidate_id, weight)
            for index, (time, nanos, path, candidate_id, weight) in enumerate(drawn)
        ]
    )
