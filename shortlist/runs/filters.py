"""Filters of runs: by status, start time and config values."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence

from shortlist.config import plain_yaml
from shortlist.errors import BadInputError
from shortlist.lineage.why import Outcome
from shortlist.runs.record import Record

_RELATIVE_TIME = re.compile(r"(\d+)([dh])")
_UNITS = {"d": "days", "h": "hours"}


def matching(
    runs: Sequence[Record],
    statuses: Sequence[str],
    since: datetime.datetime | None,
    where: Sequence[tuple[str, object]],
) -> list[Record]:
    """Returns the runs that fulfil all conditions, in the given order.

    Args:
      runs: Runs to filter.
      statuses: Allowed statuses; all are allowed if empty.
      since: Earliest start time. A run whose id has no time is left out.
      where: Dotted names and values of settings that all must be equal.
    """
    tests: list[Callable[[Record], bool]] = []
    if statuses:
        tests.append(lambda record: record.status in statuses)
    if since is not None:
        tests.append(lambda record: record.started is not None and record.started >= since)
    if where:
        tests.append(lambda record: _has(record, where))
    return [record for record in runs if all(test(record) for test in tests)]


def _has(record: Record, where: Sequence[tuple[str, object]]) -> bool:
    config = record.config()
    return all(name in config and config[name] == value for name, value in where)


def read_statuses(texts: Sequence[str]) -> list[str]:
    """Checks and returns statuses.

    Raises:
      BadInputError: A status is unknown.
    """
    known = [outcome.value for outcome in Outcome]
    for text in texts:
        if text not in known:
            raise BadInputError(f"--status {text!r}: expected one of {', '.join(known)}")
    return list(texts)


def read_since(text: str, now: datetime.datetime) -> datetime.datetime:
    """Returns the time of `2026-11-01`, `2026-11-01T12:00`, `7d` or `12h`; the default time zone is UTC.

    Raises:
      BadInputError: The text has another format.
    """
    relative = _RELATIVE_TIME.fullmatch(text)
    try:
        if relative:
            return now - datetime.timedelta(**{_UNITS[relative[2]]: int(relative[1])})
        time = datetime.datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise BadInputError(
            f"{text!r}: expected a date (2026-11-01), a time (2026-11-01T12:00) or a time span before now (7d, 12h)"
        ) from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=datetime.timezone.utc)
    return time


def read_where(texts: Sequence[str]) -> list[tuple[str, object]]:
    """Returns names and values of texts like `train.seed=2`; the value is YAML, as in a config.

    Raises:
      BadInputError: A text has no name or no valid value.
    """
    settings = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise BadInputError(f"--where {text!r}: expected KEY=VALUE as in `run --set`, for example train.seed=2")
        try:
            settings.append((name, plain_yaml.parse(value)))
        except plain_yaml.NotPlainYaml as error:
            raise BadInputError(f"--where {text!r}: the value is not plain YAML: {error}") from None
    return settings
