"""Ctrl-C, and SIGTERM as Kubernetes sends it: a clean stop within seconds, in any node."""

from __future__ import annotations

import os
import pathlib
import signal
import time

import pytest

from shortlist.config.load import load_config
from shortlist.lineage.store import Store
from shortlist.records import properties
from shortlist.summary import Status, read_summary
from shortlist.workspace import Workspace
from tests.pipeline import killing

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def _assert_stopped(victim: killing.Victim, workspace: Workspace, node: str, number: signal.Signals) -> None:
    # Seconds of a processor, of which the run uses two: other tests keep them busy meanwhile.
    before = _cpu_seconds(victim)
    victim.process.send_signal(number)
    _, status, used = os.wait4(victim.process.pid, 0)
    victim.process.returncode = os.waitstatus_to_exitcode(status)
    assert victim.process.returncode == 128 + number, victim.output
    assert used.ru_utime + used.ru_stime - before < 24
    *_, last = victim.output.splitlines()
    assert last == "Interrupted: run the same command again to continue; finished steps are kept."
    assert "Traceback" not in victim.output

    summary = read_summary(workspace.runs_dir / "latest" / "summary.json")
    assert (summary.status, summary.reasons) == (Status.FAILED, ["interrupted"])
    interrupted = Store(workspace.metadata_path).run_executions(summary.run_id)[-1]
    assert (interrupted.node, interrupted.state) == (node, "FAILED")
    assert str(interrupted.properties[properties.KILLED]).startswith("interrupted, found 20")
    assert not list(workspace.pipeline_root.glob(f"{node}/[!.]*/{interrupted.id}"))
    assert not workspace.is_open
    with workspace.reserve("run") as died:
        assert died is None


def _cpu_seconds(victim: killing.Victim) -> float:
    """Returns what the run itself has used of processors so far."""
    *_, fields = pathlib.Path(f"/proc/{victim.process.pid}/stat").read_text().rpartition(")")
    user, system = fields.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def test_in_a_beam_node(data_root, tmp_path):
    config_path = killing.write_config(tmp_path / "smoke.yaml", tmp_path / "workspace")
    workspace = Workspace(tmp_path / "workspace", load_config(config_path).name)
    for number in (signal.SIGINT, signal.SIGTERM):
        with killing.Victim(config_path, workspace, data_root) as victim:
            # The longest of those on Beam: ingestion is over within a second.
            assert victim.wait_until_at("Transform"), victim.output
            time.sleep(1)
            _assert_stopped(victim, workspace, "Transform", number)


def test_while_it_trains(smoke):
    # More epochs than it could train: all that is before comes from the cache.
    longer = ("--set", "train.epochs=5000", "--set", "train.eval_every_epochs=100")
    try:
        with killing.Victim(smoke.config_path, smoke.workspace, smoke.data_root, *longer) as victim:
            assert victim.wait_until_at("Trainer"), victim.output
            time.sleep(10)
            _assert_stopped(victim, smoke.workspace, "Trainer", signal.SIGINT)
    finally:
        smoke.workspace.point_latest_at(smoke.third.summary.run_id)
