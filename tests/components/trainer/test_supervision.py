"""The supervisor of training processes, with small programs in their place."""

import json
import logging
import os
import sys

import pytest

from components.trainer import checks, cluster, process, rendezvous, workers
from components.trainer.job import Job
from shortlist.config.train import Train
from shortlist.errors import ConfigError, DataError
from shortlist.process import progress

_JOB = Job({}, ["train"], ["eval"], "candidates", "graph", "windows", "run", "checkpoints")
_START = """
import json, os, pathlib, signal, sys, time
def send(**message): print(json.dumps(message), flush=True)
task = json.loads(sys.stdin.readline())
first = task["number"] == 0
folder = pathlib.Path({folder!r})
attempt = len(list(folder.glob(f"{{task['number']}}-*")))
(folder / f"{{task['number']}}-{{attempt}}").write_text(json.dumps(task))
"""


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Returns a function that trains with a program's text in place of each process, and the tasks they got."""

    def train(text, section=None, newest=lambda: ""):
        program = _START.format(folder=str(tmp_path)) + text
        monkeypatch.setattr(workers, "_COMMAND", (sys.executable, "-c", program))
        monkeypatch.setattr(workers, "_PAUSE_SECONDS", 0.0)
        section = section or Train(strategy="multi_worker")
        workers.train(_JOB, section, newest)
        return {path.name: json.loads(path.read_text()) for path in sorted(tmp_path.iterdir())}

    monkeypatch.delenv(cluster.VARIABLE, raising=False)
    return train


def test_the_chief_has_the_job_and_its_progress_is_reported(run):
    heard = []
    with progress.listening(lambda report: heard.append((report.done, report.total, report.unit, report.note))):
        tasks = run("first and send(progress=[3, 9, 'steps', 'epoch 1'])\nsend(finished=True)")
    assert heard == [(3, 9, "steps", "epoch 1")]
    assert list(tasks) == ["0-0", "1-0"]
    assert tasks["0-0"]["job"] == _JOB._asdict()
    assert tasks["1-0"]["job"] is None
    assert tasks["0-0"]["addresses"] == tasks["1-0"]["addresses"]


def test_one_process_trains_on_all_devices_of_a_machine(run):
    tasks = run("send(finished=True)", Train(strategy="mirrored"))
    assert list(tasks) == ["0-0"]
    assert tasks["0-0"]["addresses"] == []


@pytest.mark.parametrize("gpus", [0, 1])
def test_mirrored_is_refused_before_the_run_with_fewer_than_two_gpus(gpus, monkeypatch):
    found = [[f"GPU:{number}" for number in range(count)] for count in (gpus, 2)]
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: found.pop(0))
    with pytest.raises(ConfigError, match=f"two GPUs or more for mirrored, got {gpus} .*; use multi_worker, or none"):
        checks.check(Train(strategy="mirrored"))
    checks.check(Train(strategy="mirrored"))


def test_with_a_cluster_only_the_chief_is_started_here(run, monkeypatch):
    monkeypatch.setenv(cluster.VARIABLE, cluster.Cluster(("a:1", "b:1"), 0).tf_config())
    tasks = run("send(finished=True)")
    assert list(tasks) == ["0-0"]
    assert tasks["0-0"]["addresses"] == ["a:1", "b:1"]
    monkeypatch.setenv(cluster.VARIABLE, cluster.Cluster(("a:1", "b:1"), 1).tf_config())
    with pytest.raises(ConfigError, match="the chief's task, got that of worker 1; run `shortlist train-worker"):
        checks.check(Train(strategy="multi_worker"))
    checks.check(Train())


def test_each_worker_of_the_cluster_is_asked_before_the_run(monkeypatch):
    found = cluster.loopback(2)
    monkeypatch.setenv(cluster.VARIABLE, found.tf_config())
    section = Train(strategy="multi_worker", worker_timeout_seconds=1.0)
    with pytest.raises(ConfigError, match="^worker 1: expected an answer at .* within 1 s, got"):
        checks.check(section)
    asked = []
    monkeypatch.setattr(rendezvous, "probe", lambda *args: asked.append(args))
    checks.check(section)
    assert asked == [(found, process.code_fingerprints(), 1.0)]


def test_all_processes_start_again_when_one_dies(run, caplog):
    # The chief would wait for ever; a killed process may leave half a line.
    # It dies after the chief's start, which the chief counts its attempts by.
    killed = (
        "while not (folder / '0-0').exists(): time.sleep(0.01)\n    "
        "print('{\"pro', end='', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    tasks = run(f"if attempt == 0 and not first:\n    {killed}\nif attempt == 0: time.sleep(600)\nsend(finished=True)")
    assert sorted(tasks) == ["0-0", "0-1", "1-0", "1-1"]
    # A port may still be in use.
    assert tasks["0-1"]["addresses"] != tasks["0-0"]["addresses"]
    [record] = caplog.records
    assert record.getMessage() == (
        "training process 1 was killed (SIGKILL); the training resumes from its start, because there is no checkpoint "
        "yet (restart 1 of 3 without a new checkpoint)"
    )


def test_deaths_without_a_new_checkpoint_end_the_training(run, tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    # One checkpoint after the first death.
    names = iter(["", *["state-1"] * 9])
    with pytest.raises(RuntimeError, match=r"training process 0 ended with code 7; the training ended 4 times"):
        run("sys.exit(7) if first else time.sleep(600)", newest=lambda: next(names))
    assert len(list(tmp_path.glob("0-*"))) == 1 + workers.MAX_RESTARTS


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("send(refused='DataError', args=['bad data', '', '', '', ''])", DataError, "^bad data$"),
        ("send(refused='ConfigError', args=['bad config'])", ConfigError, "^bad config$"),
        ("send(failed='ValueError: why')", RuntimeError, "^training process 1: ValueError: why$"),
    ],
)
def test_an_error_that_would_come_again_ends_the_training_at_once(run, tmp_path, text, kind, words):
    with pytest.raises(kind, match=words):
        run(f"time.sleep(600) if first else {text}")
    assert len(list(tmp_path.glob("1-*"))) == 1


def test_no_process_outlives_the_training(run, tmp_path):
    with pytest.raises(RuntimeError, match="failed"):
        run("(folder / f'2-{os.getpid()}').write_text('{}')\nsend(failed='failed') if first else time.sleep(600)")
    pids = [int(path.name[2:]) for path in tmp_path.glob("2-*")]
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
