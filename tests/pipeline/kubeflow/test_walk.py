"""Local KFP runs with containers of a few lines; test_local_kfp.py has the real ones."""

from __future__ import annotations

import json
import pathlib
import sys
import textwrap
from typing import Any

import pytest

from pipeline.kubeflow.local_kfp import record, walk
from pipeline.kubeflow.metadata.store import ClusterStore
from pipeline.kubeflow.package import Document, Package
from shortlist.errors import BadInputError, DataError

_TYPE = {"artifactType": {"instanceSchema": "title: tfx.Model\ntype: object\n"}}

# Reads the executor input, records it for the test, and writes one file and its metadata.
_CODE = textwrap.dedent(
    """
    import json, os, pathlib, sys
    given = json.loads(sys.argv[1])
    state = pathlib.Path(os.environ["STATE"])
    calls = state / sys.argv[2]
    with calls.open("a") as file:
        print(json.dumps({"given": given, "env": dict(os.environ), "cwd": os.getcwd()}), file=file)
    if len(calls.read_text().splitlines()) <= int(os.environ.get("FAILS", "0")):
        print("Error: not yet", file=sys.stderr)
        sys.exit(int(os.environ.get("CODE", "1")))
    out = given["outputs"]["artifacts"]["model"]["artifacts"][0]["uri"]
    path = pathlib.Path(os.environ["SHORTLIST_KFP_MOUNT"] + out.replace("minio://", "/minio/"))
    path.mkdir()
    (path / "file").write_text(sys.argv[2])
    outputs = {"artifacts": {"model": {"artifacts": [{"metadata": {"blessed": 1, "text": "x"}}]}}}
    pathlib.Path(given["outputs"]["outputFile"]).write_text(json.dumps(outputs))
    """
)


def _task(name: str, **fields: Any) -> Document:
    given = {"taskInfo": {"name": name}, "componentRef": {"name": name}, "cachingOptions": {"enableCache": True}}
    return given | fields


def _package(state: pathlib.Path, second: dict[str, Any] | None = None, **env: str) -> Package:
    """First -> Second, which also takes what Brought imports."""
    outputs = {"artifacts": {"model": _TYPE}}
    variables = [{"name": name, "value": value} for name, value in {"STATE": str(state), **env}.items()]
    first = {"image": "x", "command": ["python", "-c", _CODE], "args": ["{{$}}", "First"]}
    after = {**first, "args": ["{{$}}", "Second"], "env": variables}
    taken = {
        "model": {"taskOutputArtifact": {"producerTask": "First", "outputArtifactKey": "model"}},
        "old": {"taskOutputArtifact": {"producerTask": "Brought", "outputArtifactKey": "result"}},
    }
    uri = {"componentInputParameter": "uri"}
    number = {"runtimeValue": {"constant": 3.0}}
    return Package(
        {
            "pipelineInfo": {"name": "two-steps"},
            "root": {
                "inputDefinitions": {"parameters": {"uri": {"parameterType": "STRING"}}},
                "dag": {
                    "tasks": {
                        "Second": _task("Second", inputs={"artifacts": taken}, **(second or {})),
                        "First": _task("First", inputs={"parameters": {"n": number, "uri": uri}}),
                        "Brought": _task("Brought", inputs={"parameters": {"artifact_uri": uri}}),
                    }
                },
            },
            "components": {
                "First": {
                    "executorLabel": "first",
                    "inputDefinitions": {
                        "parameters": {"n": {"parameterType": "STRING"}, "uri": {"parameterType": "STRING"}}
                    },
                    "outputDefinitions": outputs,
                },
                "Second": {"executorLabel": "second", "outputDefinitions": outputs},
                "Brought": {"executorLabel": "brought", "outputDefinitions": {"artifacts": {"result": _TYPE}}},
            },
            "deploymentSpec": {
                "executors": {
                    "first": {"container": {**first, "env": [{"name": "STATE", "value": str(state)}]}},
                    "second": {"container": after},
                    "brought": {
                        "importer": {
                            "artifactUri": {"runtimeParameter": "artifact_uri"},
                            "typeSchema": _TYPE["artifactType"],
                            "metadata": {"split_names": '["all"]'},
                        }
                    },
                }
            },
        }
    )


class _Listener:
    def __init__(self) -> None:
        self.cached: dict[str, bool] = {}
        self.broken: list[str] = []

    def started(self, task: str, index: int, total: int) -> None:
        assert 1 <= index <= total == 3

    def finished(self, task: str, seconds: float, cached: bool) -> None:
        self.cached[task] = cached

    def failed(self, task: str, seconds: float) -> None:
        self.broken.append(task)


