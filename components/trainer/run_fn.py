"""The `run_fn` of TFX's Trainer: reads the inputs, trains the towers and exports them."""

from __future__ import annotations

import json
import os
from typing import Any

from tfx.components.trainer.fn_args_utils import FnArgs

from components.trainer import checkpoints, export, portable, training
from components.trainer.bundle import Inputs, ModelBundle, files_of
from components.trainer.losses import make_loss
from components.trainer.settings import Settings
from shortlist.model_files import TOWERS_DIR

# Keys of custom_config: inputs for which TFX's FnArgs has no attribute. The executor adds them.
CANDIDATES = "candidates"
CANDIDATE_TRANSFORM = "candidate_transform"
SPLIT_FINGERPRINT = "split_fingerprint"
TEST_FROM = "test_from"
CHECKPOINT_ROOT = "checkpoint_root"


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


def write(bundle: ModelBundle, fn_args: FnArgs, history: dict[str, Any]) -> None:
    """Writes the trained model to `fn_args.serving_model_dir`, and its portable towers beside it."""
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
    towers.save(os.path.join(os.path.dirname(fn_args.serving_model_dir), TOWERS_DIR))


def run_fn(fn_args: FnArgs) -> None:
    """Trains one model and writes it to `fn_args.serving_model_dir`.

    A training that was killed resumes from its last checkpoint in the next execution. The checkpoints are removed only
    after the model is written.

    Args:
      fn_args: TFX's arguments, see `read`.
    """
    bundle = read(fn_args)
    checkpoint_dir = checkpoints_of(fn_args, bundle.settings)
    history = training.fit(
        bundle.model,
        bundle.reader,
        training.Files(train=files_of(fn_args.train_files), eval=files_of(fn_args.eval_files)),
        bundle.settings,
        num_targets=int(bundle.corpus.counts.sum()),
        run_dir=fn_args.model_run_dir,
        checkpoint_dir=checkpoint_dir,
    )
    write(bundle, fn_args, history)
    # Not before the model is written: a kill in between would cost the whole training.
    checkpoints.remove(checkpoint_dir)


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
    text = json.dumps([settings.to_json(), config["code_sha256"], config[SPLIT_FINGERPRINT], *more], sort_keys=True)
    inputs = Inputs(files_of([config[CANDIDATES]]), config[CANDIDATE_TRANSFORM], fn_args.transform_graph_path)
    return checkpoints.identity(text, [*files_of([*fn_args.train_files, *fn_args.eval_files]), *inputs.files])
