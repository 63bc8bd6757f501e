from __future__ import annotations

import pytest

from components.windows import checks, cuts, stats
from components.windows.times import IsolatedTimes, RowLocation
from shortlist.config.gate import Action, Check
from shortlist.config.split import LeaveLastOut, SpanName, Temporal
from shortlist.findings import Findings
from tests.components.windows.test_checks import GOOD, make_config

DAY, HOUR = 86_400, 3_600
# 2024-01-01T00:00:00Z.
NEW_YEAR = 1_704_067_200
SPANS = Temporal(eval_spans=1, test_spans=1)


def test_cuts_are_described_for_splits_by_time_alone():
    assert cuts.describe(SPANS, NEW_YEAR + 5) == {
        "eval_from": NEW_YEAR - DAY,
        "test_from": NEW_YEAR,
        "latest_time": NEW_YEAR + 5,
    }
    assert cuts.describe(Temporal(eval_from=3, test_from=5), 9) == {"eval_from": 3, "test_from": 5, "latest_time": 9}
    assert cuts.describe(LeaveLastOut(), 9) is None
    assert cuts.describe(SPANS, None) is None


@pytest.mark.parametrize(
    ("span", "test_spans", "seconds", "share"),
    [
        ("day", 1, 2 * HOUR, "8%"),
        ("day", 1, 12 * HOUR - 1, "50%"),
        ("week", 1, DAY + 1, "14%"),
        ("day", 1, 12 * HOUR, None),
        # Each row of a log of dates has the time of midnight.
        ("day", 1, 0, None),
        ("week", 1, 2 * DAY, None),
        # There is a whole day beside it.
        ("day", 2, 2 * HOUR, None),
    ],
)
def test_a_test_split_that_has_only_begun_is_a_warning(
    span: SpanName, test_spans: int, seconds: int, share: str | None
):
    # The first of January 2024 is a Monday.
    split = Temporal(eval_spans=1, test_spans=test_spans, span=span)
    found = cuts.check_latest(split, NEW_YEAR + seconds, None, "warn")
    assert found.errors == []
    if share is None:
        assert found.warnings == []
    else:
        [warning] = found.warnings
        assert f"has only {share} of a {span}, because the log ends at 2024-01-0" in warning


def far(late: int) -> IsolatedTimes:
    """The middle is 100 days long and ends at the new year."""
    return IsolatedTimes(1, NEW_YEAR - 100 * DAY, NEW_YEAR, RowLocation(late, b"log.csv", 17))


@pytest.mark.parametrize(
    ("latest", "action", "refused"),
    [
        (NEW_YEAR + 101 * DAY, "warn", True),
        (NEW_YEAR + 101 * DAY, "error", True),
        (NEW_YEAR + 101 * DAY, "ignore", False),
        (NEW_YEAR + 100 * DAY, "warn", False),
        # The isolated row is an early one.
        (NEW_YEAR, "warn", False),
    ],
)
def test_a_corrupt_latest_time_moves_no_cuts(latest: int, action: Action, refused: bool):
    found = cuts.check_latest(SPANS, latest, far(latest), action)
    assert bool(found.errors) == refused
    if refused:
        assert "from 2023-09-23T00:00:00Z to 2024-01-01T00:00:00Z), since data.split counts" in found.errors[0]
        assert "got 2024-04-11T00:00:00Z; correct this row" in found.errors[0]


def test_the_node_checks_the_latest_time():
    late = NEW_YEAR + 101 * DAY
    summary = checks.GraphSummary(GOOD, {}, [], far(late), late)
    config = make_config(SPANS, isolated_times=Check(threshold=0.5, action="warn"))
    [error] = checks.check(summary, config).errors
    assert "expected a latest time near the others" in error
    # Windows of a refit hold nothing out.
    assert checks.check(summary, config.model_copy(update={"everything_is_train": True})) == Findings()


def test_plain_numbers_have_no_spans():
    summary = checks.GraphSummary(GOOD, {}, [], None, 5)
    [error] = checks.check(summary, make_config(SPANS), "order").errors
    assert error.startswith("data.split.eval_spans needs times, but interactions.timestamp_unit is order")


def test_a_log_shorter_than_its_spans_is_refused():
    summary = checks.GraphSummary({**GOOD, "rows/train": 0}, {}, [], None, NEW_YEAR)
    [error] = checks.check(summary, make_config(SPANS)).errors
    assert error.endswith("the log is shorter than data.split.eval_spans and test_spans; take fewer or shorter spans")
    assert stats.summarize(summary.counts, make_config(SPANS), NEW_YEAR)["cuts"]["test_from"] == NEW_YEAR
