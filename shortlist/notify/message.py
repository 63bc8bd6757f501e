"""The message on a run, in JSON. Frozen: see `SCHEMA_VERSION`."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple

import pydantic

from shortlist.metrics import names
from shortlist.records import nodes
from shortlist.sanitize import plain
from shortlist.summary import Kind, Status, Summary
from shortlist.verdicts import headline, hit_rate, short_share

SCHEMA_VERSION = 1
_MOST_CHARACTERS = 1_000


class Ending(str, enum.Enum):
    """How a run ended, as a message says it."""

    PUSHED = "pushed"
    UNCHANGED = "unchanged"
    """The same data, config and code as in an earlier run, whose version is still there."""
    NOT_BLESSED = "not_blessed"
    INDEX_REJECTED = "index_rejected"
    CHECK_FAILED = "check_failed"
    REFUSED = "refused"
    """The data or the config was refused."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    SUCCEEDED = "succeeded"
    """A run on Kubeflow without `kubeflow.metadata`, which would say whether it pushed a model."""


class Message(pydantic.BaseModel):
    """The ending of one run."""

    model_config = pydantic.ConfigDict(extra="forbid", use_attribute_docstrings=True, frozen=True)

    schema_version: int = SCHEMA_VERSION
    text: str
    """All of it in one line for people, such as a chat shows."""
    pipeline: str
    run_id: str | None = None
    """Null if the run was refused before it had an id."""
    kind: Kind = Kind.RUN
    status: Ending
    reason: str = ""
    """Why nothing was pushed; empty if something was."""
    metric: str
    """Name of the hit rate that the gates compare: `HR@10`."""
    value: float | None = None
    """The hit rate of this run's model; null if it was not measured."""
    previous: float | None = None
    """The hit rate of the latest blessed model on the same test rows; null if there was no comparison."""
    most_popular: float | None = None
    """The hit rate of "most popular" on the same test rows."""
    version: int | None = None
    """The pushed version, or for `unchanged` the one of the earlier run."""
    report: str | None = None
    """Path of the run's HTML report, or the address of a run on Kubeflow; null if there is none."""
    log: str | None = None
    """Path of the run's log."""


class Files(NamedTuple):
    """Where people find a run's report and log; null where there is none."""

    report: str | None = None
    log: str | None = None


NO_FILES = Files()


class Figures(NamedTuple):
    """The hit rate that the gates compare; null where it was not measured."""

    metric: str
    value: float | None = None
    previous: float | None = None
    most_popular: float | None = None


class Run(NamedTuple):
    """Names of a run."""

    pipeline: str
    run_id: str | None
    kind: Kind = Kind.RUN


def figures(
    k: int,
    with_seen: bool,
    own: Mapping[str, float],
    popularity: Mapping[str, float],
    previous: Mapping[str, float] | None,
) -> Figures:
    """Returns the hit rates at `k` among metrics under the model's names.

    Args:
      k: The config's `evaluate.gate_k`.
      with_seen: Whether the gates compare the hit rate with seen items.
      own: Metrics of the model.
      popularity: Those of "most popular".
      previous: Those of the latest blessed model; None without a comparison.
    """
    name = names.top_k(k, with_seen=with_seen)
    before = previous.get(name) if previous else None
    return Figures(hit_rate(name), own.get(name), before, popularity.get(name))


def make(
    run: Run, ending: Ending, reason: str, measured: Figures, files: Files = NO_FILES, version: int | None = None
) -> Message:
    """Returns a message, with its sentence for people.

    Args:
      run: Names of the run.
      ending: How it ended.
      reason: Why nothing was pushed; empty if something was.
      measured: The hit rates.
      files: Where its report and log are.
      version: The pushed version.
    """
    message = Message(
        text="",
        pipeline=run.pipeline,
        run_id=run.run_id,
        kind=run.kind,
        status=ending,
        reason=reason if len(reason) <= _MOST_CHARACTERS else f"{reason[:_MOST_CHARACTERS]}...",
        **measured._asdict(),
        version=version,
        **files._asdict(),
    )
    return message.model_copy(update={"text": _text(message)})


def of_summary(summary: Summary, gate_k: int, files: Files, *, interrupted: bool = False) -> Message:
    """Returns the message on a run that wrote a summary.

    Args:
      summary: The summary.
      gate_k: The config's `evaluate.gate_k`.
      files: The run's files.
      interrupted: Whether the run was stopped from outside.
    """
    baselines = summary.baselines
    measured = figures(
        gate_k,
        summary.protocol is not None and not summary.protocol.exclude_seen,
        summary.metrics.overall if summary.metrics else {},
        baselines.popularity if baselines else {},
        baselines.latest_blessed if baselines else None,
    )
    return make(
        Run(summary.pipeline, summary.run_id, summary.kind),
        Ending.INTERRUPTED if interrupted else _ending(summary),
        "; ".join(summary.reasons),
        measured,
        files,
        summary.pushed.version if summary.pushed else None,
    )


def _ending(summary: Summary) -> Ending:
    if summary.status is Status.PUSHED and nodes.PUSHER in summary.cached:
        return Ending.UNCHANGED
    return Ending(summary.status.value)


def _text(message: Message) -> str:
    outcome = str(headline("pushed" if message.status is Ending.PUSHED else message.status.value, message.version))
    if message.status is Ending.UNCHANGED:
        outcome = f"UNCHANGED   version {message.version}"
    if message.status is Ending.INTERRUPTED:
        outcome = "INTERRUPTED   nothing pushed"
    parts = [f"{message.pipeline}: {' '.join(outcome.split())}"]
    if message.value is not None:
        figures = f"{message.metric} {short_share(message.value)}"
        if message.previous is not None:
            figures += f", previous model {short_share(message.previous)}"
        parts.append(figures)
    if message.reason:
        parts.append(message.reason)
    return plain("; ".join(parts))
