"""Lineage on a terminal: within 100 columns, without markup or control characters of the data."""

from __future__ import annotations

import io
import json
import pathlib
import re
import subprocess
import sys

import pytest
from rich.console import Console

from benchmarks.lineage_store import PUSHED, StoreWriter
from cli.output import lineage
from shortlist.lineage.impact import impact
from shortlist.lineage.serving import serving_state
from shortlist.lineage.store import Store
from shortlist.lineage.trace import trace_pushed

ROOT = pathlib.Path(__file__).parents[2]
_CONFIG = """
name: shop
workspace: {workspace}
data:
  schemas: schemas
  interactions: {{path: log.csv, query_id: u, candidate_id: i, timestamp: t}}
  candidates: {{path: items.csv, candidate_id: i}}
"""


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    made = StoreWriter(tmp_path_factory.mktemp("long" * 20) / "workspace", "shop")
    made.run(0, PUSHED, data="a")
    return made


@pytest.fixture(scope="module")
def ask(maker, tmp_path_factory):
    """Returns a function that calls a command."""
    config = tmp_path_factory.mktemp("config") / "shop.yaml"
    config.write_text(_CONFIG.format(workspace=maker.workspace.root), encoding="utf-8")

    def run(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
        code = f"import sys; {before}from cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *arguments, "--config", str(config)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )

    return run


def _printed(tree) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=100, highlight=False).print(tree)
    return out.getvalue().splitlines()


def test_every_answer_fits_100_columns_whatever_the_path(maker):
    store = Store(maker.workspace.metadata_path)
    [run_id] = store.run_ids()
    for tree in (
        lineage.trace("shop", trace_pushed(store)),
        lineage.serving("shop", serving_state(store, 1_700_000_000)),
        lineage.impact(impact(store, run_id)),
    ):
        lines = _printed(tree)
        assert len(lines) > 1
        # A path alone is whole, however long it is.
        assert max(len(line) for line in lines if "/" not in line) <= 100


def test_the_parts_of_the_pipeline_from_the_push_to_the_files(maker):
    lines = _printed(lineage.trace("shop", trace_pushed(Store(maker.workspace.metadata_path))))
    # A branch of the first level begins with its corner.
    parts = [line[4:] for line in lines if line[0] in "├└" and " " not in line[4:] and "/" not in line]
    assert lines[0].startswith("shop version 1700000000 of run 2026")
    assert parts == [
        *("push", "check", "index", "verdict", "model", "features", "windows", "gate"),
        *("interactions", "candidates", "queries"),
    ]


def test_impact_counts_in_words_and_rounds_recall(maker):
    store = Store(maker.workspace.metadata_path)
    [run_id] = store.run_ids()
    lines = _printed(lineage.impact(impact(store, run_id)))
    [counts] = [line for line in lines if "used by" in line]
    assert ": 1 model, 1 index, 1 push; " in counts
    [index] = [line for line in lines if "index scann" in line]
    assert re.search(r"recall@\d+ \d\.\d{4}$", index)


def test_markup_and_control_characters_of_the_data_stay_text(tmp_path):
    made = StoreWriter(tmp_path / "workspace", "[red]shop\x1b[2J")
    made.run(0, PUSHED)
    text = "\n".join(_printed(lineage.trace("[red]shop\x1b[2J", trace_pushed(Store(made.workspace.metadata_path)))))
    assert "[red]shop\ufffd[2J version" in text


def test_one_question_at_a_time(ask):
    done = ask("lineage", "--served", "--why", "x")
    assert done.returncode == 2
    assert "expected one question at a time, got --why and --served" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ((), "steps"),
        (("--served",), "pushes"),
        (("--why", "20260101T000000Z"), "outcome"),
        (("--impact", "ca978112"), "models"),
    ],
)
def test_json_for_programs_without_tensorflow_or_tfx(ask, arguments, key):
    probe = "import atexit; atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr)); "
    done = ask("lineage", *arguments, "--json", before=probe)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[key]
    loaded = set(done.stderr.split())
    assert "ml_metadata" in loaded
    assert not {"tensorflow", "tfx", "apache_beam", "tensorflow_data_validation", "pandas", "scann"} & loaded


def test_served_version_that_nobody_pushed(ask, maker):
    folder = maker.workspace.serving_dir / "42"
    folder.mkdir(parents=True)
    assert "ML Metadata has no record of it" in ask("lineage", "--served").stdout
    folder.rmdir()
    assert "the serving folder is empty" in ask("lineage", "--served").stdout


def test_page_is_written_where_it_is_asked_for(ask, tmp_path):
    path = tmp_path / "page.html"
    assert ask("lineage", "--html", str(path)).stdout == f"Page      {path}\n"
    assert "shop 1700000000: lineage" in path.read_text(encoding="utf-8")
    done = ask("lineage", "--html", str(tmp_path / "none" / "page.html"))
    assert done.returncode == 2
    assert "expected a file that can be written, got: No such file or directory" in done.stderr
    assert ask("lineage", "--html", str(path), "--served").returncode == 2


def test_difference_of_a_run_and_its_version(ask):
    lines = ask("lineage", "diff", "20260101T000000Z", "1700000000").stdout.splitlines()
    assert lines[0] == "20260101T000000Z to 1700000000"
    assert lines[1].endswith("version 1700000000 was evaluated in run 20260101T000000Z")
    assert "equal, or not known for both: outcome, metrics" in lines[2]
