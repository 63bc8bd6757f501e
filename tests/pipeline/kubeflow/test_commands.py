"""`compile` and `submit` as people type them."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml

from shortlist.config.load import load_config
from shortlist.tables import content
from tests.pipeline.conftest import ROOT
from tests.pipeline.kubeflow import api as fake
from tests.pipeline.kubeflow.api import Api


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with fake.serving() as api:
        yield api


@pytest.fixture(scope="module")
def config_path(tmp_path_factory, data_root) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("config")
    raw = yaml.safe_load((ROOT / "configs" / "smoke.yaml").read_text(encoding="utf-8"))
    raw["data"]["schemas"] = str(ROOT / "schemas" / "movielens_100k")
    raw["workspace"] = str(folder / "workspace")
    raw["kubeflow"] = {"image": "registry.example.com/shortlist:1", "pipeline_root": "minio://bucket/root"}
    path = folder / "smoke.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def _shortlist(folder: pathlib.Path, data_root: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KF_PIPELINES")}
    # Nobody's own kfp configuration.
    environment |= {"SHORTLIST_DATA_DIR": str(data_root), "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "pipeline_runner", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_submit_sends_the_data_it_saw_and_waits_for_the_end(api, config_path, data_root, tmp_path):
    arguments = ["submit", "--config", str(config_path), "--host", api.url, "--set", "kubeflow.data_root=/data"]
    arguments += ["--set", "kubeflow.serving_dir=/models/smoke", "--run-name", "tried", "--wait", "--json"]
    told = tmp_path / "told.json"
    command = {"argv": ["/bin/sh", "-c", 'cat > "$0"', str(told)]}
    arguments += ["--set", f"notify={json.dumps({'command': command})}"]
    done = _shortlist(tmp_path, data_root, *arguments)
    assert done.returncode == 0, done.stderr
    submitted = json.loads(done.stdout)
    assert (submitted["id"], submitted["outcome"]) == ("r-1", "succeeded")
    sha256 = content.tables_sha256(load_config(config_path).data.tables, data_root)
    assert submitted["parameters"] == {
        "data_root": "/data",
        "serving_dir": "/models/smoke",
        **{f"{table}_sha256": fingerprint for table, fingerprint in sha256.items()},
    }
    [run] = api.bodies(fake.RUNS)
    assert run["runtime_config"] == {"parameters": submitted["parameters"], "pipeline_root": "minio://bucket/root"}
    assert run["display_name"] == "tried"
    assert "No comparison with an earlier run" in done.stderr
    assert not (config_path.parent / "workspace").exists()
    message = json.loads(told.read_text())
    assert (message["status"], message["run_id"]) == ("succeeded", "r-1")
    assert message["report"].endswith("/r-1")


def test_compile_writes_a_file_and_lists_the_run_parameters(config_path, data_root, tmp_path):
    done = _shortlist(tmp_path, data_root, "compile", "--config", str(config_path), "-o", "out.yaml", "--baseline")
    assert done.returncode == 0, done.stderr
    assert "baseline_model, candidates_sha256, data_root" in " ".join(done.stdout.split())
    assert str(tmp_path) not in (tmp_path / "out.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compile", "--config", str(ROOT / "configs" / "smoke.yaml")], "kubeflow: expected a section with at least"),
        (["submit", "--set", "kubeflow.image=x", "--pipeline-root", "/srv"], "a bucket that KFP's launcher can open"),
        (["submit", "--set", "kubeflow.image=x", "--cron", "@daily", "--wait"], "give one of them"),
        (["submit", "--set", "kubeflow.image=x", "--host", "http://127.0.0.1:1"], "got [Errno 111] Connection refused"),
    ],
)
def test_impossible_commands_are_refused_at_once(arguments, message, data_root, tmp_path, monkeypatch):
    if "--config" not in arguments:
        arguments = [*arguments, "--config", str(ROOT / "configs" / "smoke.yaml")]
    done = _shortlist(tmp_path, data_root, *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_kfp_is_one_sentence(monkeypatch):
    from cli import kubeflow
    from shortlist.errors import ConfigError

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"expected kfp.* install the extra: pip install 'shortlist\[kubeflow\]'"):
        kubeflow.check_kfp()


@pytest.mark.parametrize(
    ("given", "fields"), [("0 3 * * *", "0 0 3 * * *"), ("0 0 3 * * *", "0 0 3 * * *"), ("3am", None)]
)
def test_a_schedule_has_six_fields(given, fields):
    from cli import submit
    from shortlist.errors import ConfigError

    if fields is not None:
        assert submit._six_fields(given) == fields
    else:
        with pytest.raises(ConfigError, match="expected six fields"):
            submit._six_fields(given)