class _Runs:
    """Runs with a common store of ML Metadata."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.store = record.open_store(folder / "mlmd.sqlite")
        (folder / "state").mkdir()

    def run(self, package: Package, run_id: str, uri: str | None = "minio://bucket/old") -> _Listener:
        run_parameters = {"uri": uri}
        root = f"minio://bucket/two-steps/{run_id}"
        storage = walk.PodStorage(self.folder / "pods", root, self.folder / "log", self.folder / "out")
        listener = _Listener()
        recorder = record.Recorder(self.store, "two-steps", run_id, root, run_parameters)
        try:
            walk.walk(package, run_parameters, storage, recorder, listener)
        finally:
            self.listener = listener
        return listener

    def calls(self, task: str) -> list[dict[str, Any]]:
        path = self.folder / "state" / task
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def runs(tmp_path) -> _Runs:
    return _Runs(tmp_path)


def test_a_task_gets_the_inputs_that_kfps_driver_would_resolve(runs, tmp_path):
    runs.run(_package(tmp_path / "state"), "run-1")
    [first], [second] = runs.calls("First"), runs.calls("Second")
    # A string takes any value as text; a number of JSON is a double.
    assert first["given"]["inputs"]["parameterValues"] == {"n": "3", "uri": "minio://bucket/old"}
    [model] = second["given"]["inputs"]["artifacts"]["model"]["artifacts"]
    assert model["uri"].startswith("minio://bucket/two-steps/run-1/First/")
    assert model["uri"].endswith("/model")
    assert model["type"] == {"instanceSchema": ""}
    assert model["name"].isdecimal()
    assert model["metadata"] == {"blessed": 1.0, "text": "x", "display_name": "model"}
    [old] = second["given"]["inputs"]["artifacts"]["old"]["artifacts"]
    assert (old["uri"], old["metadata"]["split_names"]) == ("minio://bucket/old", '["all"]')


def test_a_container_has_an_environment_of_its_own(runs, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_SHELL", "x")
    runs.run(_package(tmp_path / "state", MODE="fast"), "run-1")
    [call] = runs.calls("Second")
    assert "SECRET_OF_THE_SHELL" not in call["env"]
    assert call["env"]["MODE"] == "fast"
    assert call["env"]["PATH"].startswith(str(pathlib.Path(sys.executable).parent))
    assert call["cwd"] != str(pathlib.Path.cwd())


def test_the_same_again_comes_from_the_cache_and_another_import_does_not(runs, tmp_path):
    package = _package(tmp_path / "state")
    assert runs.run(package, "run-1").cached == {"Brought": False, "First": False, "Second": False}
    assert runs.run(package, "run-2").cached == {"Brought": False, "First": True, "Second": True}
    assert runs.run(package, "run-3", "minio://bucket/new").cached["Second"] is False
    recorded = list(ClusterStore(runs.store).runs("two-steps"))
    assert [run.run_id for run in recorded] == ["run-3", "run-2", "run-1"]
    assert recorded[1].output("Second", "model") == recorded[2].output("Second", "model")
    assert recorded[1].tasks["Second"].state == "CACHED"
    assert recorded[0].parameters == {"uri": "minio://bucket/new"}


def test_a_task_without_cache_runs_each_time(runs, tmp_path):
    package = _package(tmp_path / "state", {"cachingOptions": {}})
    runs.run(package, "run-1")
    assert runs.run(package, "run-2").cached == {"Brought": False, "First": True, "Second": False}


def test_a_failed_container_is_started_again_as_often_as_asked(runs, tmp_path):
    retry = {"maxRetryCount": 2, "backoffDuration": "0s", "backoffFactor": 2.0, "backoffMaxDuration": "3600s"}
    runs.run(_package(tmp_path / "state", {"retryPolicy": retry}, FAILS="2"), "run-1")
    assert len(runs.calls("Second")) == 3
    folders = {call["given"]["outputs"]["artifacts"]["model"]["artifacts"][0]["uri"] for call in runs.calls("Second")}
    assert len(folders) == 3


def test_a_task_that_fails_for_good_ends_the_run(runs, tmp_path):
    with pytest.raises(walk.TaskFailed, match=r"Second: exit code 1: not yet"):
        runs.run(_package(tmp_path / "state", FAILS="9"), "run-1")
    assert runs.listener.broken == ["Second"]
    run = ClusterStore(runs.store).run("run-1")
    assert run is not None
    assert run.tasks["Second"].state == "FAILED"
    assert run.output("Second", "model") is None


def test_refused_data_is_a_data_error(runs, tmp_path):
    with pytest.raises(DataError, match="not yet"):
        runs.run(_package(tmp_path / "state", FAILS="9", CODE="2"), "run-1")


def test_a_missing_parameter_is_refused_before_anything_runs(runs, tmp_path):
    with pytest.raises(BadInputError, match="a value for the parameter uri"):
        runs.run(_package(tmp_path / "state"), "run-1", uri=None)
    assert runs.calls("First") == []


def _independent(state: pathlib.Path, **codes: str) -> Package:
    """Tasks without dependencies, each a line of Python that can use `state`, `wait_for` and its own `name`."""
    before = textwrap.dedent(
        """
        import pathlib, sys, time
        state, name = pathlib.Path(sys.argv[1]), sys.argv[2]
        def wait_for(other):
            deadline = time.monotonic() + 600
            while not (state / other).exists():
                assert time.monotonic() < deadline, other
                time.sleep(0.01)
        (state / name).touch()
        """
    )
    containers = {
        name: {"image": "x", "command": ["python", "-c", f"{before}\n{code}"], "args": [str(state), name]}
        for name, code in codes.items()
    }
    return Package(
        {
            "pipelineInfo": {"name": "two-steps"},
            "root": {"dag": {"tasks": {name: _task(name) for name in codes}}},
            "components": {name: {"executorLabel": name} for name in codes},
            "deploymentSpec": {"executors": {name: {"container": container} for name, container in containers.items()}},
        }
    )


def test_two_tasks_that_do_not_wait_for_each_other_run_at_once_and_never_three(runs, tmp_path):
    state = tmp_path / "state"
    code = "assert not (state / 'C').exists(); (state / f'{name} ended').touch()"
    package = _independent(
        state,
        A=f"wait_for('B'); {code}",
        B="wait_for('A'); wait_for('C')",
        C="wait_for('A ended')",
    )
    assert set(runs.run(package, "run-1").cached) == {"A", "B", "C"}


def test_a_failed_task_ends_those_that_run_beside_it(runs, tmp_path):
    state = tmp_path / "state"
    package = _independent(state, A="wait_for('B'); sys.exit('Error: no')", B="time.sleep(600)", C="pass")
    with pytest.raises(walk.TaskFailed, match="A: exit code 1: no"):
        runs.run(package, "run-1")
    assert runs.listener.broken == ["A"]
    assert not (state / "C").exists()
