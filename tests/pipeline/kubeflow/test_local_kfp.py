"""The smoke preset, compiled for Kubeflow and executed as it was compiled: minutes of processes that import TFX."""

from __future__ import annotations

import dataclasses

import pytest

from pipeline.kubeflow.check import find_problems
from pipeline.kubeflow.package import Package
from shortlist.config.kubeflow import Kubeflow
from shortlist.errors import ConfigError
from shortlist.summary import Status, Summary
from shortlist.workspace import Workspace
from tests.pipeline.conftest import RecordingListener

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_RESOLVERS = {"BlessedStatistics", "BlessedModel"}


@dataclasses.dataclass(frozen=True)
class Rehearsed:
    """The same rehearsal twice."""

    workspace: Workspace
    first: Summary
    second: Summary
    heard: RecordingListener
    heard_again: RecordingListener


@pytest.fixture(scope="module")
def rehearsed(smoke, tmp_path_factory) -> Rehearsed:
    from pipeline.kubeflow.local_kfp import run

    workspace = Workspace(tmp_path_factory.mktemp("rehearsal"), smoke.config.name)
    listeners = RecordingListener(), RecordingListener()
    summaries = []
    for run_id, listener in zip(("first", "second"), listeners, strict=True):
        workspace.run_dir(run_id).mkdir(parents=True)
        summaries.append(run.rehearse(smoke.config, workspace, run_id, smoke.data_root, listener, "seconds"))
    return Rehearsed(workspace, summaries[0], summaries[1], listeners[0], listeners[1])


def test_the_rehearsal_measures_what_the_local_run_measured(smoke, rehearsed):
    local, compiled = smoke.first.summary, rehearsed.first
    assert compiled.status is Status.PUSHED, compiled.reasons
    assert compiled.metrics == local.metrics
    assert compiled.baselines == local.baselines
    assert compiled.blessing == local.blessing
    assert compiled.protocol == local.protocol
    assert compiled.data == local.data
    assert {**compiled.training, "seconds": 0} == {**local.training, "seconds": 0}
    assert compiled.index.recall_at_k == local.index.recall_at_k


def test_every_task_ran_once_and_the_same_again_comes_from_the_cache(smoke, rehearsed):
    # One task for all schemas: on a cluster each is a pod.
    elsewhere = _RESOLVERS | {"InteractionsSchema", "CandidatesSchema", "QueriesSchema"}
    assert set(rehearsed.heard.started) == set(smoke.first.listener.started) - elsewhere | {"Schemas"}
    assert not any(rehearsed.heard.cached.values())
    assert all(rehearsed.heard_again.cached.values())
    # Once its model is blessed, the run must not be compared with itself.
    assert rehearsed.second.pushed == rehearsed.first.pushed


def test_the_rehearsal_serves_apart(smoke, rehearsed):
    served = rehearsed.workspace.serving_dir
    assert (served / str(rehearsed.first.pushed.version) / "saved_model.pb").is_file()
    assert served != smoke.workspace.serving_dir


def test_what_was_executed_is_what_kubeflow_would_get(rehearsed):
    path = rehearsed.workspace.run_dir("first") / "pipeline.yaml"
    package = Package.from_yaml(path.read_text(encoding="utf-8"), str(path))
    assert find_problems(package, private_paths=[str(rehearsed.workspace.root)]) == []


def test_tfx_cannot_open_a_bucket_that_is_only_rehearsed(smoke, tmp_path):
    from pipeline.kubeflow.local_kfp import run

    direct = Kubeflow(image="x", pipeline_root="gs://bucket/root", storage="direct")
    config = smoke.config.model_copy(update={"kubeflow": direct})
    with pytest.raises(ConfigError, match="kubeflow.storage: expected copied"):
        run.rehearse(config, Workspace(tmp_path, config.name), "r", smoke.data_root, RecordingListener(), "seconds")
