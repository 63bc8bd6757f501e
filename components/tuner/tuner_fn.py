"""The `tuner_fn` of TFX's Tuner: a search whose trials train like the Trainer, for few epochs."""

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
from components.trainer.ranker import NDCG, TOP_10
from components.trainer.settings import Settings
from components.tuner.search import Search, TrialResult
from shortlist.config import space
from shortlist.config.tune import Tune
from shortlist.config.values import RefusedValue, Value
from shortlist.errors import ConfigError

TUNE = "tune"
"""Key of custom_config, in addition to those of `Settings.to_json()`: the config's section `tune`."""
_CHECKPOINTS = "checkpoints"


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Returns the search.

    Args:
      fn_args: TFX's arguments. `custom_config` is as for `run_fn.read`, with the section `tune` in addition. The
        search saves its trials in `working_dir`.
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
    """Trains one set of values on train and evaluates it on eval after every epoch.

    Args:
      settings: Settings of the config itself.
      epochs: Maximum number of epochs.
      inputs: Catalogue and transform graphs.
      files: Windows of train and eval, without the test split.
      values: New values for some of the settings, by dotted name.
      folder: Folder for logs and for checkpoints, which are removed at the end.
      time_is_up: Training ends after the epoch in which it returns True.

    Raises:
      ConfigError: The settings cannot have these values together.
    """
    try:
        trial_settings = settings.with_values(values)
    except RefusedValue as error:
        # Before the search, only the end points of ranges were checked against each other.
        raise ConfigError(str(error)) from error
    train = trial_settings.train.model_copy(update={"epochs": epochs, "eval_every_epochs": 1})
    bundle = ModelBundle.read(dataclasses.replace(trial_settings, train=train), inputs)
    checkpoint_dir = os.path.join(folder, _CHECKPOINTS)
    history = training.fit(
        bundle.model,
        bundle.reader,
        files,
        bundle.settings,
        num_targets=int(bundle.corpus.counts.sum()),
        run_dir=folder,
        checkpoint_dir=checkpoint_dir,
        time_is_up=time_is_up,
    )
    checkpoints.remove(checkpoint_dir)
    del bundle
    # A model and its graphs are in reference cycles; the next trial needs their memory.
    gc.collect()
    metrics = {name: history[f"best_{name}"] for name in (TOP_10, NDCG)}
    return TrialResult(metrics, history["epochs"], history["seconds"])
