"""The requests on the pages of docs/tasks are answered by a server."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from shortlist.config.serve import Serve
from tests.server import running
from tests.server.test_request_log import make_log

FOLDER = pathlib.Path(__file__).parents[2] / "docs" / "tasks"
PAGES = ("serve", "call-the-server", "filter", "diversify", "compare-two-versions", "watch-the-server")


def blocks(page, language):
    text = (FOLDER / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


REQUESTS = [
    (page, path, body)
    for page in PAGES
    for block in blocks(page, "sh")
    for path, body in re.findall(r"127\.0\.0\.1:8501(\S+) -d '(.*?)'", block, flags=re.DOTALL)
]


@pytest.fixture(scope="module")
def server(model_folder, tmp_path_factory):
    root = tmp_path_factory.mktemp("pages")
    (root / "shop").mkdir()
    running.push(model_folder, root / "shop", 1)
    log = make_log(root / "log")
    # The page on filters asks for an attribute of today.
    table = pa.table({"candidate_id": running.IDS[:5], "in_stock": [True, False, True, True, True]})
    pq.write_table(table, root / "today.parquet")
    with running.running(root / "shop", Serve(attributes=str(root / "today.parquet")), log=log) as found:
        yield found
    log.close()


@pytest.mark.parametrize(("page", "path", "body"), REQUESTS)
def test_a_request_is_answered(server, page, path, body):
    status, answer = server.client().post(path, json.loads(body))
    assert status == 200, answer


def test_there_are_requests_on_the_pages():
    assert len(REQUESTS) == 6
    assert {path for _, path, _ in REQUESTS} == {"/v1/recommend", "/v1/outcome"}


def test_the_python_program_prints_an_answer(server):
    [program] = [block for block in blocks("call-the-server", "python") if "urllib" in block]
    program = program.replace(":8501", f":{server.port}").replace("timeout=1", "timeout=60")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3


def test_settings_on_the_pages_are_valid():
    [text] = blocks("compare-two-versions", "yaml")
    found = Serve.model_validate(yaml.safe_load(text)["serve"])
    assert found.split == {"latest": 90, "1796042215": 10}


def test_every_metric_on_the_page_is_exposed(server):
    text = (FOLDER / "watch-the-server.md").read_text(encoding="utf-8")
    _, _, exposed = server.client().raw("GET", "/metrics")
    for name in set(re.findall(r"shortlist_\w+", text)):
        assert name.removesuffix("_bucket").encode() in exposed, name
