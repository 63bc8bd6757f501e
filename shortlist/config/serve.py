"""The section `serve`: the settings of `shortlist serve`. A server without a config reads the same keys from a file."""

from __future__ import annotations

from typing import Annotated

import pydantic

from shortlist.config.section import Line, Number, Section, Whole

LATEST = "latest"
"""In `serve.split`: the newest version."""


Share = Annotated[Whole, pydantic.Field(ge=0, le=1_000_000)]
"""A version's part of the queries, in relation to the sum of all."""


class ServeLimits(Section):
    """Sizes that a request must not exceed; each is refused with a status of 4xx, overload with 503."""

    max_body_bytes: Whole = pydantic.Field(1_000_000, ge=1_000, le=100_000_000)
    """Bytes of a request's body."""

    max_history: Whole = pydantic.Field(1_000, ge=1, le=100_000)
    """Items of a request's history."""

    max_exclude: Whole = pydantic.Field(1_000, ge=0, le=100_000)
    """Excluded ids of a request, without its history."""

    max_filter_values: Whole = pydantic.Field(100, ge=1, le=10_000)
    """Values of all filters of a request."""

    max_rows: Whole = pydantic.Field(128, ge=1, le=10_000)
    """Rows of a `predict` request."""

    max_concurrent: Whole = pydantic.Field(64, ge=1, le=10_000)
    """Requests at the same time. Any more are answered with 503."""

    body_seconds: Number = pydantic.Field(10.0, gt=0, le=600)
    """Seconds for a client to send its headers and body."""


class ServeBatching(Section):
    """Requests that arrive at the same time share one call of the model."""

    max_batch: Whole = pydantic.Field(32, ge=1, le=1_024)
    """Requests per call."""

    max_delay_ms: Number = pydantic.Field(1.0, ge=0, le=1_000)
    """Longest wait for the other clients of the last call. A request that is alone never waits."""


class ServeLog(Section):
    """The request log, from which `shortlist online` measures hit rates. Ids of queries are in it as HMACs."""

    folder: Line | None = None
    """Folder of the log's Parquet files; null for no log. SHORTLIST_LOG_KEY has the key of the HMACs."""

    sample: Number = pydantic.Field(1.0, gt=0, le=1)
    """Share of the requests in the log."""

    max_mb: Whole = pydantic.Field(1_024, ge=1, le=1_000_000)
    """Size of the folder, above which the oldest files are deleted."""

    max_age_days: Number = pydantic.Field(30.0, gt=0, le=3_650)
    """Age at which files are deleted."""

    flush_seconds: Number = pydantic.Field(10.0, gt=0, le=3_600)
    """Seconds between two files."""


class Serve(Section):
    """The server that answers requests with the pushed model."""

    batching: ServeBatching = ServeBatching()
    """Micro-batches."""

    limits: ServeLimits = ServeLimits()
    """Sizes that a request must not exceed."""

    log: ServeLog = ServeLog()
    """The request log."""

    poll_seconds: Number = pydantic.Field(2.0, ge=0.1, le=3_600)
    """Seconds between two looks for a new version."""

    drain_seconds: Number = pydantic.Field(5.0, ge=0, le=600)
    """Seconds after SIGTERM in which `/readyz` says no and requests are still answered."""

    max_age_days: Number | None = pydantic.Field(None, gt=0, le=36_500)
    """Age of the version from which on the server warns, in its log and its metrics; null for no warning."""

    split: dict[Line, Share] = pydantic.Field({}, max_length=8)
    """Shares of the queries by version, such as `{latest: 90, 1795000000: 10}`; by default all go to the newest. A
    query keeps its version."""

    attributes: Line | None = None
    """Parquet file with `candidate_id` and columns of attributes. They override those of the version, and are read
    again when the file changes."""

    histories: Line | None = None
    """Histories of known queries: a Parquet file with `query_id`, `candidate_id` and `timestamp`, one row per
    interaction, and columns for the features of interactions that the model reads. Or the folder of a run's windows,
    the output `examples` of the node Windows, whose newest window per query counts. By default `shortlist serve` with a
    config reads its log, if that has 64 MB at most, else the windows of the run that pushed the version."""

    queries: Line | None = None
    """Parquet file with the features of known queries: `query_id` and a column per feature. The server adds them to
    requests, whose own `context` counts first. By default `shortlist serve` with a config reads its queries table, if
    that has 64 MB at most; windows have the features, too."""

    histories_memory_mb: Whole = pydantic.Field(1_024, ge=1, le=1_000_000)
    """Size up to which histories, and up to which features of queries, are kept in memory; larger ones are put into a
    temporary sqlite file."""

    @pydantic.field_validator("split", mode="before")
    @classmethod
    def _read_split(cls, split: object) -> object:
        # YAML reads a version as a number.
        return {str(name): share for name, share in split.items()} if isinstance(split, dict) else split

    @pydantic.field_validator("split")
    @classmethod
    def _check_split(cls, split: dict[str, int]) -> dict[str, int]:
        for name in split:
            if name != LATEST and not (name.isascii() and name.isdigit()):
                raise ValueError(f"expected `{LATEST}` or the number of a version, got {name!r}")
        if split and not sum(split.values()):
            raise ValueError("expected a share above 0, got none")
        return split
