"""Trainings by two processes on loopback give the model of one, also if a process is killed in the middle."""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from components.trainer import checkpoints, cluster, training, workers
from components.trainer.job import Job
from components.trainer.run_state import PROGRESS_FILE
from components.trainer.settings import Settings
from tests.components.trainer import tiny_dataset as worlds

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).parents[3]


def _settings(loss, model, **train):
    return worlds.settings(
        model=model, train={"loss": loss, "epochs": 3, "eval_every_epochs": 1, "learning_rate": 0.01, **train}
    )


CASES = {
    "corpus": _settings({"kind": "corpus"}, worlds.WITH_DROPOUT),
    "in_batch": _settings(
        {"kind": "in_batch", "uniform_negatives": 5, "num_hard_negatives": 6}, worlds.WITHOUT_DROPOUT
    ),
    "sampled": _settings(
        {"kind": "sampled", "in_batch_negatives": 6, "uniform_negatives": 6}, worlds.WITH_DROPOUT, weight_decay=0.01
    ),
}
LONG = _settings({"kind": "corpus"}, worlds.WITH_DROPOUT, epochs=28, eval_every_epochs=2, patience=1)


def _fit(world, settings, folder):
    model, reader, corpus = worlds.untrained(world, settings)
    files = training.Files(train=world.windows["train"], eval=world.windows["eval"])
    history = training.fit(
        model, reader, files, settings, int(corpus.counts.sum()), str(folder / "run"), str(folder / "checkpoints")
    )
    return history, model.embed_candidates().numpy()


def _assert_equal(found, expected):
    (history, embeddings), (wanted, wanted_embeddings) = found, expected
    for line, other in zip(history["log"], wanted["log"], strict=True):
        line, other = ({name: value for name, value in one.items() if name != "seconds"} for one in (line, other))
        assert line == pytest.approx(other, abs=1e-4)
    assert history["best_step"] == wanted["best_step"]
    np.testing.assert_allclose(embeddings, wanted_embeddings, atol=1e-4)


def _by_two(world, folder, names, addresses=()):
    """Trains cases with two replicas: in a process per address, or on two devices of one process."""
    job = {
        "world": dataclasses.asdict(world),
        "settings": {name: CASES[name].to_json() for name in names},
        "result": str(folder / "result"),
    }
    jobs = [{**job, "addresses": addresses, "index": index} for index in range(len(addresses))] or [job]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.components.trainer.team_child", json.dumps(one)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for one in jobs
    ]
    errors = [process.communicate(timeout=1_200)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(jobs), errors
    return {
        name: (json.loads((folder / f"result-{name}.json").read_text()), np.load(folder / f"result-{name}.npy"))
        for name in names
    }


@pytest.fixture(scope="module")
def trained_by_one(world, tmp_path_factory):
    return {name: _fit(world, settings, tmp_path_factory.mktemp(name)) for name, settings in CASES.items()}


def test_two_processes_give_the_model_of_one(world, trained_by_one, tmp_path):
    found = _by_two(world, tmp_path, CASES, cluster.loopback(2).addresses)
    for name in CASES:
        _assert_equal(found[name], trained_by_one[name])


def test_two_devices_give_the_model_of_one(world, trained_by_one, tmp_path):
    # This loss has both kinds of gradients: of whole tables, and of some rows.
    _assert_equal(_by_two(world, tmp_path, ["sampled"])["sampled"], trained_by_one["sampled"])


@pytest.fixture(scope="module")
def long(world, tmp_path_factory):
    """Returns the training of one process that early stopping ends."""
    history, embeddings = _fit(world, LONG, tmp_path_factory.mktemp("long"))
    assert history["epochs"] < LONG.train.epochs
    return history, embeddings


def _job(world, folder):
    return Job(
        settings=LONG.to_json(),
        train=world.windows["train"],
        eval=world.windows["eval"],
        candidates=world.candidates[0],
        candidate_transform=world.candidate_transform,
        window_transform=world.transform,
        run_dir=str(folder / "run"),
        checkpoint_dir=str(folder / "checkpoints"),
    )


def _train(world, folder):
    section = Settings.from_json(LONG.to_json()).train.model_copy(update={"strategy": "multi_worker"})
    job = _job(world, folder)
    workers.train(job, section, lambda: checkpoints.newest(job.checkpoint_dir))
    # As `run_fn` does: it finds the training finished.
    return _fit(world, LONG, folder)


def _processes(parent):
    """Returns the training processes that a process started, in the order of their start."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            started_by = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if started_by == parent and b"components.trainer.process" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return sorted(found)


@contextlib.contextmanager
def _kill_after_two_checkpoints(folder, process):
    """Kills a process within the body, once the training has two checkpoints; `process` returns its id."""
    killed = []

    def wait():
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            if checkpoints.newest(str(folder / "checkpoints")) >= "state-000002":
                killed.append(process())
                os.kill(killed[0], signal.SIGKILL)
                return
            time.sleep(0.02)

    thread = threading.Thread(target=wait)
    thread.start()
    yield
    thread.join()
    assert killed


def test_a_killed_worker_is_started_again_and_the_training_resumes(world, long, tmp_path, caplog):
    with _kill_after_two_checkpoints(tmp_path, lambda: _processes(os.getpid())[1]):
        found = _train(world, tmp_path)
    _assert_equal(found, long)
    [warning] = [record.getMessage() for record in caplog.records if record.name == workers.__name__]
    assert "training process 1 was killed (SIGKILL); the training resumes from state-00000" in warning
    # The chief alone wrote, and no process is left.
    assert len((tmp_path / "run" / PROGRESS_FILE).read_text().splitlines()) == len(long[0]["log"])
    assert not _processes(os.getpid())


def test_a_machine_of_its_own_takes_part_and_survives_a_killed_chief(world, long, tmp_path, monkeypatch):
    found = cluster.loopback(2)
    environment = {**os.environ, cluster.VARIABLE: found._replace(number=1).tf_config()}
    monkeypatch.setenv(cluster.VARIABLE, found.tf_config())
    worker = subprocess.Popen(
        [sys.executable, "-m", "shortlist", "train-worker"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        with _kill_after_two_checkpoints(tmp_path, lambda: _processes(os.getpid())[0]):
            trained = _train(world, tmp_path)
        _assert_equal(trained, long)
        children = _processes(worker.pid)
    finally:
        worker.terminate()
        output, _ = worker.communicate(timeout=60)
    lines = [line.split("  ")[-1].strip() for line in output.splitlines()]
    assert lines[0].startswith("Worker 1 of 2 at 127.0.0.1:")
    assert "another process of the training has ended; this worker starts again" in lines
    # It waits for the next training, and ends with its parent.
    assert lines[-1] == "the training has ended"
    deadline = time.monotonic() + 30
    while any(pathlib.Path("/proc", str(child)).exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(pathlib.Path("/proc", str(child)).exists() for child in children)
