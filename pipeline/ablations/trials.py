"""One recipe with one seed: trained and ranked by the Trainer's own core, or found in the cache.

A cell's key covers the settings, the seed, the bytes of all that is read and the code, so that a changed recipe runs
again and every other is found. A cell that is cut short goes on from its last checkpoint.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import pathlib
from typing import Any

import numpy as np

from components.trainer import checkpoints, dataset, training
from components.trainer.bundle import ModelBundle
from components.trainer.settings import Settings
from pipeline.ablations.windows import RecordedWindows
from shortlist import fingerprints

_CELL = "cell.json"
_CHECKPOINTS = "checkpoints"


@dataclasses.dataclass(frozen=True)
class AblationTrial:
    """What came of one recipe with one seed."""

    ranks: np.ndarray
    """int64 [rows], seen items excluded."""
    epochs: int
    best_epoch: int
    seconds: float
    """Of training."""


class TrialCache:
    """The cells of a workspace."""

    def __init__(self, folder: pathlib.Path, windows: RecordedWindows, split: str) -> None:
        """Reads all that recipes will be trained on once, for its fingerprint.

        Args:
          folder: Where cells are kept.
          windows: The rows.
          split: eval or test.
        """
        self._folder = folder
        self._windows = windows
        self._split = split
        code = fingerprints.code_sha256(__name__)
        self._stands_on = checkpoints.identity(json.dumps([code, split]), windows.all_files)

    def find(self, settings: Settings) -> AblationTrial | None:
        """Returns a cell that was run before, None if it was not."""
        try:
            told = json.loads((self._cell_folder(settings) / _CELL).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return AblationTrial(**{**told, "ranks": np.array(told["ranks"], np.int64)})

    def run(self, settings: Settings) -> AblationTrial:
        """Trains a recipe, ranks the split and keeps the cell.

        Raises:
          ConfigError: The recipe does not fit into memory.
        """
        folder = self._cell_folder(settings)
        checkpoint_dir = os.path.join(folder, _CHECKPOINTS)
        parts = ModelBundle.read(settings, self._windows.inputs)
        history = training.fit(
            parts.model,
            parts.reader,
            training.Files(train=self._windows.files["train"], eval=self._windows.files["eval"]),
            settings,
            num_targets=int(parts.corpus.counts.sum()),
            run_dir=str(folder),
            checkpoint_dir=checkpoint_dir,
        )
        rows = dataset.eval_batches(parts.reader, self._windows.files[self._split])
        ranks = training.Ranker(parts.model, rows).ranks()
        cell = AblationTrial(ranks, history["epochs"], history["best_epoch"], history["seconds"])
        self._keep(folder, cell, settings)
        checkpoints.remove(checkpoint_dir)
        del parts
        # A model and its graphs refer to each other in circles; the next cell needs the room.
        gc.collect()
        return cell

    def _cell_folder(self, settings: Settings) -> pathlib.Path:
        return self._folder / checkpoints.identity(json.dumps([settings.to_json(), self._stands_on]), [])

    def _keep(self, folder: pathlib.Path, cell: AblationTrial, settings: Settings) -> None:
        told: dict[str, Any] = {**dataclasses.asdict(cell), "ranks": cell.ranks.tolist()}
        part = folder / f".{_CELL}.part"
        part.write_text(json.dumps(told), encoding="utf-8")
        (folder / "settings.json").write_text(json.dumps(settings.to_json(), indent=1), encoding="utf-8")
        os.replace(part, folder / _CELL)
