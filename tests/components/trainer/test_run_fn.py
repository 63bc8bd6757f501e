"""Identity and removal of checkpoints."""

import pathlib
import types

import numpy as np
import pytest
from tfx.components.trainer.fn_args_utils import FnArgs

from components.trainer import replica, run_fn, training, workers
from components.trainer.settings import Settings
from tests.components.trainer import tiny_dataset as worlds

FILES = ("train", "eval", "candidates", "candidate_graph/saved_model", "graph/saved_model")


def arguments(root):
    """Returns FnArgs with small files in place of a training's inputs."""
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return FnArgs(
        train_files=[str(root / "train")],
        eval_files=[str(root / "eval")],
        transform_graph_path=str(root / "graph"),
        serving_model_dir=str(root / "model" / "Format-Serving"),
        model_run_dir=str(root / "run"),
        custom_config={
            run_fn.CANDIDATES: str(root / "candidates"),
            run_fn.CANDIDATE_TRANSFORM: str(root / "candidate_graph"),
            run_fn.SPLIT_FINGERPRINT: "split",
            run_fn.CHECKPOINT_ROOT: str(root.parent / "checkpoints"),
            "code_sha256": "code",
        },
    )


def test_the_same_training_finds_its_checkpoints_wherever_its_inputs_stand(tmp_path):
    first, second = (arguments(tmp_path / name) for name in ("first", "second"))
    settings = worlds.settings()
    folder = run_fn.checkpoints_of(first, settings, {"best_step": 5})
    assert run_fn.checkpoints_of(second, settings, {"best_step": 5}) == folder
    assert pathlib.Path(folder).parent == tmp_path / "checkpoints"


def test_whatever_decides_how_a_training_comes_out_makes_it_another(tmp_path):
    fn_args, settings = arguments(tmp_path / "inputs"), worlds.settings()
    found = [run_fn.checkpoints_of(fn_args, settings)]
    found.append(run_fn.checkpoints_of(fn_args, worlds.settings(train={"learning_rate": 0.5})))
    found.append(run_fn.checkpoints_of(fn_args, settings, {"best_step": 5}))
    found.append(run_fn.checkpoints_of(fn_args, settings, {"best_step": 6}))
    for key in ("code_sha256", run_fn.SPLIT_FINGERPRINT):
        changed = arguments(tmp_path / "inputs")
        changed.custom_config[key] += "2"
        found.append(run_fn.checkpoints_of(changed, settings))
    for name in FILES:
        changed = arguments(tmp_path / "inputs")
        (tmp_path / "inputs" / name).write_text("other bytes")
        found.append(run_fn.checkpoints_of(changed, settings))
    assert len(set(found)) == len(found) == 6 + len(FILES)


def test_another_number_of_workers_resumes_the_same_training(tmp_path):
    fn_args = arguments(tmp_path / "inputs")
    one = run_fn.checkpoints_of(fn_args, worlds.settings())
    strategies = ({"strategy": "mirrored"}, {"strategy": "multi_worker", "worker_timeout_seconds": 9.0})
    assert {run_fn.checkpoints_of(fn_args, worlds.settings(train=train)) for train in strategies} == {one}


def test_a_training_of_several_processes_has_the_inputs_of_one(tmp_path, monkeypatch):
    fn_args = arguments(tmp_path / "inputs")
    started = []
    monkeypatch.setattr(workers, "train", lambda *args: started.append(args))
    run_fn.train_apart(fn_args, worlds.settings(), "checkpoints")
    assert not started
    settings = worlds.settings(train={"strategy": "multi_worker"})
    run_fn.train_apart(fn_args, settings, str(tmp_path / "checkpoints"), {"best_step": 5})
    [(job, section, newest)] = started
    assert section == settings.train
    assert Settings.from_json(job.settings) == settings
    assert (job.train, job.eval) == (fn_args.train_files, fn_args.eval_files)
    assert job.recipe == {"best_step": 5}
    identities = {replica.data_sha256(job)}
    for name in FILES:
        (tmp_path / "inputs" / name).write_text("other bytes, too")
        identities.add(replica.data_sha256(job))
    assert len(identities) == 1 + len(FILES)
    assert newest() == ""
    (tmp_path / "checkpoints").mkdir()
    for number in (1, 2):
        (tmp_path / "checkpoints" / f"state-{number:06}-000000000.index").touch()
    assert newest() == "state-000002-000000000.index"


def test_checkpoints_stay_until_the_model_is_written(tmp_path, monkeypatch):
    fn_args = arguments(tmp_path / "inputs")
    settings = worlds.settings()
    corpus = types.SimpleNamespace(counts=np.array([2, 1]))
    parts = types.SimpleNamespace(settings=settings, corpus=corpus, model=None, reader=None)
    folder = pathlib.Path(run_fn.checkpoints_of(fn_args, settings))
    trained = []

    def fit(model, reader, files, settings, num_targets, run_dir, checkpoint_dir):
        trained.append((files, num_targets, checkpoint_dir))
        folder.mkdir(parents=True, exist_ok=True)
        return {"epochs": 1}

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr(run_fn, "read", lambda _: parts)
    monkeypatch.setattr(training, "fit", fit)
    monkeypatch.setattr(run_fn, "write", full_disk)
    with pytest.raises(OSError, match="no space left"):
        run_fn.run_fn(fn_args)
    assert folder.exists()
    monkeypatch.setattr(run_fn, "write", lambda *_: None)
    run_fn.run_fn(fn_args)
    assert not folder.exists()
    files = training.Files(train=fn_args.train_files, eval=fn_args.eval_files)
    assert trained == [(files, 3, str(folder))] * 2
