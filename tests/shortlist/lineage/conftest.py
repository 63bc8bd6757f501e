"""A store of ten runs with all outcomes, and with manual steps after them."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.lineage_store import ENDS, PUSHED, StoreWriter
from shortlist.lineage import journal
from shortlist.lineage.store import Store
from shortlist.lineage.trace import pushed_models
from shortlist.records import nodes
from shortlist.summary import Status
from shortlist.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Shop:
    """The store and its runs by outcome."""

    workspace: Workspace
    store: Store
    pushed: str
    """Data `a`, seed 1; version 1700000000."""
    not_blessed: str
    """Data `a`, seed 2."""
    cached: str
    """The same as `pushed`."""
    rejected: str
    """Data `b`, seed 3; the index was rejected."""
    refused: str
    failed: str
    killed: str
    """Killed in the Evaluator and not closed yet."""
    rolled_back: int
    """The version that a rollback made of 1700000000."""
    forced: int
    """The version that a forced push made of `not_blessed`."""


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Shop:
    maker = StoreWriter(tmp_path_factory.mktemp("shop") / "workspace", "shop")
    by_status = {ends.status: ends for ends in ENDS.values()}
    failed, killed = (ends for ends in ENDS.values() if ends.status is Status.FAILED)
    pushed = maker.run(0, PUSHED, seed=1, data="a")
    not_blessed = maker.run(1, by_status[Status.NOT_BLESSED], seed=2, data="a")
    cached = maker.run(2, PUSHED, seed=1, data="a")
    forced = _force(maker, not_blessed, 1_700_000_100)
    rolled_back = _roll_back(maker, 1_700_000_000, 1_700_000_101)
    rejected = maker.run(3, by_status[Status.INDEX_REJECTED], seed=3, data="b")
    refused = maker.run(4, by_status[Status.REFUSED], seed=4, data="c")
    failed_run = maker.run(5, failed, seed=5, data="b")
    killed_run = maker.run(6, killed, seed=6, data="b")
    return Shop(
        maker.workspace,
        Store(maker.workspace.metadata_path),
        pushed=pushed,
        not_blessed=not_blessed,
        cached=cached,
        rejected=rejected,
        refused=refused,
        failed=failed_run,
        killed=killed_run,
        rolled_back=rolled_back,
        forced=forced,
    )


def _force(maker: StoreWriter, run_id: str, version: int) -> int:
    made = {execution.node: execution for execution in Store(maker.workspace.metadata_path).run_executions(run_id)}
    inputs = {"trained_model": made["Trainer"].outputs["model"], "examples": made["Windows"].outputs["examples"]}
    facts = {"run_id": run_id, "reason": "new catalogue", "by": "ann@host"}
    with journal.Journal(maker.workspace).step(nodes.FORCED_PUSH, inputs, facts) as step:
        step.add({"overridden": '{"Evaluator": ["too low"]}'})
        step.announce("model", "Model", "forced index", {"index": '{"kind": "brute_force", "k": 10, "recall_at_k": 1}'})
        step.announce("pushed_model", "PushedModel", "x", _record(version))
    return version


def _roll_back(maker: StoreWriter, restored: int, version: int) -> int:
    original = pushed_models(Store(maker.workspace.metadata_path))[restored]
    facts = {"restored_version": str(restored), "replaced_version": "1700000100", "reason": "", "by": "bob@host"}
    with journal.Journal(maker.workspace).step(nodes.ROLLBACK, {"pushed_model": [original]}, facts) as step:
        step.announce("restored_model", "PushedModel", original.uri, _record(version))
    return version


def _record(version: int) -> dict[str, str | int]:
    return {"pushed": 1, "pushed_version": str(version), "pushed_destination": f"serving/shop/{version}"}
