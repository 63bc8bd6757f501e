"""`runs` on the command line."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from benchmarks.lineage_store import ENDS, PUSHED, StoreWriter
from shortlist.lineage.store import Store

ROOT = pathlib.Path(__file__).parents[2]
_CONFIG = """
name: many-runs
workspace: {workspace}
data:
  schemas: schemas
  interactions: {{path: log.csv, query_id: u, candidate_id: i, timestamp: t}}
  candidates: {{path: items.csv, candidate_id: i}}
"""


@pytest.fixture
def ask(tmp_path):
    """Returns a function that calls `runs` in a workspace of three runs; only the second has artifact folders."""
    maker = StoreWriter(tmp_path / "workspace")
    maker.run(0, PUSHED)
    maker.run(1, ENDS[1], data="b")
    maker.run(2, PUSHED, data="c")
    (maker.workspace.serving_dir / "1700000002").mkdir(parents=True)
    for artifact in Store(maker.workspace.metadata_path).all_artifacts():
        if artifact.uri.endswith("/1"):
            pathlib.Path(artifact.uri).mkdir(parents=True)
    config = tmp_path / "shop.yaml"
    config.write_text(_CONFIG.format(workspace=maker.workspace.root), encoding="utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = (
            "import atexit, sys; atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr)); "
            "from cli import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, "runs", *arguments, "--config", str(config)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        loaded = set(done.stderr.split())
        assert not {"tensorflow", "tfx", "apache_beam", "tensorflow_data_validation", "pandas", "scann"} & loaded
        return done

    return run


def test_list_fits_80_columns(ask):
    done = ask("--limit", "2")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "Runs of many-runs"
    assert lines[2].split() == ["20260101T020000Z", "run", "pushed", "0.2020", "-", "1700000002", "200", "1.5"]
    assert lines[3].split()[:3] == ["20260101T010000Z", "run", "not_blessed"]
    assert lines[4] == "and 1 older ones; --limit shows more"


def test_list_as_json(ask):
    [run] = json.loads(ask("--status", "not_blessed", "--json").stdout)
    assert (run["run_id"], run["summary"]["reasons"]) == ("20260101T010000Z", ["the reason of run 1"])


def test_comparison_has_the_noise_of_shares(ask):
    # sqrt(0.202 * 0.798 / 943) = 0.0131
    lines = ask("compare", "latest", "20260101T000000Z").stdout.splitlines()
    [row] = [line for line in lines if line.startswith("HR@10")]
    assert row.split() == ["HR@10", "0.2020", "±0.0131", "0.2000", "±0.0130"]


def test_comparing_one_run_is_an_error(ask):
    done = ask("compare", "latest")
    assert done.returncode == 2
    assert "expected two runs or more to compare, got one" in done.stderr


def test_nothing_is_deleted_without_yes(ask, tmp_path):
    output = ask("prune", "--keep", "1").stdout
    assert "To delete 9 artifacts" in output
    assert "nothing was deleted yet" in output
    trained = tmp_path / "workspace/pipeline_root/Trainer/model/1"
    assert trained.is_dir()
    assert ask("prune", "--keep", "1", "--yes", "--dry-run").returncode == 2
    assert json.loads(ask("prune", "--keep", "2", "--json").stdout)["artifacts"] == []

    done = json.loads(ask("prune", "--keep", "1", "--yes", "--json").stdout)
    assert (done["deleted"], len(done["artifacts"]), done["kept_versions"]) == (True, 9, [1_700_000_002])
    assert not trained.exists()
    # Statistics are small and needed for later comparisons.
    assert (tmp_path / "workspace/pipeline_root/InteractionsStatistics/statistics/1").is_dir()
