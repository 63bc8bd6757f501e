"""KerasTuner's oracles, whose first trial uses the config's own values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras_tuner
from keras_tuner import oracles
from keras_tuner.engine.trial import TrialStatus

from shortlist.config.space import Setting

_SEEDS = 2**31 - 1


class _ConfigFirst:
    """Proposes the settings' defaults, which are the config's own values, for the first trial."""

    trials: dict[str, Any]
    hyperparameters: keras_tuner.HyperParameters

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the values of the next trial in KerasTuner's format."""
        if self.trials:
            return super().populate_space(trial_id)  # type: ignore[misc]
        own = {setting.name: setting.default for setting in self.hyperparameters.space}
        return {"status": TrialStatus.RUNNING, "values": own}

    def reload(self) -> None:
        """Reads the trials of an interrupted search, in the order in which they ran."""
        super().reload()  # type: ignore[misc]
        # KerasTuner's files come in any order; among equal scores, the first trial is to win.
        self.trials = dict(sorted(self.trials.items()))


class _Random(_ConfigFirst, oracles.RandomSearchOracle):
    """Draws values at random."""


class _Bayesian(_ConfigFirst, oracles.BayesianOptimizationOracle):
    """Chooses values by a Gaussian process."""


def make_oracle(
    method: Literal["random", "bayesian"], settings: Sequence[Setting], objective: str, max_trials: int, seed: int
) -> keras_tuner.Oracle:
    """Returns the oracle that chooses the values of each trial.

    Args:
      method: `tune.method` of the config.
      settings: The search space.
      objective: Name of the metric to maximise.
      max_trials: Maximum number of trials.
      seed: Any integer.
    """
    kind = _Bayesian if method == "bayesian" else _Random
    oracle = kind(
        objective=keras_tuner.Objective(objective, "max"),
        max_trials=max_trials,
        hyperparameters=_hyperparameters(settings),
        allow_new_entries=False,
        tune_new_entries=True,
        # KerasTuner draws a random seed in place of 0.
        seed=seed % _SEEDS + 1,
        # KerasTuner stops after 3 failed trials in a row by default; a refused combination of values counts as one.
        max_consecutive_failed_trials=max_trials,
    )
    oracle.verbose = 0
    return oracle


def _hyperparameters(settings: Sequence[Setting]) -> keras_tuner.HyperParameters:
    space = keras_tuner.HyperParameters()
    for setting in settings:
        sampling = "log" if setting.log else "linear"
        if isinstance(setting.own, bool):
            space.Boolean(setting.name, default=setting.own)
        elif setting.values:
            # Sorted, since the Gaussian process assumes that neighbouring values have similar scores.
            space.Choice(setting.name, sorted(setting.values), default=setting.own)
        elif isinstance(setting.own, int):
            space.Int(setting.name, int(setting.low), int(setting.high), sampling=sampling, default=setting.own)
        else:
            space.Float(setting.name, setting.low, setting.high, sampling=sampling, default=setting.own)
    return space
