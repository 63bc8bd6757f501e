"""Which runs are asked for: by how they ended, when they were typed, and what their config said."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence

import yaml

from shortlist.errors import BadInputError
from shortlist.lineage.why import Outcome
from shortlist.runs.record import Record

_AGO = re.compile(r"(\d+)([dh])")
_UNITS = {"d": "days", "h": "hours"}


def matching(
    known: Sequence[Record],
    statuses: Sequence[str],
    since: datetime.datetime | None,
    where: Sequence[tuple[str, object]],
) -> list[Record]:
    """Returns the runs that fit everything that is asked, in the order that they have.

    Args:
      known: Runs.
      statuses: Any of these; all if empty.
      since: Typed then or later; a run whose id does not tell when is left out.
      where: Dotted name and value of settings, all of which must be so.
    """
    tests: list[Callable[[Record], bool]] = []
    if statuses:
        tests.append(lambda record: record.status in statuses)
    if since is not None:
        tests.append(lambda record: record.started is not None and record.started >= since)
    if where:
        tests.append(lambda record: _has(record, where))
    return [record for record in known if all(test(record) for test in tests)]


def _has(record: Record, where: Sequence[tuple[str, object]]) -> bool:
    config = record.config()
    return all(name in config and config[name] == value for name, value in where)


def read_statuses(texts: Sequence[str]) -> list[str]:
    """Returns the statuses as they were typed.

    Raises:
      BadInputError: One is none.
    """
    known = [outcome.value for outcome in Outcome]
    for text in texts:
        if text not in known:
            raise BadInputError(f"--status {text!r}: expected one of {', '.join(known)}")
    return list(texts)


def read_since(text: str, now: datetime.datetime) -> datetime.datetime:
    """Returns the moment that `2026-11-01`, `2026-11-01T12:00`, `7d` or `12h` means; UTC unless it says another zone.

    Raises:
      BadInputError: It is none of these.
    """
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return now - datetime.timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        found = datetime.datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise BadInputError(
            f"{text!r}: expected a date (2026-11-01), a time (2026-11-01T12:00) or how long ago (7d, 12h)"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)


def read_where(texts: Sequence[str]) -> list[tuple[str, object]]:
    """Returns name and value of `train.seed=2`; the value is YAML, as in a config.

    Raises:
      BadInputError: There is no name or no value.
    """
    found = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise BadInputError(f"--where {text!r}: expected KEY=VALUE as in `run --set`, say train.seed=2")
        try:
            found.append((name, yaml.safe_load(value)))
        except yaml.YAMLError:
            raise BadInputError(f"--where {text!r}: expected a value as YAML has it, say train.seed=2") from None
    return found
