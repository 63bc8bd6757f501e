"""The clients on the pages of docs/tasks, in curl, Python, Java and Go, against a server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from shortlist.config.serve import Serve
from tests.docs.test_tasks import blocks
from tests.server import running

pytestmark = pytest.mark.slow
# The pages have movies, the port of a server that runs alone, and no patience; here are a model of items and a test.
_CHANGES = {
    r'(?<=")50(?=\\?")': "item-5",
    r'(?<=")172(?=\\?")': "item-17",
    r"\b8501\b": "{port}",
    r"timeout=1\b": "timeout=60",
    r"ofSeconds\(1\)": "ofSeconds(60)",
    r"Timeout: time\.Second\b": "Timeout: time.Minute",
}
_PROGRAMS = {
    "curl": ("call-the-server", "sh", "ask.sh", ["bash"]),
    "python": ("call-the-server", "python", "ask.py", [sys.executable]),
    "java": ("clients", "java", "Ask.java", ["java"]),
    "go": ("clients", "go", "ask.go", ["go", "run"]),
}


@pytest.fixture(scope="module")
def server(model_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clients") / "shop"
    folder.mkdir()
    running.push(model_folder, folder, 1)
    with running.running(folder, Serve()) as found:
        yield found


@pytest.mark.parametrize("name", _PROGRAMS)
def test_a_client_of_the_documentation_prints_the_answer(server, tmp_path, name):
    page, language, file, command = _PROGRAMS[name]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    text = blocks(page, language)[0]
    for pattern, replacement in _CHANGES.items():
        text = re.sub(pattern, replacement.format(port=server.port), text)
    (tmp_path / file).write_text(text, encoding="utf-8")
    # Go has a cache there.
    env = {"HOME": str(tmp_path), **os.environ}
    done = subprocess.run(
        [*command, file], cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    history = [{"id": "item-5"}, {"id": "item-17"}]
    if name == "curl":
        found = json.loads(done.stdout)
        assert (len(found["items"]), found["as_of"]) == (5, "1998-04-02T12:00:00Z")
        return
    for item in server.client().recommend(history=history, k=3)["items"]:
        assert re.search(rf"\b{item['id']}\b", done.stdout), done.stdout
