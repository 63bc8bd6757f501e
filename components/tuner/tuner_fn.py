"""What TFX's Tuner calls: a search whose trials train as the Trainer does, for few epochs."""

from __future__ import annotations

import dataclasses
import functools
import gc
import os
from collections.abc import Callable, Mapping

from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from components.trainer import checkpoints, run_fn, training
from components.trainer.bundle import Inputs, ModelBundle, files_of
from components.trainer.settings import Settings
from components.tuner.search import Search, TrialResult
from shortlist.config import space
from shortlist.config.tune import Tune
from shortlist.config.values import RefusedValue, Value
from shortlist.errors import ConfigError

TUNE = "tune"
"""Key of the config's section in custom_config, beside those of `Settings.to_json()`."""
_CHECKPOINTS = "checkpoints"


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Returns the search.

    Args:
      fn_args: TFX's arguments; `custom_config` as `run_fn.read` needs it, with the section `tune`. The search keeps
        what it has done in `working_dir`.
    """
    config = fn_args.custom_config
    settings = Settings.from_json(config)
    tune = Tune.model_validate(config[TUNE])
    inputs = Inputs(
        files_of([config[run_fn.CANDIDATES]]), config[run_fn.CANDIDATE_TRANSFORM], fn_args.transform_graph_path
    )
    files = training.Files(train=files_of(fn_args.train_files), eval=files_of(fn_args.eval_files))
    return TunerFnResult(
        tuner=Search(
            functools.partial(train_trial, settings, tune.epochs, inputs, files),
            space.settings(tune, settings.sections),
            tune,
            settings.train.seed,
            fn_args.working_dir,
        ),
        fit_kwargs={},
    )


def train_trial(
    settings: Settings,
    epochs: int,
    inputs: Inputs,
    files: training.Files,
    values: Mapping[str, Value],
    folder: str,
    time_is_up: Callable[[], bool],
) -> TrialResult:
    """Trains one set of values on train and ranks eval after every epoch.

    Args:
      settings: The config's own.
      epochs: Most of them.
      inputs: Catalogue and transform graphs.
      files: Windows; there is no test split among them.
      values: What is other than in the config.
      folder: For checkpoints, which are removed at the end.
      time_is_up: Where it says so, training ends with its epoch.
    """
    try:
        tried = settings.with_values(values)
    except RefusedValue as error:
        # Of a range, only the ends were tried together before the search.
        raise ConfigError(str(error)) from error
    short = tried.train.model_copy(update={"epochs": epochs, "eval_every_epochs": 1})
    parts = ModelBundle.read(dataclasses.replace(tried, train=short), inputs)
    checkpoint_dir = os.path.join(folder, _CHECKPOINTS)
    history = training.fit(
        parts.model,
        parts.reader,
        files,
        parts.settings,
        num_targets=int(parts.corpus.counts.sum()),
        run_dir=folder,
        checkpoint_dir=checkpoint_dir,
        time_is_up=time_is_up,
    )
    checkpoints.remove(checkpoint_dir)
    del parts
    # A model and its graphs refer to each other in circles; the next trial needs the room.
    gc.collect()
    metrics = {name: history[f"best_{name}"] for name in (training.TOP_10, training.NDCG)}
    return TrialResult(metrics, history["epochs"], history["seconds"])
