"""Under any limit on addresses, `recommend` answers or ends with a sentence; TensorFlow aborts under some of them."""

from __future__ import annotations

import os
import pathlib
import resource
import subprocess
import sys

import pytest

from tests.compatibility.restored import restore

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("recorded")
    restore(root)
    return root


# 300 to 1,600 are refused; TensorFlow then aborts up to some 2,100 on two cores, and later where there are more.
@pytest.mark.parametrize("mebibytes", [150, 1600, 2050, 2060, 2080, 2100, 8000])
def test_recommend(folder, mebibytes):
    limit = mebibytes * 2**20
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "pipeline_runner.py"),
            "recommend",
            "--history",
            "i3,i4",
            "--config",
            "circle.yaml",
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SHORTLIST_DATA_DIR": str(folder)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode == 0:
        assert "i" in done.stdout
        assert mebibytes > 1600
        return
    *_, line = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert mebibytes < 8000
