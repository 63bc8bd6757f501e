"""Online metrics from the request log: hit rate by version and variant, and signs that a model is out of date."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).

from server import request_log, retraining
from server.model import number_of
from shortlist.errors import BadInputError
from shortlist.metrics import intervals
from shortlist.serving.measured_histories import MeasuredHistories, Quantiles

_SECONDS_PER_DAY = 86_400
_COLUMNS = [name for name in request_log.REQUESTS.names if name not in ("scores", "rules", "query")]


@dataclasses.dataclass(frozen=True)
class VariantMetrics:
    """One version in one variant."""

    version: str
    variant: str
    requests: int
    hits: int
    """Requests after which something happened to one of the returned candidates."""
    fallbacks: int
    """Requests answered with the popularity list."""
    short_answers: int
    """Requests with fewer candidates than asked for."""
    observed: retraining.Observed
    measured: MeasuredHistories | None = None
    """The histories that the version was measured on; None if they are not known."""

    @property
    def unknown_share(self) -> float:
        """Share of the histories' items that the model does not know."""
        return self.observed.unknown_share

    @property
    def advice(self) -> retraining.Advice:
        """When to train again."""
        return retraining.advise(self.observed, self.measured)

    @property
    def hit_rate(self) -> float:
        """Share of the requests with a hit."""
        return self.hits / self.requests

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the hit rate; requests are assumed to be independent."""
        return intervals.wilson(self.hit_rate, self.requests)

    def as_json(self) -> dict[str, Any]:
        """Returns the metrics for programs."""
        own = dataclasses.asdict(self)
        del own["observed"], own["measured"]
        lengths, ages, measured = self.observed.lengths, self.observed.ages, self.measured
        return own | {
            "hit_rate": self.hit_rate,
            "interval": self.interval,
            "unknown_share": self.unknown_share,
            "history_length": _json_of(lengths),
            "newest_age": _json_of(ages),
            "measured_history_length": _json_of(None if measured is None else measured.history_length),
            "measured_newest_age": _json_of(None if measured is None else measured.newest_age),
            "train_again": self.advice.is_due,
            "advice": self.advice.sentence,
        }


def _json_of(quantiles: Quantiles | None) -> dict[str, float] | None:
    return None if quantiles is None else dataclasses.asdict(quantiles)


def measure(
    folder: pathlib.Path, events: Iterable[str] = (), model: pathlib.Path | None = None
) -> list[VariantMetrics]:
    """Returns the metrics of a log, the newest version first.

    Args:
      folder: Folder of the log.
      events: Events of outcomes that count as a hit; by default all.
      model: Folder of the versions, or of one version, whose statistics are put beside; None for none.

    Raises:
      BadInputError: The folder has no requests, or a damaged file.
    """
    happened = _happened(folder, set(events))
    groups: dict[tuple[str, str], list[dict[str, Any]]] = collections.defaultdict(list)
    for row in _rows(folder, "requests", _COLUMNS):
        groups[row["version"], row["variant"]].append(_measured(row, happened))
    if not groups:
        raise BadInputError.from_parts(folder, "a request log", "no requests", "`serve.log.folder` switches it on")
    newest = max(row["time"] for rows in groups.values() for row in rows)
    found = [
        _metrics(version, variant, rows, newest, _statistics(model, version))
        for (version, variant), rows in groups.items()
    ]
    return sorted(found, key=lambda metrics: (-number_of(metrics.version), metrics.variant))


def _statistics(model: pathlib.Path | None, version: str) -> MeasuredHistories | None:
    if model is None:
        return None
    return MeasuredHistories.of_version(model if model.name == version else model / version)


def _happened(folder: pathlib.Path, events: set[str]) -> dict[str, dict[str, int]]:
    """Returns the time of the first event by request and candidate."""
    found: dict[str, dict[str, int]] = collections.defaultdict(dict)
    for row in _rows(folder, "outcomes", ["time", "request_id", "id", "event"]):
        if not events or row["event"] in events:
            times = found[row["request_id"]]
            times[row["id"]] = min(row["time"], times.get(row["id"], row["time"]))
    return found


def _measured(row: Mapping[str, Any], happened: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    of_request = happened.get(row["request_id"], {})
    times = [of_request[item] for item in row["ids"] if item in of_request]
    return {
        "hit": bool(times),
        "hit_within_a_day": any(time < row["time"] + _SECONDS_PER_DAY for time in times),
        "short": len(row["ids"]) < row["k"],
        **{name: row[name] for name in ("time", "fallback", "history_length", "unknown_ids", "newest_age")},
    }


def _metrics(
    version: str, variant: str, rows: list[dict[str, Any]], newest: int, measured: MeasuredHistories | None
) -> VariantMetrics:
    return VariantMetrics(
        version=version,
        variant=variant,
        requests=len(rows),
        hits=sum(row["hit"] for row in rows),
        fallbacks=sum(row["fallback"] is not None for row in rows),
        short_answers=sum(row["short"] for row in rows),
        observed=retraining.Observed(
            _days(rows),
            _halves(rows, newest - _SECONDS_PER_DAY),
            Quantiles.of([row["history_length"] for row in rows]),
            Quantiles.of([row["newest_age"] for row in rows if row["newest_age"] is not None]),
        ),
        measured=measured,
    )


def _days(rows: Iterable[Mapping[str, Any]]) -> list[retraining.Day]:
    counts: dict[int, list[int]] = collections.defaultdict(lambda: [0, 0])
    for row in rows:
        day = counts[row["time"] // _SECONDS_PER_DAY]
        day[0] += row["history_length"]
        day[1] += row["unknown_ids"]
    return [retraining.Day(day, items, unknown) for day, (items, unknown) in sorted(counts.items())]


def _halves(rows: Iterable[Mapping[str, Any]], before: int) -> tuple[retraining.Half, retraining.Half]:
    """Returns the two halves of the requests before a time: later ones had no full day for an outcome."""
    old = sorted((row["time"], row["hit_within_a_day"]) for row in rows if row["time"] <= before)
    middle = len(old) // 2
    first, second = (
        retraining.Half(len(half), sum(is_hit for _, is_hit in half)) for half in (old[:middle], old[middle:])
    )
    return first, second


def _rows(folder: pathlib.Path, kind: str, columns: list[str]) -> Iterable[Mapping[str, Any]]:
    for path in request_log.files(folder, kind):
        try:
            yield from pq.read_table(path, columns=columns).to_pylist()
        except FileNotFoundError:
            # The server has deleted it because of its age.
            continue
        except (OSError, pa.ArrowException) as error:
            raise BadInputError.from_reason(path, "a file of a request log", str(error).split("\n")[0]) from None
