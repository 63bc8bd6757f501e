"""`shortlist serve` as a process, on the workspace that version 0.1 left."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

from server.main import TOKEN_VARIABLE, main
from tests.compatibility.restored import restore
from tests.server.running import Client
from tests.server.test_rollout import is_running, wait_for

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def process(tmp_path):
    restore(tmp_path)
    command = [sys.executable, str(ROOT / "pipeline_runner.py"), "serve", "--config", "circle.yaml"]
    started = subprocess.Popen(
        [*command, "--port", "0", "--grpc-port", "0", "--set", "serve.drain_seconds=0.5"],
        cwd=tmp_path,
        env={**os.environ, "SHORTLIST_DATA_DIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    yield started
    started.kill()
    started.wait()
    started.stderr.close()


def parent_of(stat):
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        # It has ended meanwhile.
        return None


def descendants(pid):
    """Returns the processes that a process or its descendants have started."""
    children = [int(path.parent.name) for path in pathlib.Path("/proc").glob("[0-9]*/stat") if parent_of(path) == pid]
    return [*children, *(found for child in children for found in descendants(child))]


def test_it_serves_until_sigterm_and_ends_with_0(process):
    lines = []
    for line in process.stderr:
        lines.append(line)
        if found := re.search(r"Serving \S+ at http://127\.0\.0\.1:(\d+)$", line):
            break
    else:
        pytest.fail("".join(lines))
    assert len(lines) == 2, lines
    processes = descendants(process.pid)
    # The loader's, and one of the version.
    assert len(processes) == 2
    client = Client(int(found[1]))
    # Histories of known queries are those of the config's log.
    status, answer = client.get("/v1/queries/u0")
    assert (status, answer["history"][0]["id"], answer["history"][0]["time"]) == (200, "i20", 1_700_000_000)
    seen = {event["id"] for event in answer["history"]}
    status, answer = client.post("/v1/recommend", {"query": "u0", "k": 3})
    assert (status, len(answer["items"])) == (200, 3)
    assert not {item["id"] for item in answer["items"]} & seen
    assert {item["near"] for item in answer["items"]} <= seen
    process.send_signal(signal.SIGTERM)
    # Within the drain it answers.
    assert client.post("/v1/recommend", {})[0] in (200, 503)
    assert process.wait(timeout=60) == 0
    rest = process.stderr.read()
    wait_for(lambda: not any(map(is_running, processes)))
    assert "Traceback" not in rest
    assert "Draining for 0.5 s" in rest


def test_other_machines_need_a_token(monkeypatch, capsys):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    for host in ("0.0.0.0", "::", "example.com"):
        assert main(["--model", "nope", "--host", host]) == 2
        error = capsys.readouterr().err
        assert f"expected a token in {TOKEN_VARIABLE}" in error


def test_a_port_in_use_and_a_folder_without_models_are_one_sentence(tmp_path, capsys):
    assert main(["--model", str(tmp_path), "--port", "0"]) == 2
    assert "no model was pushed yet" in capsys.readouterr().err
    (tmp_path / "serve.yaml").write_text("limits: {max_hist: 3}")
    assert main(["--model", str(tmp_path), "--settings", str(tmp_path / "serve.yaml")]) == 2
    assert "max_hist" in capsys.readouterr().err
