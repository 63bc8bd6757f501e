from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from components.windows import checks, stats
from components.windows.times import IsolatedTimes, RowLocation
from components.windows.windows_config import WindowsConfig
from shortlist.config.gate import Check
from shortlist.config.split import LeaveLastBasket, LeaveLastOut, Random, Split, Temporal, WindowsSection
from shortlist.findings import Findings

GOOD = {
    stats.INTERACTIONS_READ: 100,
    stats.INTERACTIONS_KEPT: 100,
    stats.CANDIDATES: 9,
    stats.QUERIES: 5,
    "rows/train": 90,
    "rows/test": 5,
}
FAR = IsolatedTimes(1, 880_000_000, 890_000_000, RowLocation(2_082_758_399, b"log.csv", 17))


def make_config(split: Split | None = None, **checked: Any) -> WindowsConfig:
    config = WindowsConfig(
        split=split or LeaveLastOut(),
        windows=WindowsSection(),
        max_interactions_per_query=100,
        unknown_candidates=Check(threshold=0.05),
        tied_targets=Check(threshold=0.5),
        isolated_times=Check(threshold=0.0),
        has_timestamps=True,
    )
    return config.model_copy(update=checked)


def check(
    config: WindowsConfig,
    isolated: IsolatedTimes | None = None,
    unit: str = "",
    changes: Mapping[str, int] | None = None,
) -> Findings:
    summary = checks.GraphSummary({**GOOD, **(changes or {})}, {}, ["x", "y"], isolated)
    return checks.check(summary, config, unit)


def test_good_data_has_no_findings():
    assert check(make_config()) == Findings()


@pytest.mark.parametrize(
    ("changes", "split", "expected"),
    [
        ({stats.INTERACTIONS_READ: 0}, LeaveLastOut(), "expected rows, got none"),
        ({stats.CANDIDATES: 0}, LeaveLastOut(), "expected a catalogue"),
        ({stats.QUERIES: 1}, LeaveLastOut(), "at least 2 distinct query ids, got 1"),
        ({"rows/test": 0}, LeaveLastOut(), "none of the 100 rows into test; it needs queries with at least 3"),
        ({"rows/test": 0}, LeaveLastBasket(), "at least 2 distinct timestamps"),
        ({"rows/train": 0}, Temporal(eval_from=1, test_from=2), "into train; set data.split.eval_from"),
        ({"rows/test": 0}, Random(), "at least 5 interactions"),
    ],
)
def test_unusable_data_is_an_error(changes: dict[str, int], split: Split, expected: str):
    [refused] = check(make_config(split), changes=changes).errors
    assert expected in refused


def test_problems_with_single_rows_come_first():
    summary = checks.GraphSummary({**GOOD, stats.QUERIES: 1}, {"duplicate": ["row 1", "row 2"]}, [], FAR)
    assert checks.check(summary, make_config()) == Findings(errors=["row 1; row 2"])


UNKNOWN = ({stats.UNKNOWN_CANDIDATE: 6}, None, "6 of 100 rows (6.0%) have a candidate id")
TIED = ({"tied_test_targets": 3}, None, "60% of the test targets share their time")
ISOLATED: tuple[dict[str, int], IsolatedTimes, str] = (
    {},
    FAR,
    "log.csv data row 17 (counted from 0): expected a time near the others",
)


@pytest.mark.parametrize(
    ("name", "found"), [("unknown_candidates", UNKNOWN), ("tied_targets", TIED), ("isolated_times", ISOLATED)]
)
def test_the_action_decides_what_an_excess_does(name: str, found: Any):
    changes, isolated, expected = found
    threshold = getattr(make_config(), name).threshold

    def with_action(action: str) -> Findings:
        return check(
            make_config().model_copy(update={name: Check(threshold=threshold, action=action)}),
            isolated,
            changes=changes,
        )

    [error] = with_action("error").errors
    assert expected in error
    assert f"data.gate.{name}.threshold={threshold}" in error
    assert with_action("warn") == Findings(warnings=[error])
    assert with_action("ignore") == Findings()


def test_the_threshold_itself_passes():
    assert check(make_config(), changes={stats.UNKNOWN_CANDIDATE: 5}) == Findings()
    assert check(make_config(tied_targets=Check(threshold=0.6)), changes=TIED[0]) == Findings()
    assert check(make_config(isolated_times=Check(threshold=0.01)), FAR) == Findings()


def test_baskets_are_ties_by_nature_and_random_claims_no_order():
    for split in (LeaveLastBasket(), Random()):
        assert check(make_config(split), changes=TIED[0]) == Findings()
    assert check(make_config(Temporal(eval_from=1, test_from=2)), changes=TIED[0]).errors


def test_all_errors_are_reported_at_once():
    assert len(check(make_config(), FAR, changes={**UNKNOWN[0], **TIED[0]}).errors) == 3
    # An empty split follows from the other errors, so that it is not reported beside them.
    assert len(check(make_config(), FAR, changes={"rows/test": 0}).errors) == 1


@pytest.mark.parametrize(
    ("unit", "time", "text"),
    [
        ("seconds", 2_082_758_399, "got 2035-12-31T23:59:59Z"),
        ("order", 2_082_758_399, "got 2082758399"),
        ("seconds", 10**15, "got second 1000000000000000"),
    ],
)
def test_times_are_shown_as_dates_unless_they_are_order_numbers(unit: str, time: int, text: str):
    isolated = FAR._replace(example=FAR.example._replace(timestamp=time))
    [error] = check(make_config(), isolated, unit).errors
    assert text in error
