"""Training settings of a first config, by the size of the data."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

# Largest catalogue for loss corpus; larger ones are trained with sampled negatives.
MAX_CORPUS_LOSS = 20_000

# The presets train MovieLens 100K for 24 epochs, MovieLens 1M for 16 and Online Retail's 400,000 rows for 12.
_EPOCHS, _ROWS = 24, 100_000
_MIN_EPOCHS, _MAX_EPOCHS = 12, 80
_SPARSE = 20
"""Rows per candidate; MovieLens 100K has 60, Online Retail 110."""

_EVALUATIONS = 12
_PATIENCE = 4
# Windows per batch.
_CORPUS_BATCH = 16
_SAMPLED_TARGETS = 2048
"""Targets per batch with loss sampled, about: all of them share the negatives."""
_MIN_SAMPLED_BATCH, _MAX_SAMPLED_BATCH = 16, 512


@dataclasses.dataclass(frozen=True)
class Size:
    """Size of a log and its catalogue, in part estimated if they were not read to their ends."""

    queries: int
    candidates: int
    rows: int

    @property
    def is_large_catalogue(self) -> bool:
        """Whether there are too many candidates for loss corpus."""
        return self.candidates > MAX_CORPUS_LOSS


def query_tower_section(size: Size) -> dict[str, Any]:
    """Returns the history tower: with few rows per candidate, more targets are predicted from an empty history.

    Otherwise a new user's answer barely passes the gate on an empty history (docs/figures.md).
    """
    section: dict[str, Any] = {"kind": "history"}
    if size.rows < _SPARSE * size.candidates:
        section["cold_start_fraction"] = 0.1
    return section


def train_section(size: Size) -> dict[str, Any]:
    """Returns the `train` section: enough steps for a small log, and as few epochs as a large one needs."""
    section: dict[str, Any] = {"loss": {"kind": "corpus"}}
    if size.is_large_catalogue:
        section["loss"] = {"kind": "sampled"}
    epochs = round(_EPOCHS * math.sqrt(_ROWS / max(size.rows, 1)))
    epochs = min(max(epochs, _MIN_EPOCHS), _MAX_EPOCHS)
    section |= {
        "epochs": epochs,
        "eval_every_epochs": max(epochs // _EVALUATIONS, 1),
        "patience": _PATIENCE,
        "batch_size": _sampled_batch(size) if size.is_large_catalogue else _CORPUS_BATCH,
        "learning_rate": 0.002,
    }
    return section


def _sampled_batch(size: Size) -> int:
    """Returns the power of two of windows that have about `_SAMPLED_TARGETS` targets; a query is about one window."""
    windows = 2 ** round(math.log2(max(_SAMPLED_TARGETS * size.queries / max(size.rows, 1), 1.0)))
    return int(min(max(windows, _MIN_SAMPLED_BATCH), _MAX_SAMPLED_BATCH))
