"""Executions and their artifacts, as ML Metadata has them."""

from __future__ import annotations

import dataclasses
import datetime

Value = str | int | float


@dataclasses.dataclass(frozen=True)
class Artifact:
    """One artifact: a folder that a node wrote, with its properties."""

    id: int
    type: str
    uri: str
    properties: dict[str, Value]
    live: bool = True
    """Whether it is finished; an output that a killed node announced is not."""
    deleted: bool = False
    """Whether `shortlist runs prune` deleted its files, or a run found them damaged."""


@dataclasses.dataclass(frozen=True)
class Execution:
    """One execution of one node."""

    id: int
    node: str
    run_id: str
    state: str
    started: datetime.datetime
    seconds: float
    properties: dict[str, Value]
    inputs: dict[str, list[Artifact]]
    outputs: dict[str, list[Artifact]]

    @property
    def ended(self) -> datetime.datetime:
        """Time of its last update in ML Metadata."""
        return self.started + datetime.timedelta(seconds=self.seconds)

    @property
    def unfinished(self) -> bool:
        """Whether it has no recorded end: it is running, or its process died."""
        return self.state in ("NEW", "RUNNING")

    def output(self, key: str) -> Artifact | None:
        """Returns the artifact of an output with one artifact; None if there is none."""
        return next(iter(self.outputs.get(key, [])), None)


def output_of(execution: Execution | None, key: str) -> Artifact | None:
    """Returns the artifact of an output; None if the execution or the artifact is absent."""
    return execution.output(key) if execution else None
