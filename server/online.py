"""Online metrics from the request log: hit rate by version and variant, and signs that a model is out of date."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import statistics
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).

from server import request_log
from server.model import number_of
from shortlist.errors import BadInputError
from shortlist.metrics import intervals

MAX_UNKNOWN_SHARE = 0.05
"""Share of the histories' items that the model does not know, from which on a new training is advised."""

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
    unknown_share: float
    """Share of the histories' items that the model does not know."""
    median_history: float
    """Median length of the histories."""
    median_age: float | None
    """Median age of a history's newest item in seconds; None without times."""

    @property
    def hit_rate(self) -> float:
        """Share of the requests with a hit."""
        return self.hits / self.requests

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the hit rate; requests are assumed to be independent."""
        return intervals.wilson(self.hit_rate, self.requests)

    @property
    def is_out_of_date(self) -> bool:
        """Whether a new training is advised."""
        return self.unknown_share > MAX_UNKNOWN_SHARE

    def as_json(self) -> dict[str, Any]:
        """Returns the metrics for programs."""
        own = dataclasses.asdict(self)
        return own | {"hit_rate": self.hit_rate, "interval": self.interval, "is_out_of_date": self.is_out_of_date}


def measure(folder: pathlib.Path, events: Iterable[str] = ()) -> list[VariantMetrics]:
    """Returns the metrics of a log, the newest version first.

    Args:
      folder: Folder of the log.
      events: Events of outcomes that count as a hit; by default all.

    Raises:
      BadInputError: The folder has no requests, or a damaged file.
    """
    happened = _happened(folder, set(events))
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = collections.defaultdict(list)
    for row in _rows(folder, "requests", _COLUMNS):
        groups[row["version"], row["variant"]].append(_measured(row, happened))
    if not groups:
        raise BadInputError.from_parts(folder, "a request log", "no requests", "`serve.log.folder` switches it on")
    found = [_metrics(version, variant, rows) for (version, variant), rows in groups.items()]
    return sorted(found, key=lambda metrics: (-number_of(metrics.version), metrics.variant))


def _happened(folder: pathlib.Path, events: set[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = collections.defaultdict(set)
    for row in _rows(folder, "outcomes", ["request_id", "id", "event"]):
        if not events or row["event"] in events:
            found[row["request_id"]].add(row["id"])
    return found


def _measured(row: Mapping[str, Any], happened: Mapping[str, set[str]]) -> dict[str, Any]:
    return {
        "hit": not happened.get(row["request_id"], set()).isdisjoint(row["ids"]),
        "short": len(row["ids"]) < row["k"],
        **{name: row[name] for name in ("fallback", "history_length", "unknown_ids", "newest_age")},
    }


def _metrics(version: str, variant: str, rows: list[Mapping[str, Any]]) -> VariantMetrics:
    items = sum(row["history_length"] for row in rows)
    ages = [row["newest_age"] for row in rows if row["newest_age"] is not None]
    return VariantMetrics(
        version=version,
        variant=variant,
        requests=len(rows),
        hits=sum(row["hit"] for row in rows),
        fallbacks=sum(row["fallback"] is not None for row in rows),
        short_answers=sum(row["short"] for row in rows),
        unknown_share=sum(row["unknown_ids"] for row in rows) / items if items else 0.0,
        median_history=statistics.median(row["history_length"] for row in rows),
        median_age=statistics.median(ages) if ages else None,
    )


def _rows(folder: pathlib.Path, kind: str, columns: list[str]) -> Iterable[Mapping[str, Any]]:
    for path in request_log.files(folder, kind):
        try:
            yield from pq.read_table(path, columns=columns).to_pylist()
        except FileNotFoundError:
            # The server has deleted it because of its age.
            continue
        except (OSError, pa.ArrowException) as error:
            raise BadInputError.from_reason(path, "a file of a request log", str(error).split("\n")[0]) from None
