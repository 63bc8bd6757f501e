from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from pipeline.kubeflow import submit
from pipeline.kubeflow.package import Package
from pipeline.kubeflow.submission import uncached
from shortlist.config.kubeflow import Kubeflow
from shortlist.errors import BadInputError
from tests.pipeline.kubeflow import api as fake
from tests.pipeline.kubeflow.api import Api

_PARAMETERS = {"word": "go", "model": "gs://bucket/model"}


@pytest.fixture
def api(monkeypatch, tmp_path) -> Iterator[Api]:
    monkeypatch.delenv(submit.TOKEN, raising=False)
    monkeypatch.delenv(submit.COOKIES, raising=False)
    # Nobody's own kfp configuration.
    monkeypatch.setattr("kfp.client.client.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    with fake.serving() as api:
        yield api


def _cluster(api: Api, **section: object) -> submit.Cluster:
    return submit.Cluster(Kubeflow.model_validate({"image": "x", "host": api.url, **section}))


def test_a_run_is_sent_with_all_its_parameters(api, made_by_kfp):
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-make": {"pvcMount": []}}}}}}
    cluster = _cluster(
        api, pipeline_root="minio://bucket/root", experiment="shop", service_account="runner", namespace="team"
    )
    submitted = cluster.submit(Package(made_by_kfp.pipeline, platform), _PARAMETERS, "nightly")
    assert submitted == submit.Submission("r-1", f"{api.url}/#/runs/details/r-1")
    assert api.bodies(fake.EXPERIMENTS) == [{"display_name": "shop", "namespace": "team"}]
    [run] = api.bodies(fake.RUNS)
    assert run["display_name"] == "nightly"
    assert run["experiment_id"] == "e-1"
    assert run["service_account"] == "runner"
    assert run["runtime_config"] == {"parameters": _PARAMETERS, "pipeline_root": "minio://bucket/root"}
    assert run["pipeline_spec"]["pipeline_spec"] == made_by_kfp.pipeline
    assert set(run["pipeline_spec"]["platform_spec"]["platforms"]) == {"kubernetes"}


def test_a_schedule_runs_one_at_a_time_and_makes_up_for_none(api, made_by_kfp):
    submitted = _cluster(api).schedule(made_by_kfp, _PARAMETERS, "nightly", "0 0 3 * * *")
    assert submitted.address.endswith("/#/recurringrun/details/r-1")
    [schedule] = api.bodies(fake.RECURRING)
    assert schedule["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * *"}}
    assert (schedule["max_concurrency"], schedule["no_catchup"], schedule["mode"]) == (1, True, "ENABLE")
    assert schedule["runtime_config"]["parameters"] == _PARAMETERS


def test_a_token_comes_from_the_environment_alone(api, monkeypatch, made_by_kfp):
    api.token = "fresh"
    with pytest.raises(
        BadInputError, match=rf"does not accept the credentials \(Unauthenticated: no token\); renew {submit.TOKEN}"
    ):
        _cluster(api)
    monkeypatch.setenv(submit.TOKEN, "fresh")
    _cluster(api).submit(made_by_kfp, _PARAMETERS, "x")
    assert "fresh" not in json.dumps(api.sent)


def test_a_dead_address_is_refused_in_seconds():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(submit.Unreachable, match=rf"at http://127.0.0.1:{port}, got .*refused; after `kubectl"):
        submit.Cluster(Kubeflow(image="x", host=f"http://127.0.0.1:{port}"))


def test_a_login_page_is_no_kubeflow(api):
    api.is_login_page = True
    with pytest.raises(submit.Unreachable, match="perhaps a login page"):
        _cluster(api)


def test_several_users_need_a_namespace(api):
    api.multi_user = True
    with pytest.raises(BadInputError, match="kubeflow.namespace: expected a namespace"):
        _cluster(api)
    _cluster(api, namespace="team")


def test_a_refusal_quotes_the_apis_message(api, made_by_kfp):
    api.refusal = "parameter word is not optional"
    with pytest.raises(BadInputError, match="refused the request with 400: parameter word is not optional"):
        _cluster(api).submit(made_by_kfp, {}, "x")


def test_waiting_reports_tasks_and_survives_a_broken_connection(api):
    def tasks(**states: str) -> dict[str, object]:
        details = [{"display_name": name.replace("_", "-"), "state": state} for name, state in states.items()]
        return {"run_details": {"task_details": details}}

    api.states = [
        {"state": "PENDING"},
        {"state": "RUNNING", **tasks(root="RUNNING", Trainer_driver="SUCCEEDED", Trainer="RUNNING")},
        {"state": "FAILED", **tasks(Trainer="FAILED"), "error": {"message": "out of memory"}},
    ]
    api.breaks = 5
    states: list[submit.RunState] = []
    ended = _cluster(api).wait("r-1", states.append, poll_seconds=0.01)
    assert [dict(state.tasks) for state in states] == [{}, {"Trainer": "RUNNING"}, {"Trainer": "FAILED"}]
    assert (ended.state, ended.errors) == ("FAILED", ("out of memory",))


def test_a_run_that_is_canceled_has_ended(api):
    api.states = [{"state": "CANCELED"}]
    assert _cluster(api).wait("r-1", lambda state: None, poll_seconds=0.01).state == "CANCELED"


def test_the_api_may_be_silent_for_a_minute_and_no_longer(api):
    cluster = _cluster(api)
    api.breaks = 10_000
    with pytest.raises(submit.RunLost, match="run r-1 may still be active"):
        cluster.wait("r-1", lambda state: None, poll_seconds=0.0)


def test_a_scheduled_run_reads_its_tables_each_time():
    task = {"inputs": {"parameters": {"content_sha256": {}}}, "cachingOptions": {"enableCache": True}}
    other = {"inputs": {}, "cachingOptions": {"enableCache": True}}
    package = Package({"root": {"dag": {"tasks": {"InteractionsGen": task, "Trainer": other}}}})
    assert uncached(package).tasks == {"InteractionsGen": {**task, "cachingOptions": {}}, "Trainer": other}
