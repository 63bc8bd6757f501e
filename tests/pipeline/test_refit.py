"""The smoke run again with `train.refit`: the measured model stays, and the served model is trained on all data."""

import json
import pathlib
import shutil
import types

import pytest

from shortlist.lineage.impact import impact
from shortlist.lineage.store import Store
from shortlist.lineage.trace import trace_pushed
from shortlist.summary import Status

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def refitted(smoke, run_smoke, tmp_path_factory):
    """Two runs in the smoke workspace itself, where the cache has all that comes before; it is put back afterwards."""
    root, kept = smoke.workspace.root, tmp_path_factory.mktemp("kept") / "workspace"
    shutil.copytree(root, kept, symlinks=True)
    config = smoke.config.model_copy(update={"train": smoke.config.train.model_copy(update={"refit": True})})
    first, second = (run_smoke(config, smoke.workspace) for _ in range(2))
    yield types.SimpleNamespace(first=first, second=second, store=Store.of(smoke.workspace))
    shutil.rmtree(root)
    shutil.move(kept, root)


def test_the_measured_model_is_unchanged(smoke, refitted):
    run = refitted.first
    assert run.summary.status is Status.PUSHED
    assert run.listener.cached["Trainer"]
    assert run.listener.cached["Evaluator"]
    assert run.summary.metrics == smoke.first.summary.metrics
    assert not run.listener.cached["Refit"]


def test_the_served_one_saw_every_interaction(smoke, refitted):
    summary = refitted.first.summary
    rows = summary.data.rows
    assert summary.refit.targets == sum(rows.values()) > rows["train"]
    assert summary.refit.steps == smoke.first.summary.training["best_step"]
    served = json.loads(pathlib.Path(summary.pushed.path, "assets.extra/shortlist.json").read_text())
    assert served["train"]["targets"] == summary.refit.targets
    assert served["train"]["best_ndcg_at_10"] is None


def test_an_unchanged_run_comes_from_the_cache_and_pushes_nothing(refitted):
    first, second = refitted.first, refitted.second
    assert {node for node, cached in second.listener.cached.items() if not cached} <= {
        "BlessedModel",
        "BlessedStatistics",
    }
    assert (second.summary.refit, second.summary.pushed) == (first.summary.refit, first.summary.pushed)


def test_lineage_names_the_measured_model(refitted):
    steps = {step.execution.node: step for step in trace_pushed(refitted.store).steps}
    assert {"RefitWindows", "RefitTransform", "Refit", "Trainer", "Evaluator"} <= set(steps)
    measured = steps["Trainer"].execution.output("model")
    facts = "; ".join(steps["Refit"].facts)
    assert f"its metrics are those of model {measured.id}, which was trained on train alone" in facts
    # The served version depends on the data through the refit.
    [model] = [found for found in impact(refitted.store, str(measured.id)).models if found.artifact_id == measured.id]
    assert refitted.first.summary.pushed.version in [push.version for push in model.pushes]
