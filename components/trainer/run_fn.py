"""The `run_fn` of TFX's Trainer: reads the inputs, trains the towers and exports them."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

import numpy as np
from tfx.components.trainer.fn_args_utils import FnArgs

from components.trainer import checkpoints, export, portable, training, workers
from components.trainer.bundle import Inputs, ModelBundle, files_of
from components.trainer.job import Job
from components.trainer.losses import make_loss
from components.trainer.settings import Settings
from components.trainer.warm_start import rows, source, start
from components.trainer.warm_start.weights import ModelWeights
from shortlist.config.train import STRATEGY_KEYS
from shortlist.model_files import TOWERS_DIR

# Keys of custom_config: inputs for which TFX's FnArgs has no attribute. The executor adds them.
CANDIDATES = "candidates"
CANDIDATE_TRANSFORM = "candidate_transform"
SPLIT_FINGERPRINT = "split_fingerprint"
TEST_FROM = "test_from"
CHECKPOINT_ROOT = "checkpoint_root"
TEST_FILES = "test_files"
SOURCE_MODEL = "source_model"
"""URI of the model that `train.warm_start` begins from; absent without one."""
NO_SOURCE = "no_source"
"""Reason why there is none."""

WARM_START = "warm_start"
"""Key of the training's history in `shortlist.json`: `start.Start.record`."""
_FIRST = "no earlier model was blessed on other data"


def read(fn_args: FnArgs) -> ModelBundle:
    """Reads the settings, the catalogue and the transform graphs, and makes an untrained model.

    Args:
      fn_args: TFX's arguments. `custom_config` contains `Settings.to_json()`, `code_sha256` and the keys above. Values
        of `hyperparameters`, KerasTuner's by dotted name, override the config's.
    """
    config = fn_args.custom_config
    inputs = Inputs(files_of([config[CANDIDATES]]), config[CANDIDATE_TRANSFORM], fn_args.transform_graph_path)
    settings = Settings.from_json(config)
    if fn_args.hyperparameters:
        settings = settings.with_values(fn_args.hyperparameters["values"])
    return ModelBundle.read(settings, inputs)


def write(
    bundle: ModelBundle, fn_args: FnArgs, history: dict[str, Any], earlier_rows: np.ndarray | None = None
) -> None:
    """Writes the trained model to `fn_args.serving_model_dir`, and its portable towers beside it.

    Args:
      bundle: The model.
      fn_args: TFX's arguments.
      history: Result of the training.
      earlier_rows: Fingerprints of the rows behind the weights that the training began from. None for a model that no
        later training may start from.
    """
    export.export(
        export.ServingModule(bundle.model, bundle.reader, bundle.corpus, bundle.settings, bundle.candidate_transform),
        fn_args.serving_model_dir,
        bundle.settings,
        bundle.corpus,
        fn_args.custom_config[SPLIT_FINGERPRINT],
        {**history, "logq_clipped_candidates": make_loss(bundle.settings).count_clipped(bundle.corpus.counts)},
        fn_args.custom_config.get(TEST_FROM),
    )
    towers = portable.PortableTowers(
        bundle.model, bundle.reader, bundle.corpus, bundle.settings, bundle.candidate_transform
    )
    model_uri = os.path.dirname(fn_args.serving_model_dir)
    towers.save(os.path.join(model_uri, TOWERS_DIR))
    if earlier_rows is not None:
        own, train_rows = ModelWeights.of(bundle), rows.read_rows(files_of(fn_args.train_files))
        source.write(
            model_uri,
            [weight.name for weight in own.weights],
            own.vocabularies,
            train_rows.span,
            rows.union(train_rows.fingerprints, earlier_rows),
        )


def begin(bundle: ModelBundle, fn_args: FnArgs, held_out: start.HeldOut) -> start.Start:
    """Sets the first weights of a training with `train.warm_start`, or says why it starts from scratch.

    Args:
      bundle: The untrained model.
      fn_args: TFX's arguments; `custom_config` has `SOURCE_MODEL` or `NO_SOURCE`.
      held_out: Windows that the source must not have been trained on.
    """
    config = fn_args.custom_config
    if SOURCE_MODEL not in config:
        return start.from_scratch(config.get(NO_SOURCE, _FIRST))
    train_rows = rows.read_rows(files_of(fn_args.train_files))
    return start.start(bundle, train_rows, held_out, config[SOURCE_MODEL])


