"""The search: trials by KerasTuner's oracle until there are enough of them or the time is over."""

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
_SECONDS_A_MINUTE = 60.0


class TrialResult(NamedTuple):
    """What a trial came to."""

    metrics: Mapping[str, float | None]
    """On eval, at the best epoch."""
    epochs: int
    """That it trained; fewer than planned where eval got no better or the time was over."""
    seconds: float


Train = Callable[[Mapping[str, Value], str, Callable[[], bool]], TrialResult]
"""Takes values by dotted name, a folder for what it has to keep, and whom to ask whether the time is over."""


class Search(base_tuner.BaseTuner):
    """A KerasTuner tuner whose trial is one training by the Trainer's own core.

    What is done so far stands in its folder after each trial: a search that was killed goes on there.
    """

    def __init__(
        self,
        train: Train,
        settings: list[Setting],
        tune: Tune,
        seed: int,
        directory: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Goes on with what is in the folder.

        Args:
          train: Trains and evaluates one set of values.
          settings: What is searched.
          tune: How long, by which method, for what.
          seed: Of the values that are drawn.
          directory: Where trials are kept.
          clock: Seconds.
        """
        self._train = train
        self._tune = tune
        self._clock = clock
        self._started = clock()
        self._earlier = 0.0
        self._ended_by = "max_trials"
        self._told: list[dict[str, Any]] = []
        super().__init__(
            oracle=oracle.make_oracle(tune.method, settings, tune.objective, tune.max_trials, seed),
            directory=directory,
            project_name=_PROJECT,
        )

    @property
    def seconds(self) -> float:
        """How long it has searched, before a stop too."""
        return self._earlier + self._clock() - self._started

    def time_is_up(self) -> bool:
        """Returns whether the time box is used up."""
        return self.seconds >= self._tune.minutes * _SECONDS_A_MINUTE

    def results(self) -> dict[str, Any]:
        """Returns the trials in the order in which they ran, and which was best; see `shortlist.summary.Tuning`."""
        return {
            "objective": self._tune.objective,
            "best": int(self.oracle.get_best_trials()[0].trial_id) + 1,
            "trials": self._told,
            "seconds": round(self.seconds, 3),
            "ended_by": self._ended_by,
        }

    def pre_create_trial(self) -> None:
        """Has the oracle propose no more when the time is over; there always is one trial."""
        if self._told and self.time_is_up():
            self._ended_by = "minutes"
            self.oracle.max_trials = len(self.oracle.trials)

    def on_search_end(self) -> None:
        """Notes where the oracle knew no values that it had not tried."""
        if len(self._told) < self._tune.max_trials and self._ended_by != "minutes":
            self._ended_by = "space"

    def run_trial(self, trial: Trial) -> dict[str, float]:
        """Trains one set of values and returns the objective.

        Raises:
          FailedTrialError: The values do not go together; the search goes on.
          FatalError: Anything else; the search ends.
        """
        number = int(trial.trial_id) + 1
        values = dict(trial.hyperparameters.values)
        try:
            with progress.with_note(self._note(number)):
                outcome = self._train(values, self.get_trial_dir(trial.trial_id), self.time_is_up)
            score = outcome.metrics[self._tune.objective]
            if score is None:
                raise DataError(
                    "tune: expected eval rows to choose by, the split has none; use another data.split, or run without "
                    "tune"
                )
        except ConfigError as error:
            if number == 1:
                raise errors.FatalError(str(error)) from error
            self._tell(number, values, problem=str(error))
            raise errors.FailedTrialError(str(error)) from error
        except Exception as error:
            raise errors.FatalError(f"trial {number} failed") from error
        self._tell(number, values, score=score, epochs=outcome.epochs, seconds=round(outcome.seconds, 3))
        return {self._tune.objective: score}

    def get_state(self) -> dict[str, Any]:
        """Returns what a search that goes on must know."""
        return {"told": self._told, "seconds": self.seconds}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes what `get_state` returned."""
        self._told = state["told"]
        self._earlier = state["seconds"]

    def _note(self, number: int) -> str:
        note = f"trial {number} of {self._tune.max_trials}"
        best = max((told for told in self._told if "score" in told), key=lambda told: told["score"], default=None)
        if best is None:
            return note
        return f"{note}, best {self._tune.objective} {best['score']:.4f} ({_listed(best['values'])})"

    def _tell(self, number: int, values: Mapping[str, Value], **told: Any) -> None:
        self._told.append({"number": number, "values": values, **told})
        logging.getLogger(__name__).info("%s: %s; %s", self._note(number), values, told)


def _listed(values: Mapping[str, Value]) -> str:
    return ", ".join(
        f"{name.rpartition('.')[2]} {f'{value:.4g}' if isinstance(value, float) else value}"
        for name, value in values.items()
    )
