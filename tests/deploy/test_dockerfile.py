from __future__ import annotations

import os
import pathlib

import pytest

from shortlist import environment
from tests.deploy import steps

ROOT = pathlib.Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def _steps() -> list[steps.Step]:
    return steps.read(DEPLOY / "Dockerfile")


def _arguments(instruction: str, stage: int) -> list[str]:
    return [step.argument for step in _steps() if (step.instruction, step.stage) == (instruction, stage)]


def test_nobody_is_root_where_tasks_run():
    final = [step for step in _steps() if step.stage == 1]
    names = [step.instruction for step in final]
    assert _arguments("USER", 1) == ["1000:1000"]
    # Only the check and the command come after it.
    assert [name for name in names[names.index("USER") + 1 :] if name not in ("WORKDIR", "ENTRYPOINT")] == ["RUN"]
    assert _arguments("RUN", 1)[-1] == "shortlist doctor"


def test_keras_2_is_chosen_in_the_image_too():
    variables = " ".join(_arguments("ENV", 1))
    assert f"TF_USE_LEGACY_KERAS={environment._DEFAULTS['TF_USE_LEGACY_KERAS']}" in variables


def test_the_folders_that_kfps_launcher_copies_to_are_its_users():
    [made] = [argument for argument in _arguments("RUN", 1) if "useradd" in argument]
    assert "chown 1000:1000 /gcs /s3 /minio /oci" in made


def test_everything_is_installed_from_locks_with_hashes():
    installs = [argument for argument in _arguments("RUN", 0) if "pip sync" in argument or "pip install" in argument]
    assert len(installs) == 3
    assert all("--require-hashes" in install or "--no-deps" in install for install in installs)


def test_copied_files_exist_and_nothing_else_reaches_the_builder():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {word for argument in _arguments("COPY", 0) for word in argument.split()[:-1]}
    assert all((ROOT / source).exists() for source in copied)
    assert {pathlib.PurePosixPath(source).parts[0] for source in copied} == allowed


@pytest.mark.skipif("SHORTLIST_TEST_IMAGE" not in os.environ, reason="minutes and 10 GB: make test-image")
def test_every_step_of_the_image_succeeds(tmp_path):
    builder = steps.Builder(ROOT, tmp_path)
    # The compiler is a matter of the machine; the step that fetches it needs Debian's mirrors and root.
    printed = builder.build(_steps(), skip={"apt-get": "command -v g++"})
    assert "scann ops" in printed[-1]
    assert "FAIL" not in printed[-1]
    code = builder.layer(1) / "opt" / "code"
    assert (code / "pipeline" / "kubeflow" / "entrypoint.py").is_file()
    assert not list(builder.layer(1).glob("opt/code/tests"))