def run_fn(fn_args: FnArgs) -> None:
    """Trains one model and writes it to `fn_args.serving_model_dir`.

    A training that was killed resumes from its last checkpoint in the next execution. The checkpoints are removed only
    after the model is written.

    Args:
      fn_args: TFX's arguments, see `read`.
    """
    bundle = read(fn_args)
    settings = bundle.settings
    files = training.Files(train=files_of(fn_args.train_files), eval=files_of(fn_args.eval_files))
    beginning = None
    if settings.train.warm_start:
        beginning = begin(bundle, fn_args, start.HeldOut(files.eval, files_of(fn_args.custom_config[TEST_FILES])))
        files = dataclasses.replace(files, left_out=beginning.left_out)
        if beginning.is_warm:
            settings = dataclasses.replace(settings, train=settings.train.from_warm_start)
    checkpoint_dir = checkpoints_of(fn_args, bundle.settings)
    train_apart(fn_args, bundle.settings, checkpoint_dir)
    history = training.fit(
        bundle.model,
        bundle.reader,
        files,
        settings,
        num_targets=int(bundle.corpus.counts.sum()),
        run_dir=fn_args.model_run_dir,
        checkpoint_dir=checkpoint_dir,
    )
    if beginning is None:
        write(bundle, fn_args, history, np.array([], np.int64))
    else:
        write(bundle, fn_args, {**history, WARM_START: beginning.record}, beginning.earlier_rows)
    # Not before the model is written: a kill in between would cost the whole training.
    checkpoints.remove(checkpoint_dir)


def train_apart(fn_args: FnArgs, settings: Settings, checkpoint_dir: str, recipe: dict[str, Any] | None = None) -> None:
    """Trains in processes of their own, if `train.strategy` says so.

    `training.fit` and `training.refit` then find the finished training in the checkpoints, and do no further step. The
    exported model is thus made in the same way with every strategy.

    Args:
      fn_args: TFX's arguments, see `read`.
      settings: Settings of the training.
      checkpoint_dir: Result of `checkpoints_of`.
      recipe: For a refit, see `training.refit`.
    """
    if settings.train.strategy == "none":
        return
    config = fn_args.custom_config
    job = Job(
        settings=settings.to_json(),
        train=list(fn_args.train_files),
        eval=list(fn_args.eval_files),
        candidates=config[CANDIDATES],
        candidate_transform=config[CANDIDATE_TRANSFORM],
        window_transform=fn_args.transform_graph_path,
        run_dir=fn_args.model_run_dir,
        checkpoint_dir=checkpoint_dir,
        recipe=recipe,
    )
    workers.train(job, settings.train, lambda: checkpoints.newest(checkpoint_dir))


def checkpoints_of(fn_args: FnArgs, settings: Settings, *more: Any) -> str:
    """Returns the folder of this training's checkpoints, and removes old checkpoints of other trainings.

    Args:
      fn_args: TFX's arguments.
      settings: Settings of the training.
      more: JSON values that the result of the training also depends on.
    """
    root = fn_args.custom_config[CHECKPOINT_ROOT]
    identity = _identity(fn_args, settings, *more)
    checkpoints.prune(root, identity)
    return os.path.join(root, identity)


def _identity(fn_args: FnArgs, settings: Settings, *more: Any) -> str:
    """Returns a name for the training that its checkpoints belong to: settings, code and content of every input."""
    config = fn_args.custom_config
    values = settings.to_json()
    # Another number of workers resumes the same training.
    values["train"] = {name: value for name, value in values["train"].items() if name not in STRATEGY_KEYS}
    text = json.dumps([values, config["code_sha256"], config[SPLIT_FINGERPRINT], *more], sort_keys=True)
    inputs = Inputs(files_of([config[CANDIDATES]]), config[CANDIDATE_TRANSFORM], fn_args.transform_graph_path)
    # A training from scratch does not depend on the model that it could not begin from.
    if SOURCE_MODEL in config and source.unreadable_reason(config[SOURCE_MODEL]) is None:
        text += source.identity(config[SOURCE_MODEL])
    return checkpoints.identity(text, [*files_of([*fn_args.train_files, *fn_args.eval_files]), *inputs.files])
