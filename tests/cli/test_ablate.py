"""Wrong input of `ablate` is an error before TensorFlow is loaded."""

from __future__ import annotations

import pytest
import yaml

from tests.cli.test_errors import Project, _runner


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def _refusal(project, *args):
    project.write("x.yaml", yaml.safe_dump(project.config))
    done = _runner(project.root, "ablate", "--config", str(project.root / "x.yaml"), *args)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    return line


def test_it_needs_a_run(project):
    assert "there is no run here yet; `shortlist run` trains a model" in _refusal(project)


def test_a_split_that_does_not_exist(project):
    assert "'train' is not one of 'eval', 'test'" in _refusal(project, "--split", "train")
