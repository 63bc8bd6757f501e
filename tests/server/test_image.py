"""The slim distribution: it needs no package beyond its lock, and its image is built by the steps of its Dockerfile."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests.deploy import steps

ROOT = pathlib.Path(__file__).parents[2]
DOCKERFILE = ROOT / "server" / "Dockerfile"

# Import names of what the main lock has and the server's has not; a sample of those that code above could pull in.
_ABSENT = (
    *("tfx", "apache_beam", "ml_metadata", "pandas", "tensorflow_metadata", "tensorflow_transform", "tfx_bsl"),
    *("tensorflow_recommenders", "tensorflow_data_validation", "tensorflow_model_analysis", "kfp", "typer", "openpyxl"),
    *("matplotlib", "jinja2", "cli", "components", "pipeline"),
)

_IMPORT_ALL = """
import pkgutil, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError("absent: " + name, name=name)
sys.meta_path.insert(0, Absent())
import importlib, server
for module in pkgutil.iter_modules(server.__path__):
    importlib.import_module("server." + module.name)
from server.main import main
sys.exit(main(["--check"]))
"""


def test_the_server_needs_no_package_that_its_lock_lacks():
    script = _IMPORT_ALL.replace("{absent!r}", repr(set(_ABSENT)))
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("ok\n")


def test_everything_is_installed_from_locks_with_hashes_and_nobody_is_root():
    found = steps.read(DOCKERFILE)
    installs = [step.argument for step in found if re.search(r"pip (sync|install)", step.argument)]
    assert len(installs) == 3
    assert all("--require-hashes" in install or "--no-deps" in install for install in installs)
    assert [step.argument for step in found if step.instruction == "USER"] == ["1000:1000"]
    copied = {
        word for step in found if step.stage == 0 and step.instruction == "COPY" for word in step.argument.split()[:-1]
    }
    assert all((ROOT / source).exists() for source in copied)
    assert "setup.py" not in copied


@pytest.mark.skipif("SHORTLIST_TEST_IMAGE" not in os.environ, reason="minutes and 2 GB: make test-image")
def test_every_step_of_the_image_succeeds(tmp_path):
    builder = steps.Builder(ROOT, tmp_path)
    printed = builder.build(steps.read(DOCKERFILE), skip={})
    assert re.fullmatch(r"shortlist \S+, TensorFlow 2\.16\.2, 5 modules: ok\n", printed[-1])
    layer = builder.layer(1)
    assert (layer / "opt" / "code" / "server" / "app.py").is_file()
    assert not list(layer.glob("opt/stack/lib/python3.10/site-packages/tfx"))
