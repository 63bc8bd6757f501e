"""Trials: one recipe with one seed each, trained and ranked by the Trainer's own core, or found in the cache.

A trial's key covers the settings, the seed, the content of all input files and the code. A changed recipe therefore
runs again, and all others come from the cache. An interrupted trial continues from its last checkpoint.
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
from components.trainer.ranker import Ranker
from components.trainer.settings import Settings
from pipeline.ablations.windows import RecordedWindows
from shortlist import fingerprints

# Kept from when trials were called cells: caches of earlier versions have this name.
_TRIAL_FILE = "cell.json"
_CHECKPOINTS = "checkpoints"


@dataclasses.dataclass(frozen=True)
class AblationTrial:
    """Result of one recipe with one seed."""

    ranks: np.ndarray
    """int64 [rows], seen items excluded."""
    epochs: int
    best_epoch: int
    seconds: float
    """Seconds of training."""


class TrialCache:
    """The trials of a workspace, in a folder each."""

    def __init__(self, folder: pathlib.Path, windows: RecordedWindows, split: str) -> None:
        """Reads all input files once for their fingerprint, which is part of every trial's key.

        Args:
          folder: Folder of the trials.
          windows: The rows to train on and to rank.
          split: Split to rank: eval or test.
        """
        self._folder = folder
        self._windows = windows
        self._split = split
        code = fingerprints.code_sha256(__name__)
        self._inputs_sha256 = checkpoints.identity(json.dumps([code, split]), windows.all_files)

    def find(self, settings: Settings) -> AblationTrial | None:
        """Returns the trial of some settings, None if it was not run yet."""
        try:
            recorded = json.loads((self._trial_folder(settings) / _TRIAL_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return AblationTrial(**{**recorded, "ranks": np.array(recorded["ranks"], np.int64)})

    def run(self, settings: Settings) -> AblationTrial:
        """Trains a recipe, ranks the split, and stores and returns the trial.

        Raises:
          ConfigError: The recipe does not fit into memory.
        """
        folder = self._trial_folder(settings)
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
        ranks = Ranker(parts.model, rows, settings.exclude_seen).ranks()
        trial = AblationTrial(ranks, history["epochs"], history["best_epoch"], history["seconds"])
        self._store(folder, trial, settings)
        checkpoints.remove(checkpoint_dir)
        del parts
        # A model and its graphs reference each other in cycles; the next trial needs the memory.
        gc.collect()
        return trial

    def _trial_folder(self, settings: Settings) -> pathlib.Path:
        return self._folder / checkpoints.identity(json.dumps([settings.to_json(), self._inputs_sha256]), [])

    def _store(self, folder: pathlib.Path, trial: AblationTrial, settings: Settings) -> None:
        record: dict[str, Any] = {**dataclasses.asdict(trial), "ranks": trial.ranks.tolist()}
        part = folder / f".{_TRIAL_FILE}.part"
        part.write_text(json.dumps(record), encoding="utf-8")
        (folder / "settings.json").write_text(json.dumps(settings.to_json(), indent=1), encoding="utf-8")
        os.replace(part, folder / _TRIAL_FILE)
