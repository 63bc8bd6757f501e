"""Training under a memory limit: it fails with one sentence, and succeeds without the limit."""

import dataclasses
import json
import pathlib
import subprocess
import sys

import pytest

from tests.components.trainer import tiny_dataset as worlds

ROOT = pathlib.Path(__file__).parents[3]
pytestmark = pytest.mark.slow


def test_memory_limit_hit_in_training(world, tmp_path):
    # The weights and AdamW's moments of both blocks take 1.2 GB.
    settings = worlds.settings(model={"embedding_dim": 2048}, train={"epochs": 1})
    job = {
        "world": dataclasses.asdict(world),
        "settings": settings.to_json(),
        "save_every_seconds": 300.0,
        "run_dir": str(tmp_path / "run"),
        "checkpoint_dir": str(tmp_path / "checkpoints"),
        "result": str(tmp_path / "result.json"),
    }

    def train(**more):
        command = [sys.executable, "-m", "tests.components.trainer.child", json.dumps(job | more)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    limited = train(more_megabytes=300)
    assert limited.returncode == 1
    last = limited.stderr.strip().splitlines()[-1]
    assert last.startswith("shortlist.errors.ResourceError: memory ran out (this process had ")
    assert "limited to" in last

    again = train()
    assert again.returncode == 0, again.stderr
    assert json.loads((tmp_path / "result.json").read_text())["epochs"] == 1
