"""Workspaces that a run must not write to: the command ends with one sentence, before anything is written."""

from __future__ import annotations

import os
import pathlib

import pytest
import yaml

from shortlist.workspace import Workspace
from tests.cli.test_errors import Project, _runner


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def _refusal(project: Project) -> str:
    root = pathlib.Path(project.config["workspace"])
    before = sorted(root.rglob("*"))
    project.write("x.yaml", yaml.safe_dump(project.config))
    done = _runner(project.root, "run", "--config", str(project.root / "x.yaml"))
    assert done.returncode == 2, done.stderr
    assert sorted(root.rglob("*")) == before
    (line,) = done.stderr.splitlines()
    return line


def test_second_run_names_the_first(project):
    with Workspace(pathlib.Path(project.config["workspace"]), "x").reserve("run"):
        line = _refusal(project)
    assert f"workspaces/x is in use: `shortlist run`, pid {os.getpid()} on " in line
    assert f"or stop it with `kill {os.getpid()}` there" in line


def test_another_pipelines_workspace(project):
    with Workspace(pathlib.Path(project.config["workspace"]), "y").reserve("run"):
        pass
    assert "expected a folder of the pipeline 'x', got that of 'y'" in _refusal(project)


def test_folder_with_other_files(project):
    project.write("workspaces/x/thesis.tex", "dear")
    assert "got one with 'thesis.tex' in it" in _refusal(project)


def test_dead_metadata_server(project):
    project.config["metadata"] = {"kind": "mysql", "host": "127.0.0.1", "port": 1, "database": "m", "user": "u"}
    assert "metadata.host: expected a server at 127.0.0.1:1, got: Connection refused; start" in _refusal(project)


@pytest.mark.parametrize("name", ["smok?", "sm[o]ke", "*"])
def test_path_that_tfx_would_take_for_a_pattern(project, name):
    """`smok?` would read the artifacts of its neighbour `smoke`."""
    neighbour = pathlib.Path(project.config["workspace"]).with_name("smoke")
    with Workspace(neighbour, "x").reserve("run"):
        pass
    root = neighbour.with_name(name)
    project.config["workspace"] = str(root)
    assert "TFX would read such a path as a pattern; rename the folder" in _refusal(project)
    assert not root.exists()


def test_uri(project):
    project.config["workspace"] = "gs://bucket/x"
    assert "workspace: expected a folder on this machine, got the URI 'gs://bucket/x'" in _refusal(project)
    assert not (project.root / "gs:").exists()
