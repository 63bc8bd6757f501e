"""The examples in docstrings, on docs/python.md and in the notebook, on a pushed model."""

from __future__ import annotations

import doctest
import pathlib
import re

import nbclient
import nbformat
import pytest

import shortlist
from shortlist.api import load, model
from tests.pipeline.conftest import ROOT

pytestmark = pytest.mark.e2e


@pytest.fixture
def workspaces(smoke, tmp_path, monkeypatch) -> pathlib.Path:
    """A folder as the examples see it after `make run`, with the smoke run in place of the whole data set."""
    folder = tmp_path / "workspaces"
    folder.mkdir()
    (folder / "movielens-100k").symlink_to(smoke.workspace.root, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHORTLIST_DATA_DIR", str(smoke.data_root))
    return folder


@pytest.mark.parametrize("module", [load, model])
def test_the_docstrings_examples_give_what_they_say(workspaces, module):
    loaded = shortlist.load(workspaces / "movielens-100k")
    result = doctest.testmod(module, extraglobs={"model": loaded}, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0
    assert result.attempted > 3


def test_the_page_runs_from_top_to_bottom(workspaces, capsys):
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL):
        exec(compile(block, "docs/python.md", "exec"), names)
    assert len(capsys.readouterr().out.splitlines()) > 8
    assert names["scores"].shape == (2, 2)


def test_the_notebook_runs_from_top_to_bottom(workspaces):
    notebook = nbformat.read(ROOT / "docs" / "quickstart.ipynb", as_version=4)
    docs = workspaces.parent / "docs"
    docs.mkdir()
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(docs)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.output_type for output in outputs if output.output_type in ("error", "stream")] == []
    tables = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    assert sum("<th>near</th>" in table for table in tables) == 2
