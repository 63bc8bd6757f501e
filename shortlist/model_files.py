"""Names of the files that Shortlist adds to a SavedModel."""

from __future__ import annotations

import json
import os
import pathlib

TRAINED_FILE = "assets.extra/shortlist.json"
"""Written by the Trainer, copied by the Indexer: training data, settings and training log of the model."""

TRIALS_FILE = "trials.json"
"""Written by the Tuner beside TFX's own table: the fields of `shortlist.summary.Tuning`, without `used`."""

SAVED_MODEL_FOLDER = "Format-Serving"
"""TFX's folder for the SavedModel within a Model artifact."""

INDEX_FILE = "assets.extra/index.json"
"""Written by the Indexer: kind, parameters and measurements of the index."""

CANDIDATES_FILE = "assets.extra/candidates.parquet"
"""Written by the Indexer: id, title and attributes of each candidate, see `shortlist.serving.catalogue`."""

EVALUATION_FILE = "assets.extra/evaluation.json"
"""Written by the Indexer: metrics and verdict of the model, see `shortlist.serving.evaluation`."""

HISTORIES_FILE = "assets.extra/histories.json"
"""Written by the Indexer: the histories that it measured on, see `shortlist.serving.measured_histories`."""

TOWERS_DIR = "Format-Towers"
"""Folder beside the Trainer's SavedModel: the towers without their catalogue. They can embed another catalogue."""

WARM_START_DIR = "Format-WarmStart"
"""Folder beside the Trainer's SavedModel: names and vocabularies of its weights, and fingerprints of its train rows. A
later training needs them to begin from these weights."""

MANIFEST_FILE = "assets.extra/files.json"
"""Written by a push: size and SHA-256 of every file of the version."""


def interaction_features(model_dir: str | os.PathLike[str]) -> tuple[list[str], list[str]]:
    """Returns the names of the log's features that a model reads: those of the history, and those of the request.

    Both are sorted, and empty for a model that does not record its settings.
    """
    try:
        config = json.loads(pathlib.Path(model_dir, TRAINED_FILE).read_text(encoding="utf-8"))["config"]
        history = config["model"]["query_tower"].get("history_features", [])
        context = config["data"].get("interaction_features", {}).get("context", {})
    except (FileNotFoundError, KeyError):
        return [], []
    return sorted(history), sorted(context)


def uses_times(model_dir: str | os.PathLike[str]) -> bool:
    """Returns whether a model's answers depend on the time of the request; True for a model that does not record it."""
    try:
        model = json.loads(pathlib.Path(model_dir, TRAINED_FILE).read_text(encoding="utf-8"))["config"]["model"]
    except (FileNotFoundError, KeyError):
        return True
    return bool(model.get("query_time") or model.get("query_tower", {}).get("time_intervals"))


def temperature(model_dir: str | os.PathLike[str]) -> float:
    """Returns the temperature of a model's loss: scores divided by it are logits. 1 for a model without a record."""
    try:
        config = json.loads(pathlib.Path(model_dir, TRAINED_FILE).read_text(encoding="utf-8"))["config"]
        return float(config["train"]["loss"]["temperature"])
    except (FileNotFoundError, KeyError):
        return 1.0
