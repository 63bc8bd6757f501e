"""The training that several processes do together, and the part of each of them."""

from __future__ import annotations

from typing import Any, NamedTuple


class Job(NamedTuple):
    """A training, in JSON types; paths are the same in all processes."""

    settings: dict[str, Any]
    """`Settings.to_json()`."""
    train: list[str]
    """TFX's patterns of the train windows."""
    eval: list[str]
    """TFX's patterns of the eval windows."""
    candidates: str
    """TFX's pattern of the catalogue."""
    candidate_transform: str
    window_transform: str
    run_dir: str
    checkpoint_dir: str
    recipe: dict[str, Any] | None = None
    """For a refit: the steps of the measured model, see `training.refit`."""


class Task(NamedTuple):
    """The part of one process."""

    addresses: list[str]
    """See `Cluster`; empty for a process that trains alone, on several devices."""
    number: int
    """See `Cluster`."""
    seconds: float
    """See `rendezvous.lead`."""
    job: dict[str, Any] | None
    """The `Job`; None in a worker, which gets it from the chief."""
