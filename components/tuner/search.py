"""The search: runs the trials of KerasTuner's oracle up to the limits on their number and time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from keras_tuner import errors
from keras_tuner.engine import base_tuner
from keras_tuner.engine.trial import Trial

from components.tuner import oracle
from shortlist.config.space import Setting
from shortlist.config.tune import Tune
from shortlist.config.values import Value
from shortlist.errors import ConfigError, DataError
from shortlist.process import progress

_PROJECT = "search"
_SECONDS_PER_MINUTE = 60.0


class TrialResult(NamedTuple):
    """The outcome of a trial that did not fail."""

    metrics: Mapping[str, float | None]
    """Metrics on eval at the best epoch."""
    epochs: int
    """Trained epochs; fewer than planned after early stopping or at the end of the time limit."""
    seconds: float


TrialFunction = Callable[[Mapping[str, Value], str, Callable[[], bool]], TrialResult]
"""Trains with values by dotted name, a folder for checkpoints and logs, and a function that returns whether the time
limit is reached."""


class Search(base_tuner.BaseTuner):
    """A KerasTuner tuner whose trials are trainings by the Trainer's own core.

    Finished trials are saved in its folder, from which a search that was killed resumes.
    """

    def __init__(
        self,
        train: TrialFunction,
        settings: list[Setting],
        tune: Tune,
        seed: int,
        directory: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Resumes from the trials in the folder, if there are any.

        Args:
          train: Trains and evaluates one set of values.
          settings: The search space.
          tune: Limits, method and objective.
          seed: Seed of the values that are drawn.
          directory: Folder of the trials.
          clock: Returns the current time in seconds.
        """
        self._train = train
        self._tune = tune
        self._clock = clock
        self._started = clock()
        self._seconds_before = 0.0
        self._ended_by = "max_trials"
        self._records: list[dict[str, Any]] = []
        super().__init__(
            oracle=oracle.make_oracle(tune.method, settings, tune.objective, tune.max_trials, seed),
            directory=directory,
            project_name=_PROJECT,
        )

    @property
    def seconds(self) -> float:
        """Duration of the search, including the time before an interruption."""
        return self._seconds_before + self._clock() - self._started

    def time_is_up(self) -> bool:
        """Returns whether `tune.minutes` have passed."""
        return self.seconds >= self._tune.minutes * _SECONDS_PER_MINUTE

    def results(self) -> dict[str, Any]:
        """Returns the trials in the order of their runs, and the number of the best; see `shortlist.summary.Tuning`."""
        return {
            "objective": self._tune.objective,
            "best": int(self.oracle.get_best_trials()[0].trial_id) + 1,
            "trials": self._records,
            "seconds": round(self.seconds, 3),
            "ended_by": self._ended_by,
        }

    def pre_create_trial(self) -> None:
        """Ends the search at the time limit; at least one trial always runs."""
        if self._records and self.time_is_up():
            self._ended_by = "minutes"
            # KerasTuner has no other way to end a search between two trials.
            self.oracle.max_trials = len(self.oracle.trials)

    def on_search_end(self) -> None:
        """Records if the search ended because the oracle had tried all values of the search space."""
        if len(self._records) < self._tune.max_trials and self._ended_by != "minutes":
            self._ended_by = "space"

    def run_trial(self, trial: Trial) -> dict[str, float]:
        """Trains one set of values and returns the objective.

        Raises:
          FailedTrialError: The config refuses this combination of values; the search continues.
          FatalError: Any other error; the search ends.
        """
        number = int(trial.trial_id) + 1
        values = dict(trial.hyperparameters.values)
        try:
            with progress.with_note(self._status_text(number)):
                outcome = self._train(values, self.get_trial_dir(trial.trial_id), self.time_is_up)
            score = outcome.metrics[self._tune.objective]
            if score is None:
                raise DataError(
                    "tune: expected eval rows to compare trials, whose target is new to its query, but the split has "
                    "none; use another data.split, or run without tune"
                )
        except ConfigError as error:
            if number == 1:
                # The first trial has the config's own values, so no other values can repair the problem.
                raise errors.FatalError(str(error)) from error
            self._record(number, values, problem=str(error))
            raise errors.FailedTrialError(str(error)) from error
        except Exception as error:
            raise errors.FatalError(f"trial {number} failed") from error
        self._record(number, values, score=score, epochs=outcome.epochs, seconds=round(outcome.seconds, 3))
        return {self._tune.objective: score}

    def get_state(self) -> dict[str, Any]:
        """Returns the state that KerasTuner saves after each trial."""
        # "told" is a key of the state file, which a resumed search reads.
        return {"told": self._records, "seconds": self.seconds}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores the result of `get_state`."""
        self._records = state["told"]
        self._seconds_before = state["seconds"]

    def _status_text(self, number: int) -> str:
        """Returns the number of the trial and the best result so far, for the progress display."""
        position = f"trial {number} of {self._tune.max_trials}"
        scored = (record for record in self._records if "score" in record)
        best = max(scored, key=lambda record: record["score"], default=None)
        if best is None:
            return position
        return f"{position}, best {self._tune.objective} {best['score']:.4f} ({_format_values(best['values'])})"

    def _record(self, number: int, values: Mapping[str, Value], **outcome: Any) -> None:
        self._records.append({"number": number, "values": values, **outcome})
        logging.getLogger(__name__).info("%s: %s; %s", self._status_text(number), values, outcome)


def _format_values(values: Mapping[str, Value]) -> str:
    return ", ".join(f"{name.rpartition('.')[2]} {_format_value(value)}" for name, value in values.items())


def _format_value(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
