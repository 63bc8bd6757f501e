"""Names of the files that Shortlist adds to a SavedModel."""

from __future__ import annotations

TRAINED_FILE = "assets.extra/shortlist.json"
"""Written by the Trainer, carried along by the Indexer: what the model was trained on and how it went."""

TRIALS_FILE = "trials.json"
"""Written by the Tuner beside TFX's own table: what `shortlist.summary.Tuning` says, but for `used`."""

SAVED_MODEL_FOLDER = "Format-Serving"
"""Where in a Model artifact TFX keeps its SavedModel."""

INDEX_FILE = "assets.extra/index.json"
"""Written by the Indexer: what the index is and what was measured of it."""

TOWERS_DIR = "Format-Towers"
"""Folder beside the Trainer's SavedModel: the towers without their catalogue, which is what another catalogue can be
embedded by."""
