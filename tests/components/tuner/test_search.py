"""The search, with a fake training that takes no time."""

import pytest
from keras_tuner import errors

from components.tuner.search import Search, TrialResult
from shortlist.config import space
from shortlist.config.model import Model
from shortlist.config.train import Train
from shortlist.config.tune import Tune
from shortlist.errors import ConfigError, DataError
from shortlist.process import progress

_MODEL, _TRAIN = Model(), Train(learning_rate=0.001)


class Clock:
    """A clock that moves only when a test moves it."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Training:
    """A fake training: the score is highest at dropout 0.2, and a trial takes a minute."""

    def __init__(self, clock):
        self.clock = clock
        self.tried = []

    def __call__(self, values, folder, time_is_up):
        self.tried.append(values)
        self.clock.now += 60.0
        score = 1.0 - abs(values["model.query_tower.dropout"] - 0.2)
        return TrialResult({"top_10": score, "ndcg_at_10": score / 2}, 3, 60.0)


def _search(folder, training, seed=1, **tune):
    section = Tune.model_validate(
        {
            "max_trials": 6,
            "minutes": 1_000,
            "space": {
                "train.learning_rate": {"min": 0.0001, "max": 0.01, "log": True},
                "model.query_tower.dropout": [0.1, 0.3, 0.5],
                "train.batch_size": {"min": 16, "max": 64},
            },
            **tune,
        }
    )
    searched = space.settings(section, {"model": _MODEL, "train": _TRAIN})
    return Search(training, searched, section, seed, str(folder), training.clock)


@pytest.mark.parametrize("method", ["random", "bayesian"])
def test_the_config_is_tried_first_and_the_best_wins(tmp_path, method):
    training = Training(Clock())
    search = _search(tmp_path, training, method=method, max_trials=12)
    search.search()
    results = search.results()
    assert results["trials"][0]["values"] == {
        "train.learning_rate": 0.001,
        "model.query_tower.dropout": 0.2,
        "train.batch_size": 64,
    }
    assert [trial["number"] for trial in results["trials"]] == list(range(1, 13))
    # The config's own dropout is 0.2, the best value, and among equal scores the first trial wins.
    assert results["best"] == 1
    assert search.get_best_hyperparameters()[0].values == results["trials"][0]["values"]
    assert results["ended_by"] == "max_trials"
    assert results["seconds"] == 12 * 60.0
    for values in training.tried:
        assert 0.0001 <= values["train.learning_rate"] <= 0.01
        assert values["model.query_tower.dropout"] in (0.1, 0.2, 0.3, 0.5)
        assert 16 <= values["train.batch_size"] <= 64
        assert isinstance(values["train.batch_size"], int)


def test_the_same_seed_tries_the_same_values(tmp_path):
    first, second = Training(Clock()), Training(Clock())
    _search(tmp_path / "first", first).search()
    _search(tmp_path / "second", second).search()
    assert first.tried == second.tried
    assert len({str(values) for values in first.tried}) == 6
    other = Training(Clock())
    _search(tmp_path / "other", other, seed=2).search()
    assert other.tried[0] == first.tried[0]
    assert other.tried[1:] != first.tried[1:]


def test_the_time_limit_ends_the_search_with_the_best_trial_so_far(tmp_path):
    search = _search(tmp_path, Training(Clock()), minutes=2.5)
    search.search()
    results = search.results()
    # The third trial starts at 2 minutes and ends at 3.
    assert len(results["trials"]) == 3
    assert results["ended_by"] == "minutes"
    assert search.get_best_hyperparameters()[0].values == results["trials"][results["best"] - 1]["values"]


def test_no_trial_starts_at_the_time_limit_but_at_least_one_runs(tmp_path):
    for minutes, trials in ((2.0, 2), (0.001, 1)):
        search = _search(tmp_path / str(trials), Training(Clock()), minutes=minutes)
        # In the second case the time limit is reached before the search starts.
        search._seconds_before = 60.0 if trials == 1 else 0.0
        search.search()
        assert len(search.results()["trials"]) == trials
        assert search.results()["ended_by"] == "minutes"


def test_the_objective_chooses(tmp_path):
    class Contrary(Training):
        def __call__(self, *args):
            outcome = super().__call__(*args)
            return outcome._replace(metrics={**outcome.metrics, "ndcg_at_10": -outcome.metrics["ndcg_at_10"]})

    space = {"model.query_tower.dropout": [0.1, 0.2, 0.5]}
    for objective, best in (("top_10", 0.2), ("ndcg_at_10", 0.5)):
        search = _search(tmp_path / objective, Contrary(Clock()), space=space, objective=objective)
        search.search()
        results = search.results()
        assert results["trials"][results["best"] - 1]["values"]["model.query_tower.dropout"] == best


def test_a_small_space_is_tried_out(tmp_path):
    search = _search(tmp_path, Training(Clock()), space={"model.query_tower.dropout": [0.1, 0.2]})
    search.search()
    assert search.results()["ended_by"] == "space"
    assert len(search.results()["trials"]) == 2


def test_progress_shows_the_trial_and_the_best_result_so_far(tmp_path):
    events = []

    class Reporting(Training):
        def __call__(self, *args):
            progress.report(1, 2, "steps", "epoch 1 of 3")
            return super().__call__(*args)

    with progress.listening(events.append):
        _search(tmp_path, Reporting(Clock()), max_trials=2).search()
        progress.report(1, 1, "steps", "afterwards")
    assert events[0].note == "trial 1 of 2"
    assert events[1].note == ("trial 2 of 2, best top_10 1.0000 (learning_rate 0.001, dropout 0.2, batch_size 64)")
    assert events[2].note == "afterwards"


def test_the_best_so_far_is_not_the_latest_or_the_worst(tmp_path):
    search = _search(tmp_path, Training(Clock()))
    for number, score in enumerate((0.2, 0.3, 0.1), start=1):
        search._record(number, {"train.batch_size": number}, score=score)
    search._record(4, {"train.batch_size": 4}, problem="too much of it")
    assert search._status_text(5) == "trial 5 of 6, best top_10 0.3000 (batch_size 2)"


def test_a_search_that_was_killed_goes_on(tmp_path):
    whole = Training(Clock())
    _search(tmp_path / "whole", whole).search()

    class Killed(Training):
        def __call__(self, *args):
            if len(self.tried) == 3:
                raise KeyboardInterrupt
            return super().__call__(*args)

    killed, rest = Killed(Clock()), Training(Clock())
    with pytest.raises(KeyboardInterrupt):
        _search(tmp_path / "killed", killed).search()
    search = _search(tmp_path / "killed", rest)
    search.search()
    assert killed.tried + rest.tried == whole.tried
    assert len(search.results()["trials"]) == 6
    assert search.results()["seconds"] == 6 * 60.0


def test_the_first_of_equals_wins_after_a_stop_too(tmp_path):
    class Indifferent(Training):
        def __call__(self, *args):
            return super().__call__(*args)._replace(metrics={"top_10": 0.5, "ndcg_at_10": 0.5})

    _search(tmp_path, Indifferent(Clock()), max_trials=12).search()
    resumed = _search(tmp_path, Indifferent(Clock()), max_trials=12)
    resumed.search()
    assert len(resumed.results()["trials"]) == 12
    assert resumed.results()["best"] == 1


def test_values_that_do_not_go_together_time_and_again_are_no_reason_to_stop(tmp_path):
    class Pickier(Training):
        def __call__(self, values, *args):
            if self.tried:
                raise ConfigError("not these either")
            return super().__call__(values, *args)

    search = _search(tmp_path, Pickier(Clock()), max_trials=8)
    search.search()
    results = search.results()
    assert [("score" in trial, trial["number"]) for trial in results["trials"]] == [
        (number == 1, number) for number in range(1, 9)
    ]
    assert results["best"] == 1


def test_values_that_do_not_go_together_are_passed_over(tmp_path):
    class Picky(Training):
        def __call__(self, values, *args):
            if values["model.query_tower.dropout"] == 0.5:
                raise ConfigError("too much of it")
            return super().__call__(values, *args)

    search = _search(tmp_path, Picky(Clock()), max_trials=12)
    search.search()
    problems = [trial["problem"] for trial in search.results()["trials"] if "problem" in trial]
    assert set(problems) == {"too much of it"}
    assert "score" in search.results()["trials"][search.results()["best"] - 1]


@pytest.mark.parametrize("error", [ConfigError("the config itself"), MemoryError("no room")])
def test_what_no_other_values_would_repair_ends_the_search(tmp_path, error):
    class Failing(Training):
        def __call__(self, *args):
            raise error

    with pytest.raises(errors.FatalError) as raised:
        _search(tmp_path, Failing(Clock())).search()
    assert raised.value.__cause__ is error


def test_without_eval_rows_there_is_nothing_to_choose_by(tmp_path):
    def training(values, folder, time_is_up):
        return TrialResult({"top_10": None, "ndcg_at_10": None}, 3, 1.0)

    training.clock = Clock()
    with pytest.raises(errors.FatalError) as raised:
        _search(tmp_path, training).search()
    assert isinstance(raised.value.__cause__, DataError)
