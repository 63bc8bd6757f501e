"""A local KFP run sets no variable of the config: LD_PRELOAD or PYTHONPATH would run the author's code here."""

from __future__ import annotations

import io

import pytest
import yaml

from cli import kubeflow, local_kfp
from cli.notification import Ended
from cli.output import consoles
from shortlist.config.load import load_config
from shortlist.workspace import Workspace
from tests.pipeline.conftest import ROOT, RecordingListener


class _Stop(Exception):
    pass


@pytest.fixture
def config(tmp_path):
    # Other absolute paths are refused, but the config also names the volumes.
    env = {"LD_PRELOAD": "/mnt/evil/evil.so", "PYTHONPATH": "/mnt/evil"}
    return load_config(
        ROOT / "configs" / "smoke.yaml",
        {
            "workspace": str(tmp_path / "workspace"),
            "data.schemas": str(ROOT / "schemas" / "movielens_100k"),
            "kubeflow": {
                "image": "i:1",
                "volumes": [{"claim": "c", "path": "/mnt/evil"}],
                "defaults": {"env": env},
                "tasks": {"Trainer": {"env": {"PATH": "/mnt/evil"}}},
            },
        },
    )


def test_no_container_gets_them(config, tmp_path, data_root, monkeypatch):
    from pipeline.kubeflow.local_kfp import run, walk

    executed = []

    def stop(package, *_):
        executed.append(package)
        raise _Stop

    monkeypatch.setattr(walk, "walk", stop)
    workspace = Workspace(tmp_path / "workspace", config.name)
    workspace.run_dir("one").mkdir(parents=True)
    with pytest.raises(_Stop):
        run.execute(config, workspace, "one", data_root, RecordingListener(), "seconds")
    [package] = executed
    executors = package.pipeline["deploymentSpec"]["executors"]
    containers = [executor["container"] for executor in executors.values() if "container" in executor]
    assert len(containers) > 10
    assert not [container for container in containers if "env" in container]
    # The file is the one for a cluster, with them.
    written = next(yaml.safe_load_all((workspace.run_dir("one") / "pipeline.yaml").read_text(encoding="utf-8")))
    assert written["deploymentSpec"]["executors"]["Trainer_executor"]["container"]["env"][0]["name"] == "LD_PRELOAD"


def test_a_warning_names_them(config, tmp_path, monkeypatch):
    def stop() -> None:
        raise _Stop

    monkeypatch.setattr(kubeflow, "check_kfp", lambda: None)
    monkeypatch.setattr(Workspace, "reserve", lambda *_: stop())
    out = io.StringIO()
    with pytest.raises(_Stop):
        local_kfp.run_local_kfp(
            config, Workspace(tmp_path, "x"), tmp_path, "seconds", consoles.console(file=out), False, Ended()
        )
    assert "does not set LD_PRELOAD, PATH, PYTHONPATH: its commands run on this machine" in out.getvalue()
