"""The served smoke model gets a catalogue in which one film is gone, one has another title, and two are new."""

from __future__ import annotations

import csv
import datetime
import shutil
import types

import pytest

import shortlist
from pipeline.run import run_pipeline
from shortlist.errors import DataError
from shortlist.lineage.served_model import find_served_model
from shortlist.lineage.store import Store
from shortlist.lineage.trace import trace_pushed
from shortlist.summary import Status
from tests.pipeline.conftest import RecordingListener

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_TABLE = "movielens-100k-smoke/candidates.csv"
_GONE, _RENAMED, _NEW = "2", "1", ("new-1", "new-2")
# It reads ML Metadata in each run, and has no result to cache.
_RESOLVERS = {"BlessedStatistics", "ServedModel"}


def _reindex(smoke, data_root):
    """Reindexes the served version of the smoke workspace as `shortlist run --reindex` does."""
    workspace, listener = smoke.workspace, RecordingListener()
    served = find_served_model(workspace)
    run_id = workspace.start_run(datetime.datetime.now(datetime.timezone.utc))
    summary = run_pipeline(smoke.config, workspace, run_id, data_root, listener, "order", served)
    return types.SimpleNamespace(summary=summary, listener=listener, served=served)


def _rows(smoke):
    with (smoke.data_root / _TABLE).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(rows, data_root):
    path = data_root / _TABLE
    path.parent.mkdir(parents=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return data_root


@pytest.fixture(scope="module")
def reindexed(smoke, tmp_path_factory):
    """Two reindexes in the smoke workspace itself; it is put back afterwards."""
    root, kept = smoke.workspace.root, tmp_path_factory.mktemp("kept") / "workspace"
    shutil.copytree(root, kept, symlinks=True)
    rows = [row for row in _rows(smoke) if row["item_id"] != _GONE]
    [renamed] = [row for row in rows if row["item_id"] == _RENAMED]
    # The new films are like Toy Story, so that the model knows their words, years and genres.
    rows += [{**renamed, "item_id": name} for name in _NEW]
    renamed["title"] = "Another Story"
    data_root = _write(rows, tmp_path_factory.mktemp("today"))
    first, second = (_reindex(smoke, data_root) for _ in range(2))
    yield types.SimpleNamespace(first=first, second=second, store=Store.of(smoke.workspace))
    shutil.rmtree(root)
    shutil.move(kept, root)


def test_a_new_version_has_todays_catalogue(smoke, reindexed):
    summary = reindexed.first.summary
    assert (summary.status, summary.kind.value) == (Status.PUSHED, "reindex"), summary.reasons
    assert summary.pushed.version > smoke.first.summary.pushed.version
    before = len(_rows(smoke))
    refresh = summary.refresh
    assert (refresh.known, refresh.new, refresh.removed) == (before - 1, 2, 1)
    assert refresh.model_of == smoke.first.summary.run_id
    model = shortlist.load(smoke.workspace.root)
    answers = model.recommend(history=["50", "172"], k=summary.index.k)
    assert _GONE not in {answer.id for answer in answers}
    titles = {answer.id: answer.title for answer in model.recommend(history=["50"], k=summary.index.k)}
    assert titles.get(_RENAMED, "Another Story") == "Another Story"
    # Two candidates that differ in nothing but their ids have one score, and are recommended together or not at all.
    found = {answer.id: answer.score for answer in model.recommend(history=[_NEW[0]], k=summary.index.k)}
    assert _NEW[0] not in found


def test_nothing_is_trained_and_the_log_is_not_read(reindexed):
    nodes = set(reindexed.first.listener.started)
    assert {"CandidatesGen", "DataGate", "ServedModel", "Refresh", "Indexer", "ServingCheck", "Pusher"} <= nodes
    assert nodes.isdisjoint({"InteractionsGen", "Windows", "Transform", "Trainer", "Evaluator"})


def test_a_repeated_reindex_comes_from_the_cache_and_pushes_nothing(reindexed):
    first, second = reindexed.first, reindexed.second
    assert {node for node, cached in second.listener.cached.items() if not cached} <= _RESOLVERS
    assert second.summary.pushed == first.summary.pushed
    # The second one found the same trained model behind the reindexed version.
    assert second.served.artifact_ids == first.served.artifact_ids


def test_lineage_leads_to_todays_catalogue_and_to_the_training(smoke, reindexed):
    steps = {step.execution.node: step for step in trace_pushed(reindexed.store).steps}
    assert {"Refresh", "CandidatesGen", "Trainer", "Windows", "InteractionsGen"} <= set(steps)
    assert steps["Trainer"].execution.run_id == smoke.first.summary.run_id
    assert steps["Refresh"].execution.run_id == reindexed.first.summary.run_id


def test_a_catalogue_that_the_model_does_not_know_is_refused(smoke, reindexed, tmp_path):
    served = smoke.workspace.serving_dir
    before = sorted(path.name for path in served.iterdir())
    strangers = [{**row, "item_id": f"other-{row['item_id']}"} for row in _rows(smoke)[:200]]
    with pytest.raises(DataError, match=r"are new to the model"):
        _reindex(smoke, _write([*_rows(smoke)[:200], *strangers], tmp_path / "strangers"))
    assert sorted(path.name for path in served.iterdir()) == before
