"""A training that is killed several times has the same result as an undisturbed one."""

import dataclasses
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from components.trainer import training
from components.trainer.ranker import NDCG, TOP_10
from components.trainer.run_state import PROGRESS_FILE, SAVE_EVERY_SECONDS
from tests.components.trainer import tiny_dataset as worlds

ROOT = pathlib.Path(__file__).parents[3]
pytestmark = pytest.mark.slow
# One block, since four tracings of the graph take most of this test's time.
TOWERS = {"query_tower": {"kind": "history", "blocks": 1, "dropout": 0.3}, "candidate_tower": {"dropout": 0.1}}


def _settings(loss, model):
    # Early stopping ends both cases before their last epoch: the patience counter must survive the kill, too.
    train = {"loss": loss, "epochs": 60, "eval_every_epochs": 2, "patience": 3, "learning_rate": 0.01}
    return worlds.settings(model=model, train=train)


CASES = {
    "corpus": _settings({"kind": "corpus"}, TOWERS),
    "in_batch": _settings({"kind": "in_batch", "uniform_negatives": 5}, TOWERS),
}


def _fit(world, settings, run_dir, checkpoint_dir):
    model, reader, corpus = worlds.assemble(world, settings)
    files = training.Files(train=world.windows["train"], eval=world.windows["eval"])
    history = training.fit(model, reader, files, settings, int(corpus.counts.sum()), str(run_dir), str(checkpoint_dir))
    return history, model.embed_candidates().numpy()


def _start(world, settings, folder, run, save_every_seconds):
    job = {
        "world": dataclasses.asdict(world),
        "settings": settings.to_json(),
        "save_every_seconds": save_every_seconds,
        "run_dir": str(folder / f"run-{run}"),
        "checkpoint_dir": str(folder / "checkpoints"),
        "result": str(folder / "result.json"),
    }
    command = [sys.executable, "-m", "tests.components.trainer.child", json.dumps(job)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def _states(folder):
    return sorted(path.name for path in (folder / "checkpoints").glob("state-*.index"))


def _kill_when(process, happened):
    while not happened():
        assert process.poll() is None, process.stderr.read()
    process.kill()
    process.wait()


def _lines(log):
    return [{name: value for name, value in line.items() if name != "seconds"} for line in log]


@pytest.mark.parametrize("case", CASES)
def test_killed_in_the_middle_of_saving_and_of_training_it_ends_as_if_left_alone(world, case, tmp_path):
    settings = CASES[case]
    undisturbed, embeddings = _fit(world, settings, tmp_path / "alone", tmp_path / "alone-checkpoints")
    assert undisturbed["epochs"] < settings.train.epochs, "expected early stopping"
    assert undisturbed["best_epoch"] < undisturbed["epochs"]

    # With 0.05 s between checkpoints, the process saves most of the time.
    first = _start(world, settings, tmp_path, 1, save_every_seconds=0.05)
    _kill_when(first, lambda: any((tmp_path / "checkpoints").glob("state-*_temp*")))
    seen = _states(tmp_path)
    second = _start(world, settings, tmp_path, 2, save_every_seconds=0.2)
    progress = tmp_path / "run-2" / PROGRESS_FILE
    enough = undisturbed["best_epoch"] // 2
    _kill_when(second, lambda: progress.exists() and progress.read_text().count("\n") >= enough + 1)
    assert _states(tmp_path) > seen

    third = _start(world, settings, tmp_path, 3, SAVE_EVERY_SECONDS)
    _, stderr = third.communicate()
    assert third.returncode == 0, stderr
    resumed = json.loads((tmp_path / "result.json").read_text())
    assert len(resumed["log"]) == len(undisturbed["log"])
    for line, expected in zip(_lines(resumed["log"]), _lines(undisturbed["log"]), strict=True):
        assert line == pytest.approx(expected, abs=1e-6)
    for name in ("epochs", "steps", "best_epoch", f"best_{NDCG}", f"best_{TOP_10}"):
        assert resumed[name] == pytest.approx(undisturbed[name], abs=1e-6)
    np.testing.assert_allclose(np.load(tmp_path / "result.json.npy"), embeddings, atol=1e-6)
