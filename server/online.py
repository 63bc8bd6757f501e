"""Online metrics from the request log: hit rate by version and variant, and signs that a model is out of date."""

from __future__ import annotations

import array
import collections
import dataclasses
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

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
    groups: dict[tuple[str, str], _Requests] = collections.defaultdict(_Requests)
    for row in _rows(folder, "requests", _COLUMNS):
        groups[row["version"], row["variant"]].add(row, happened.get(row["request_id"], {}))
    if not groups:
        raise BadInputError.from_parts(folder, "a request log", "no requests", "`serve.log.folder` switches it on")
    newest = max(max(requests.times) for requests in groups.values())
    found = [
        _metrics(version, variant, requests, newest, _statistics(model, version))
        for (version, variant), requests in groups.items()
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


class _Requests:
    """The requests to one version in one variant, 33 bytes each: a log of 1 GB has millions."""

    def __init__(self) -> None:
        self.times, self.lengths, self.unknown, self.ages = (array.array("q") for _ in range(4))
        self.hits_within_a_day = bytearray()
        self.hits = self.fallbacks = self.short_answers = 0

    def add(self, row: Mapping[str, Any], happened: Mapping[str, int]) -> None:
        """Adds a row of the log, with the time of the first event by candidate."""
        times = [happened[item] for item in row["ids"] if item in happened]
        self.hits += bool(times)
        self.hits_within_a_day.append(any(time < row["time"] + _SECONDS_PER_DAY for time in times))
        self.fallbacks += row["fallback"] is not None
        self.short_answers += len(row["ids"]) < row["k"]
        self.times.append(row["time"])
        self.lengths.append(row["history_length"])
        self.unknown.append(row["unknown_ids"])
        if row["newest_age"] is not None:
            self.ages.append(row["newest_age"])

    def days(self) -> list[retraining.Day]:
        """Returns the items of the histories by day."""
        days, places = np.unique(np.array(self.times) // _SECONDS_PER_DAY, return_inverse=True)
        # Sums in 64 bits: whole numbers are exact up to 2**53.
        items, unknown = (np.bincount(places, np.array(column)) for column in (self.lengths, self.unknown))
        return [retraining.Day(*map(int, day)) for day in zip(days, items, unknown, strict=True)]

    def halves(self, before: int) -> tuple[retraining.Half, retraining.Half]:
        """Returns the two halves of the requests before a time: later ones had no full day for an outcome."""
        times = np.array(self.times)
        is_old = times <= before
        # By time alone: among requests of one second, those without a hit are not the earlier ones.
        hits = np.array(self.hits_within_a_day, bool)[is_old][np.argsort(times[is_old], kind="stable")]
        first, second = (
            retraining.Half(len(half), int(half.sum())) for half in (hits[: len(hits) // 2], hits[len(hits) // 2 :])
        )
        return first, second


def _metrics(
    version: str, variant: str, requests: _Requests, newest: int, measured: MeasuredHistories | None
) -> VariantMetrics:
    return VariantMetrics(
        version=version,
        variant=variant,
        requests=len(requests.times),
        hits=requests.hits,
        fallbacks=requests.fallbacks,
        short_answers=requests.short_answers,
        observed=retraining.Observed(
            requests.days(),
            requests.halves(newest - _SECONDS_PER_DAY),
            Quantiles.of(requests.lengths),
            Quantiles.of(requests.ages),
        ),
        measured=measured,
    )


def _rows(folder: pathlib.Path, kind: str, columns: list[str]) -> Iterable[Mapping[str, Any]]:
    for _, table in request_log.tables(folder, kind, columns):
        yield from table.to_pylist()
