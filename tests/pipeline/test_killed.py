"""SIGKILL during the training, the push or any other node: the re-run continues, and no reader sees half a model.

Two kills here; `make test-kill` has twenty, in as many nodes.
"""

from __future__ import annotations

import os
import random

import pytest

from shortlist.lineage.store import Store
from shortlist.serving import versions
from shortlist.serving.served_model import load_served
from shortlist.summary import Status, read_summary
from shortlist.workspace import Workspace
from tests.pipeline import killing

KILLS = int(os.environ.get("SHORTLIST_KILLS", "2"))
# The longest node, and the node that writes to the served folder.
_MATTER_MOST = ("Trainer", "Pusher")

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_killed_at_random_moments(smoke, tmp_path):
    seed = int(os.environ.get("SHORTLIST_SEED", random.SystemRandom().randrange(10**6)))
    print(f"SHORTLIST_SEED={seed} repeats these moments")
    chance = random.Random(seed)
    undisturbed = smoke.first
    workspace = Workspace(tmp_path / "workspace", smoke.config.name)
    config_path = killing.write_config(tmp_path / "smoke.yaml", workspace.root)

    order = undisturbed.listener.started
    kills = 0
    with killing.Reader(workspace.serving_dir) as reader:
        for node in _nodes(order, chance):
            # Of a node's seconds the first part goes by before ML Metadata knows that it is at work.
            seconds = chance.uniform(0, 0.5 * undisturbed.summary.seconds.components[node])
            with killing.Victim(config_path, workspace, smoke.data_root) as victim:
                killed = victim.kill_in(order[order.index(node) :], seconds)
            kills += killed
            print(f"{seconds:6.2f} s into {node}: {'killed' if killed else 'it had ended'}")
        with killing.Victim(config_path, workspace, smoke.data_root) as last:
            assert last.process.wait() == 0, last.output

    assert kills >= KILLS / 2
    summary = read_summary(workspace.runs_dir / "latest" / "summary.json")
    assert summary.status is Status.PUSHED
    assert killing.differences(killing.results(summary), killing.results(undisturbed.summary)) == []
    in_peace = Store(smoke.workspace.metadata_path).run_executions(undisturbed.summary.run_id)
    killing.check_what_is_left(workspace, in_peace, kills)

    assert reader.problems == set()
    assert summary.pushed.version in reader.seen
    for folder in (workspace.serving_dir, versions.exact_dir(workspace.serving_dir)):
        model = load_served(folder / str(summary.pushed.version))
        assert {"serving_default", "recommend"} <= set(model.signatures)


def _nodes(nodes: list[str], chance: random.Random) -> list[str]:
    """Returns the nodes to kill in, in the order of the DAG: what was before a kill comes from the cache after it."""
    others = [node for node in nodes if node not in _MATTER_MOST]
    chosen = {*_MATTER_MOST, *chance.sample(others, min(len(others), KILLS - len(_MATTER_MOST)))}
    return [node for node in nodes if node in chosen]
