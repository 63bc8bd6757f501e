"""Results of a hyperparameter search, and the config with the values of its winner."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping

from tfx.utils import path_utils

from shortlist.config.config import Config
from shortlist.config.values import Value
from shortlist.config.values import with_values as _with_values
from shortlist.lineage.executions import Artifact
from shortlist.model_files import TRAINED_FILE, TRIALS_FILE
from shortlist.summary import Tuning


def tuning(results: Artifact | None, model: Artifact | None) -> Tuning | None:
    """Returns the trials of a search, with the values that the Trainer used.

    Args:
      results: The Tuner's output; None if no search was completed.
      model: The Trainer's output; None if no model was trained.
    """
    if results is None:
        return None
    search = Tuning(**json.loads(pathlib.Path(results.uri, TRIALS_FILE).read_text(encoding="utf-8")))
    if model is None:
        return search
    path = pathlib.Path(path_utils.serving_model_path(model.uri)) / TRAINED_FILE
    trained = json.loads(path.read_text(encoding="utf-8"))["config"]
    return search.model_copy(update={"used": {name: _at(trained, name) for name in search.winner.values}})


def with_values(config: Config, values: Mapping[str, Value]) -> Config:
    """Returns a config with the given values of model and train, and with the search disabled."""
    changed = _with_values({"model": config.model, "train": config.train}, values)
    return config.model_copy(update={**changed, "tune": config.tune.model_copy(update={"enabled": False})})


def _at(sections: dict[str, object], name: str) -> Value:
    found: object = sections
    for part in name.split("."):
        assert isinstance(found, dict)
        found = found[part]
    assert isinstance(found, bool | int | float | str)
    return found
