"""Cuts of split temporal: their record, and checks of the row that they are counted from."""

from __future__ import annotations

import datetime

from components.windows.times import IsolatedTimes
from shortlist import splits
from shortlist.config.gate import Action
from shortlist.config.split import Split, Temporal
from shortlist.findings import Findings
from shortlist.records import properties

ORDER = "order"
"""Unit of timestamps that are plain numbers."""

# A test split of less than half a span is called short.
_SHORT = 0.5
_DAY = splits.SPAN_SECONDS["day"]


def describe(split: Split, latest: int | None) -> dict[str, int] | None:
    """Returns the times of `properties.CUTS`, in seconds or as order numbers; None for other splits.

    Args:
      split: The split section of the config.
      latest: Time of the latest target; None if it is unknown.
    """
    if not isinstance(split, Temporal) or latest is None:
        return None
    return dict(zip(properties.CUTS, (*splits.time_cuts(split, latest), latest), strict=True))


def check_latest(split: Temporal, latest: int, isolated: IsolatedTimes | None, action: Action) -> Findings:
    """Returns findings about the row that the spans are counted from.

    Args:
      split: A split by spans.
      latest: Seconds of the latest target.
      isolated: Times far from all others; None if there are none.
      action: `data.gate.isolated_times.action`. A wrong latest time moves both cuts, so that `warn` is an error here.
    """
    findings = Findings()
    if isolated is not None and action != "ignore":
        middle = isolated.middle_to - isolated.middle_from
        if latest - isolated.middle_to > middle:
            findings.errors.append(
                f"interactions: expected a latest time near the others (99.8% are from {text(isolated.middle_from)} to "
                f"{text(isolated.middle_to)}), since data.split counts its spans from it, got {text(latest)}; correct "
                "this row, or remove it with data.interactions.filter"
            )
            return findings
    length = splits.SPAN_SECONDS[split.span]
    covered = latest - splits.span_start(split.span, latest)
    # In a log of dates, all rows of a day have the time of midnight.
    if split.test_spans == 1 and 0 < covered < _SHORT * length and latest % _DAY:
        findings.warnings.append(
            f"interactions: the test split has only {covered / length:.0%} of a {split.span}, because the log ends at "
            f"{text(latest)}; end the log with the {split.span} (UTC), raise data.split.test_spans, or count in "
            "shorter spans, such as 24 of span: hour"
        )
    return findings


def text(time: int, unit: str = "") -> str:
    """Returns a time in UTC, such as `2024-06-01T00:00:00Z`, or the number itself.

    Args:
      time: Seconds since 1970, or an order number.
      unit: The unit of the log's timestamps; with `order` they are plain numbers.
    """
    if unit == ORDER:
        return str(time)
    try:
        return f"{datetime.datetime.fromtimestamp(time, datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        # The calendar has no such time.
        return f"second {time}"
