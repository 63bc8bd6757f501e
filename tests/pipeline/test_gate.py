"""The gate against the last blessed run, in the smoke workspace: a refused run costs its ingestion only."""

import json
import shutil

import pytest

from shortlist.config.gate import Check
from shortlist.errors import DataError
from shortlist.lineage.store import Store
from shortlist.summary import Status, read_summary
from shortlist.workspace import Workspace

pytestmark = pytest.mark.e2e

_VOLUME = "interactions: expected more than 0.5 times the"


@pytest.fixture(scope="module")
def workspace(smoke, tmp_path_factory):
    """A copy of the smoke workspace with its metadata and its blessed run, for further runs."""
    root = tmp_path_factory.mktemp("gate") / "workspace"
    shutil.copytree(smoke.workspace.root, root, symlinks=True)
    return Workspace(root, smoke.config.name)


@pytest.fixture(scope="module")
def half(smoke, tmp_path_factory):
    """The smoke config over the first half of the interactions."""
    path = tmp_path_factory.mktemp("half") / "interactions.csv"
    header, *rows = (smoke.data_root / smoke.config.data.interactions.path).read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([header, *rows[: len(rows) // 2]]) + "\n", encoding="utf-8")
    interactions = smoke.config.data.interactions.model_copy(update={"path": str(path)})
    return smoke.config.model_copy(update={"data": smoke.config.data.model_copy(update={"interactions": interactions})})


def _with_gate(config, **checks):
    gate = config.data.gate.model_copy(update=checks)
    return config.model_copy(update={"data": config.data.model_copy(update={"gate": gate})})


def _latest(workspace):
    summary = read_summary(workspace.runs_dir / "latest" / "summary.json")
    executions = Store(workspace.metadata_path).run_executions(summary.run_id)
    return summary, {execution.node: execution for execution in executions}


def test_half_of_the_rows_gone_is_refused(workspace, half, run_smoke):
    with pytest.raises(DataError) as error:
        run_smoke(half, workspace)

    assert f"the data does not pass the gate: {_VOLUME}" in str(error.value)
    assert error.value.exit_code == 2
    summary, nodes = _latest(workspace)
    assert summary.status is Status.REFUSED
    assert summary.reasons == [str(error.value)]
    assert nodes["DataGate"].state == "FAILED"
    assert "Windows" not in nodes


def test_with_warn_the_run_continues_and_the_summary_has_the_warning(workspace, half, run_smoke):
    # A check of Windows stops the run there, so that the test does not train.
    warning = _with_gate(
        half, volume=Check(threshold=0.5, action="warn"), tied_targets=Check(threshold=0.0, action="error")
    )
    with pytest.raises(DataError, match=r"share their time .* above data\.gate\.tied_targets\.threshold=0\.0"):
        run_smoke(warning, workspace)

    summary, nodes = _latest(workspace)
    assert nodes["DataGate"].state == "COMPLETE"
    assert any(warning.startswith(_VOLUME) for warning in summary.warnings)
    # The tables that did not change come from the cache, and are compared all the same.
    assert nodes["CandidatesGen"].state == nodes["CandidatesStatistics"].state == "CACHED"
    with open(f"{nodes['DataGate'].output('report').uri}/report.json", encoding="utf-8") as file:
        report = json.load(file)
    assert report["not_compared"] == {}
    assert report["volume"]["candidates"] == report["volume"]["queries"] == 1.0
    assert report["volume"]["interactions"] == pytest.approx(0.5, abs=0.01)


def test_the_first_run_had_nothing_to_be_compared_with(smoke):
    nodes = {e.node: e for e in Store(smoke.workspace.metadata_path).run_executions(smoke.first.summary.run_id)}
    not_compared = json.loads(str(nodes["DataGate"].output("report").properties["not_compared"]))
    assert not_compared == dict.fromkeys(
        ("interactions", "candidates", "queries"), "no earlier blessed run on other data"
    )
