"""The `run_fn` of the refit: its data, its number of steps and its metadata."""

import pathlib
import types

import numpy as np
import pytest

from components.refit import refit_fn
from components.trainer import run_fn, training
from components.trainer.warm_start import start
from shortlist.errors import DataError
from tests.components.trainer import tiny_dataset as worlds
from tests.components.trainer.test_run_fn import arguments

MEASURED = {"best_step": 7, "planned_steps": 40, "steps": 20, "epochs": 4, "best_ndcg_at_10": 0.1}


@pytest.fixture
def refitted(tmp_path, monkeypatch):
    """Returns a function that runs a refit with changed results of the measured model, and returns its arguments."""
    corpus = types.SimpleNamespace(counts=np.array([2, 1]))
    parts = types.SimpleNamespace(settings=worlds.settings(), corpus=corpus, model=None, reader=None)
    calls = types.SimpleNamespace()

    def refit(model, reader, train_files, settings, measured, num_targets, run_dir, checkpoint_dir):
        calls.files, calls.measured, calls.targets = train_files, measured, num_targets
        calls.checkpoints = pathlib.Path(checkpoint_dir)
        calls.checkpoints.mkdir(parents=True)
        return {"steps": measured["best_step"]}

    def write(parts, fn_args, history):
        assert calls.checkpoints.exists()
        calls.history = history

    monkeypatch.setattr(run_fn, "read", lambda _: parts)
    monkeypatch.setattr(run_fn, "write", write)
    monkeypatch.setattr(training, "refit", refit)

    def run(config=None, **changed):
        fn_args = arguments(tmp_path / "inputs")
        fn_args.custom_config |= {**(config or {}), refit_fn.MEASURED: MEASURED | changed}
        refit_fn.refit_fn(fn_args)
        return types.SimpleNamespace(**vars(calls))

    return run


def test_it_trains_for_the_best_step_on_the_way_to_the_planned_one(refitted, tmp_path):
    calls = refitted()
    assert calls.measured == {"best_step": 7, "planned_steps": 40}
    assert calls.files == [str(tmp_path / "inputs" / "train")]
    assert (calls.targets, calls.history) == (3, {"steps": 7, "targets": 3})
    assert not calls.checkpoints.exists()


def test_a_refit_for_other_steps_goes_on_from_no_checkpoint_of_this_one(refitted):
    first = refitted().checkpoints
    assert refitted(best_step=8).checkpoints != first
    assert refitted(planned_steps=50).checkpoints != first
    # A metric does not change the training, so the checkpoints are the same.
    assert refitted(best_ndcg_at_10=0.2).checkpoints == first


def test_it_does_not_begin_elsewhere_than_the_measured_model(refitted):
    # The steps of a training from another model's weights would leave a model from random weights unfinished.
    with pytest.raises(DataError, match=r"^train\.refit: expected the model from which .*, got the files of .*"):
        refitted(config={run_fn.NO_SOURCE: "the files of the latest model are damaged"}, warm_start={"reason": ""})


@pytest.mark.parametrize(("warm_start", "begins"), [({"reason": ""}, 1), ({"reason": "first run"}, 0), (None, 0)])
def test_it_begins_where_the_measured_model_began(refitted, monkeypatch, warm_start, begins):
    held_out = []

    def begin(parts, fn_args, files):
        held_out.append(files)
        return start.Start({"reason": "", "known_candidates": 2})

    monkeypatch.setattr(run_fn, "begin", begin)
    calls = refitted(**({} if warm_start is None else {"warm_start": warm_start}))
    # No rows are held out from a refit, so that none can have been trained on.
    assert held_out == [start.HeldOut([], [])] * begins
    assert ("warm_start" in calls.history) == bool(begins)
