"""`shortlist report` as a page, as text and as JSON, for one run and for several."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from benchmarks.lineage_store import ENDS, PUSHED, StoreWriter
from shortlist.lineage.journal import Journal
from shortlist.lineage.store import Store

ROOT = pathlib.Path(__file__).parents[2]
_CONFIG = """
name: shop
workspace: {workspace}
data:
  schemas: schemas
  interactions: {{path: log.csv, query_id: u, candidate_id: i, timestamp: t}}
  candidates: {{path: items.csv, candidate_id: i}}
"""
_FIRST, _SECOND = "20260101T000000Z", "20260101T010000Z"


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    made = StoreWriter(tmp_path_factory.mktemp("report") / "workspace", "shop")
    made.run(0, PUSHED, data="a")
    made.run(1, ENDS[1], data="b")
    return made


@pytest.fixture(scope="module")
def ask(maker, tmp_path_factory):
    """Returns a function that calls a command, and fails if the command loads slow packages."""
    config = tmp_path_factory.mktemp("config") / "shop.yaml"
    config.write_text(_CONFIG.format(workspace=maker.workspace.root), encoding="utf-8")
    code = (
        "import atexit, sys; atexit.register(lambda: print('LOADED', *sys.modules, file=sys.stderr)); "
        "from cli import main; main()"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-c", code, "report", *arguments, "--config", str(config)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        loaded = set(done.stderr.rpartition("LOADED")[2].split())
        assert not {"tensorflow", "tfx", "apache_beam", "tensorflow_data_validation"} & loaded
        if {"--text", "--json"} & {*arguments}:
            assert not {"matplotlib", "jinja2", "numpy"} & loaded
        return done

    return run


def test_page_goes_beside_the_log(ask, maker):
    done = ask("--run", _FIRST)
    assert done.returncode == 0, done.stderr
    path = maker.workspace.run_dir(_FIRST) / "report.html"
    assert done.stdout == f"Report    shop: run {_FIRST}, pushed, version 1700000000: {path}\n"
    assert f"<title>shop: run {_FIRST}</title>" in path.read_text(encoding="utf-8")


def test_latest_run_as_text_and_as_json(ask):
    assert ask("--text").stdout.startswith(f"shop: run {_SECOND}\n")
    report = json.loads(ask("--json").stdout)
    assert (report["title"], report["status"]) == (f"shop: run {_SECOND}", "not blessed, nothing pushed")


def test_several_runs_on_one_page(ask, tmp_path):
    done = ask("--compare", _FIRST, "latest", "--output", str(tmp_path / "both.html"))
    assert done.returncode == 0, done.stderr
    assert f"{_FIRST}, {_SECOND}" in (tmp_path / "both.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--run", "nobody"), "there is no run 'nobody'; the latest are"),
        (("--compare", _FIRST), "expected two runs or more"),
        ((_FIRST,), "name one run with --run, or compare several with --compare"),
        (("--text", "--json"), "expected one of --open, --text and --json"),
        (("--output", "/proc/no/report.html"), "expected a file that can be written"),
    ],
)
def test_wrong_options_are_errors(ask, arguments, message):
    done = ask(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_report_of_a_pruned_run_is_not_replaced_by_one_with_less(ask, maker):
    ask("--run", _FIRST)
    path = maker.workspace.run_dir(_FIRST) / "report.html"
    path.write_text("all of it", encoding="utf-8")
    [model] = Store(maker.workspace.metadata_path).run_executions(_FIRST)[-1].inputs["model"]
    Journal(maker.workspace).delete([model])
    done = ask("--run", _FIRST)
    assert "as the run wrote it, since some of its artifacts were pruned" in done.stdout
    assert path.read_text(encoding="utf-8") == "all of it"
