"""KerasTuner's oracles with a first trial of ours: the config itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras_tuner
from keras_tuner import oracles
from keras_tuner.engine.trial import TrialStatus

from shortlist.config.space import Setting

_SEEDS = 2**31 - 1


class _ConfigFirst:
    """Proposes the settings' defaults, which are the config's own values, before anything else."""

    trials: dict[str, Any]
    hyperparameters: keras_tuner.HyperParameters

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the values of the next trial, as KerasTuner asks for them."""
        if self.trials:
            return super().populate_space(trial_id)  # type: ignore[misc]
        own = {setting.name: setting.default for setting in self.hyperparameters.space}
        return {"status": TrialStatus.RUNNING, "values": own}

    def reload(self) -> None:
        """Reads the trials of a search that was stopped, in the order in which they ran: the first of equals wins."""
        super().reload()  # type: ignore[misc]
        self.trials = dict(sorted(self.trials.items()))


class _Random(_ConfigFirst, oracles.RandomSearchOracle):
    """Values at random."""


class _Bayesian(_ConfigFirst, oracles.BayesianOptimizationOracle):
    """Values by a Gaussian process."""


def make_oracle(
    method: Literal["random", "bayesian"], settings: Sequence[Setting], objective: str, max_trials: int, seed: int
) -> keras_tuner.Oracle:
    """Returns what chooses the values of each trial.

    Args:
      method: As the config names it.
      settings: What is searched.
      objective: What there should be most of.
      max_trials: After so many it has no more.
      seed: Any integer.
    """
    kind = _Bayesian if method == "bayesian" else _Random
    oracle = kind(
        objective=keras_tuner.Objective(objective, "max"),
        max_trials=max_trials,
        hyperparameters=_hyperparameters(settings),
        allow_new_entries=False,
        tune_new_entries=True,
        # KerasTuner takes 0 for none.
        seed=seed % _SEEDS + 1,
        # Values that do not go together are no reason to stop.
        max_consecutive_failed_trials=max_trials,
    )
    oracle.verbose = 0
    return oracle


def _hyperparameters(settings: Sequence[Setting]) -> keras_tuner.HyperParameters:
    found = keras_tuner.HyperParameters()
    for setting in settings:
        sampling = "log" if setting.log else "linear"
        if isinstance(setting.own, bool):
            found.Boolean(setting.name, default=setting.own)
        elif setting.values:
            # In order, since neighbours are taken to be alike.
            found.Choice(setting.name, sorted(setting.values), default=setting.own)
        elif isinstance(setting.own, int):
            found.Int(setting.name, int(setting.low), int(setting.high), sampling=sampling, default=setting.own)
        else:
            found.Float(setting.name, setting.low, setting.high, sampling=sampling, default=setting.own)
    return found
