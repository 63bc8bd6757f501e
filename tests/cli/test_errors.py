"""Bad input of commands: exit code 2 and one line, before anything is started."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
LOG = "user_id,item_id,timestamp\n" + "".join(f"u{u},i{i},{u + i}\n" for u in range(3) for i in range(4))
ITEMS = "item_id,title\ni0,Zero\ni1,One\ni2,Two\ni3,Three\n"

_SCHEMAS = {
    "interactions": {"query_id": "BYTES", "candidate_id": "BYTES", "timestamp": "INT"},
    "candidates": {"candidate_id": "BYTES", "title": "BYTES"},
}


class Project:
    """Tables and a config. Each test breaks one part of them."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        for name, columns in _SCHEMAS.items():
            features = "".join(f'feature {{ name: "{column}" type: {kind} }}\n' for column, kind in columns.items())
            self.write(f"schemas/{name}.pbtxt", features)
        self.write("data/log.csv", LOG)
        self.write("data/items.csv", ITEMS)
        self.config: dict[str, Any] = {
            "name": "x",
            "workspace": str(root / "workspaces" / "x"),
            "data": {
                "schemas": str(root / "schemas"),
                "interactions": {"path": "log.csv", "query_id": "user_id", "candidate_id": "item_id"},
                "candidates": {"path": "items.csv", "candidate_id": "item_id", "features": {"title": "text"}},
            },
        }

    def write(self, name: str, content: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def refusal(self, *arguments: str) -> str:
        """Runs `pipeline_runner.py run` and returns its one line, without the `Error: ` before it."""
        self.write("x.yaml", yaml.safe_dump(self.config))
        done = _runner(self.root, *(arguments or ("run", "--config", str(self.root / "x.yaml"))))
        assert done.returncode == 2, done.stderr
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert line.startswith("Error: ")
        assert not (self.root / "workspaces" / "x").exists()
        return line.removeprefix("Error: ")


def _runner(root: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "pipeline_runner.py"), *arguments],
        capture_output=True,
        text=True,
        cwd=root,
        env={**os.environ, "SHORTLIST_DATA_DIR": str(root / "data")},
    )


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("run", "--nope"), ["--nope", "see `pipeline_runner.py run --help`"]),
        (("run", "--config"), ["--config", "requires an argument", "see `pipeline_runner.py run --help`"]),
        (("data", "fetch", "--to"), ["see `pipeline_runner.py data fetch --help`"]),
        (("ruin",), ["ruin", "see `pipeline_runner.py --help`"]),
        (("run", "extra"), ["extra", "run --help"]),
        (("data", "fetch", "[/x]"), ["there is no data set '[/x]'"]),
        (("run", "--set", "train.seed"), ["train.seed", "KEY=VALUE"]),
        (("run", "--config", "none.yaml"), ["none.yaml: no such config file"]),
        (("rollback",), ["expected --config FILE, SHORTLIST_CONFIG, or shortlist.yaml in this folder or above"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_arguments(project, arguments, parts):
    line = project.refusal(*arguments)
    for part in parts:
        assert part in line


def test_unknown_key_with_the_nearest(project):
    project.config["train"] = {"learningrate": 0.1}
    line = project.refusal()
    assert "x.yaml" in line
    assert "train.learningrate" in line
    assert "did you mean 'learning_rate'?" in line


def test_config_that_is_no_yaml(project):
    project.write("bad.yaml", "a: [1\nb: }")
    assert "bad.yaml" in project.refusal("run", "--config", str(project.root / "bad.yaml"))


def test_missing_data_file(project):
    (project.root / "data" / "items.csv").unlink()
    line = project.refusal()
    assert line.startswith("items.csv: expected a file at ")
    assert "data.candidates.path" in line


def test_repeated_candidate_ids(project):
    project.write("data/items.csv", ITEMS + "i1,Again\n")
    assert "column 'item_id': expected each id once, got 'i1' in row 1 and again in row 4" in project.refusal()


def test_one_candidate(project):
    project.write("data/items.csv", "item_id,title\ni0,Zero\n")
    assert "items.csv: expected at least 2 candidates, got 1" in project.refusal()


def test_one_query(project):
    project.write("data/log.csv", "user_id,item_id,timestamp\nu,i0,1\nu,i1,2\nu,i2,3\n")
    assert "column 'user_id': expected at least 2 different query ids, got only 'u'" in project.refusal()


def test_file_in_the_way_of_the_workspace(project):
    project.write("workspaces", "a file")
    line = project.refusal()
    assert str(project.root / "workspaces") in line
    assert "a file of that name" in line


def test_ctrl_c(project):
    # Opening a pipe to read waits for a writer. The command is therefore running when the signal comes.
    pipe = project.root / "pipe.yaml"
    os.mkfifo(pipe)
    running = subprocess.Popen(
        [sys.executable, str(ROOT / "pipeline_runner.py"), "run", "--config", str(pipe)],
        stderr=subprocess.PIPE,
        text=True,
        # pytest itself may ignore Ctrl-C, if a shell started it in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with open(pipe, "w"):
        running.send_signal(signal.SIGINT)
        _, stderr = running.communicate()
    assert running.returncode == 130
    assert stderr.splitlines() == ["Interrupted: run the same command again to continue; finished steps are kept."]


def test_recommend_before_any_push_has_a_remedy(tmp_path):
    text = (ROOT / "configs" / "smoke.yaml").read_text(encoding="utf-8")
    config = tmp_path / "smoke.yaml"
    config.write_text(text.replace("workspaces/movielens-100k-smoke", str(tmp_path / "none")), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(ROOT / "pipeline_runner.py"), "recommend", "--config", str(config), "--history", "50"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "no model was pushed yet" in done.stderr
    assert not (tmp_path / "none").exists()
