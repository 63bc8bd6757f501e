"""The `run_fn` of the refit: like `components.trainer.run_fn`, but without held-out rows."""

from __future__ import annotations

from tfx.components.trainer.fn_args_utils import FnArgs

from components.trainer import checkpoints, run_fn, training
from components.trainer.bundle import files_of
from components.trainer.warm_start import start
from shortlist.errors import DataError

MEASURED = "measured"
"""Key of custom_config: result of `training.fit` for the model that the Evaluator blessed."""


def refit_fn(fn_args: FnArgs) -> None:
    """Trains the model on all windows for the measured model's best number of steps, and writes it.

    Args:
      fn_args: TFX's arguments, see `run_fn.read`; the train files are all windows.

    Raises:
      DataError: The measured model began from an earlier one, whose files are gone by now.
    """
    measured = fn_args.custom_config[MEASURED]
    bundle = run_fn.read(fn_args)
    # From the same weights as the measured model, whose number of steps would mean nothing from others.
    begins = {}
    if measured.get(run_fn.WARM_START, {}).get("reason") == "":
        begun = run_fn.begin(bundle, fn_args, start.HeldOut([], []))
        if not begun.is_warm:
            raise DataError.from_parts(
                "train.refit",
                "the model from which the measured model's training began (train.warm_start)",
                begun.record["reason"],
                "restore its files, or train from scratch with train.warm_start: null",
            )
        begins = {run_fn.WARM_START: begun.record}
    # Only these two values decide the training, so only these are part of its checkpoints' identity.
    recipe = {name: measured[name] for name in ("best_step", "planned_steps")}
    checkpoint_dir = run_fn.checkpoints_of(fn_args, bundle.settings, recipe)
    run_fn.train_apart(fn_args, bundle.settings, checkpoint_dir, recipe)
    history = training.refit(
        bundle.model,
        bundle.reader,
        files_of(fn_args.train_files),
        bundle.settings,
        recipe,
        num_targets=int(bundle.corpus.counts.sum()),
        run_dir=fn_args.model_run_dir,
        checkpoint_dir=checkpoint_dir,
    )
    run_fn.write(bundle, fn_args, {**history, **begins, "targets": int(bundle.corpus.counts.sum())})
    checkpoints.remove(checkpoint_dir)
