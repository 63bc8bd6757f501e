"""Identity and removal of checkpoints."""

import pathlib
import types

import numpy as np
import pytest
from tfx.components.trainer.fn_args_utils import FnArgs

from components.trainer import run_fn, training
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
