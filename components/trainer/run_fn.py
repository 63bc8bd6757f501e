"""What TFX's Trainer calls: reads the inputs, trains the towers, exports them."""

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

# Inputs that TFX's FnArgs has no place for; the executor puts them into custom_config.
CANDIDATES = "candidates"
CANDIDATE_TRANSFORM = "candidate_transform"
SPLIT_FINGERPRINT = "split_fingerprint"
CHECKPOINT_ROOT = "checkpoint_root"


def read(fn_args: FnArgs) -> ModelBundle:
    """Returns what TFX's arguments name, read.

    Args:
      fn_args: `custom_config` is `Settings.to_json()`, `code_sha256` and the keys above. The values of
        `hyperparameters`, KerasTuner's by dotted name, come before the config's.
    """
    config = fn_args.custom_config
    inputs = Inputs(files_of([config[CANDIDATES]]), config[CANDIDATE_TRANSFORM], fn_args.transform_graph_path)
    settings = Settings.from_json(config)
    if fn_args.hyperparameters:
        settings = settings.with_values(fn_args.hyperparameters["values"])
    return ModelBundle.read(settings, inputs)


def write(parts: ModelBundle, fn_args: FnArgs, history: dict[str, Any]) -> None:
    """Writes the trained model to `fn_args.serving_model_dir`, its portable towers beside it."""
    export.export(
        export.ServingModule(parts.model, parts.reader, parts.corpus, parts.settings),
        fn_args.serving_model_dir,
        parts.settings,
        parts.corpus,
        fn_args.custom_config[SPLIT_FINGERPRINT],
        {**history, "logq_clipped_candidates": make_loss(parts.settings).count_clipped(parts.corpus.counts)},
    )
    towers = portable.PortableTowers(parts.model, parts.reader, parts.corpus, parts.settings, parts.candidate_transform)
    towers.save(os.path.join(os.path.dirname(fn_args.serving_model_dir), TOWERS_DIR))


def run_fn(fn_args: FnArgs) -> None:
    """Trains one model and writes it to `fn_args.serving_model_dir`.

    A training that was killed goes on from its last checkpoint, in whatever execution it is started again. The
    checkpoints are removed when the model is written and not before.

    Args:
      fn_args: TFX's arguments, see `read`.
    """
    parts = read(fn_args)
    checkpoint_dir = checkpoints_of(fn_args, parts.settings)
    history = training.fit(
        parts.model,
        parts.reader,
        training.Files(train=files_of(fn_args.train_files), eval=files_of(fn_args.eval_files)),
        parts.settings,
        num_targets=int(parts.corpus.counts.sum()),
        run_dir=fn_args.model_run_dir,
        checkpoint_dir=checkpoint_dir,
    )
    write(parts, fn_args, history)
    checkpoints.remove(checkpoint_dir)


def checkpoints_of(fn_args: FnArgs, settings: Settings, *more: Any) -> str:
    """Returns the folder of exactly this training's checkpoints, and removes what died long ago beside it.

    Args:
      fn_args: TFX's arguments.
      settings: What is trained.
      more: What else decides how the training comes out, as JSON.
    """
    root = fn_args.custom_config[CHECKPOINT_ROOT]
    identity = _identity(fn_args, settings, *more)
    checkpoints.prune(root, identity)
    return os.path.join(root, identity)


def _identity(fn_args: FnArgs, settings: Settings, *more: Any) -> str:
    """Names what a checkpoint belongs to: settings, code, and the bytes of every input."""
    config = fn_args.custom_config
    text = json.dumps([settings.to_json(), config["code_sha256"], config[SPLIT_FINGERPRINT], *more], sort_keys=True)
    inputs = Inputs(files_of([config[CANDIDATES]]), config[CANDIDATE_TRANSFORM], fn_args.transform_graph_path)
    return checkpoints.identity(text, [*files_of([*fn_args.train_files, *fn_args.eval_files]), *inputs.files])
