"""Local KFP runs of the smoke preset: minutes of processes that import TFX."""

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
class Repeated:
    """The same local KFP run twice."""

    workspace: Workspace
    first: Summary
    second: Summary
    first_events: RecordingListener
    second_events: RecordingListener


@pytest.fixture(scope="module")
def repeated(smoke, tmp_path_factory) -> Repeated:
    from pipeline.kubeflow.local_kfp import run

    workspace = Workspace(tmp_path_factory.mktemp("local-kfp"), smoke.config.name)
    listeners = RecordingListener(), RecordingListener()
    summaries = []
    for run_id, listener in zip(("first", "second"), listeners, strict=True):
        workspace.run_dir(run_id).mkdir(parents=True)
        summaries.append(run.execute(smoke.config, workspace, run_id, smoke.data_root, listener, "seconds"))
    return Repeated(workspace, summaries[0], summaries[1], listeners[0], listeners[1])


def test_the_figures_are_those_of_the_local_run(smoke, repeated):
    local, compiled = smoke.first.summary, repeated.first
    assert compiled.status is Status.PUSHED, compiled.reasons
    assert compiled.metrics == local.metrics
    assert compiled.baselines == local.baselines
    assert compiled.blessing == local.blessing
    assert compiled.protocol == local.protocol
    assert compiled.data == local.data
    assert {**compiled.training, "seconds": 0} == {**local.training, "seconds": 0}
    # ScaNN's clusters differ between builds, and recall with them by a few thousandths (decision 27).
    assert compiled.index.recall_at_k == pytest.approx(local.index.recall_at_k, abs=0.01)


def test_every_task_ran_once_and_the_same_again_comes_from_the_cache(smoke, repeated):
    # One task for all schemas: on a cluster each is a pod.
    elsewhere = _RESOLVERS | {"InteractionsSchema", "CandidatesSchema", "QueriesSchema"}
    assert set(repeated.first_events.started) == set(smoke.first.listener.started) - elsewhere | {"Schemas"}
    assert not any(repeated.first_events.cached.values())
    assert all(repeated.second_events.cached.values())
    # Once its model is blessed, the run must not be compared with itself.
    assert repeated.second.pushed == repeated.first.pushed


def test_the_serving_folder_is_separate(smoke, repeated):
    served = repeated.workspace.serving_dir
    assert (served / str(repeated.first.pushed.version) / "saved_model.pb").is_file()
    assert served != smoke.workspace.serving_dir


def test_the_executed_package_is_the_one_for_kubeflow(repeated):
    path = repeated.workspace.run_dir("first") / "pipeline.yaml"
    package = Package.from_yaml(path.read_text(encoding="utf-8"), str(path))
    assert find_problems(package, private_paths=[str(repeated.workspace.root)]) == []


def test_direct_storage_is_refused_since_there_is_no_bucket(smoke, tmp_path):
    from pipeline.kubeflow.local_kfp import run

    direct = Kubeflow(image="x", pipeline_root="gs://bucket/root", storage="direct")
    config = smoke.config.model_copy(update={"kubeflow": direct})
    with pytest.raises(ConfigError, match="kubeflow.storage: expected copied"):
        run.execute(config, Workspace(tmp_path, config.name), "r", smoke.data_root, RecordingListener(), "seconds")
