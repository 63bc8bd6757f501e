"""What TFX's Trainer executor calls for the refit: as `components.trainer.run_fn`, without anything held out."""

from __future__ import annotations

from tfx.components.trainer.fn_args_utils import FnArgs

from components.trainer import checkpoints, run_fn, training
from components.trainer.bundle import files_of

MEASURED = "measured"
"""Key of custom_config: what `training.fit` returned for the model that the Evaluator blessed."""


def refit_fn(fn_args: FnArgs) -> None:
    """Trains the model on all windows for as long as was best for the one that was measured, and writes it.

    Args:
      fn_args: TFX's arguments, see `run_fn.read`; the train files are all the windows there are.
    """
    measured = fn_args.custom_config[MEASURED]
    parts = run_fn.read(fn_args)
    recipe = {name: measured[name] for name in ("best_step", "planned_steps")}
    checkpoint_dir = run_fn.checkpoints_of(fn_args, parts.settings, recipe)
    history = training.refit(
        parts.model,
        parts.reader,
        files_of(fn_args.train_files),
        parts.settings,
        recipe,
        num_targets=int(parts.corpus.counts.sum()),
        run_dir=fn_args.model_run_dir,
        checkpoint_dir=checkpoint_dir,
    )
    run_fn.write(parts, fn_args, {**history, "targets": int(parts.corpus.counts.sum())})
    checkpoints.remove(checkpoint_dir)
