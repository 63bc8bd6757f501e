"""Ablations of the smoke config, on the windows of its own run."""

import json

import numpy as np
import pytest

from components.trainer.from_config import settings_from
from pipeline.ablations import run, table, windows
from shortlist.errors import BadInputError
from shortlist.lineage.store import Store
from shortlist.model_files import SAVED_MODEL_FOLDER, TRAINED_FILE
from tests.pipeline.conftest import RecordingListener

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def rows(smoke):
    return windows.latest(smoke.workspace, smoke.config)


@pytest.fixture(scope="module")
def plan(smoke):
    return run.plan(settings_from(smoke.config), (1,), "eval", epochs=1, only=["dropout"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ablations")


@pytest.fixture(scope="module")
def found(plan, rows, folder):
    listener = RecordingListener()
    return run.run(plan, rows, folder, listener), listener


def test_the_rows_are_those_of_the_latest_run(smoke, rows):
    assert rows.run_id == smoke.third.summary.run_id
    queries = smoke.config.data.queries.model_copy(update={"features": {}})
    other = smoke.config.model_copy(update={"data": smoke.config.data.model_copy(update={"queries": queries})})
    with pytest.raises(BadInputError, match=r"expected a run with this config's `data`, got none"):
        windows.latest(smoke.workspace, other)


def test_each_recipe_is_trained_with_each_seed(found):
    result, listener = found
    assert listener.started == [
        "own: reference, seed 1",
        "own: dropout, seed 1",
    ]
    assert not any(listener.cached.values())
    assert (result.rows, result.split, result.seeds) == (120, "eval", [1])
    [group] = result.groups
    [part] = group.parts
    assert part.in_reference
    assert part.effect == pytest.approx(group.top_10 - part.top_10)
    assert part.low <= part.effect <= part.high
    assert group.seed_deviation is None


def test_the_table_starts_with_epochs_seeds_and_rows(found):
    text = table.markdown(found[0])
    assert text.startswith("1 epoch instead of the config's own; 1 seed, 120 eval rows")
    assert "**The config's own recipe: top_10 " in text
    assert "| dropout | yes | 0 | " in text
    assert table.Ablations.model_validate_json(found[0].model_dump_json()) == found[0]


def test_only_trials_that_are_missing_from_the_cache_run(found, plan, rows, folder):
    listener = RecordingListener()
    again = run.run(plan, rows, folder, listener)
    assert again == found[0]
    assert all(listener.cached.values())
    next(folder.glob("*/cell.json")).unlink()
    listener = RecordingListener()
    assert run.run(plan, rows, folder, listener).groups[0].parts[0].effect == found[0].groups[0].parts[0].effect
    assert sum(not cached for cached in listener.cached.values()) == 1


def test_a_trial_is_the_trainers_own_model(smoke, rows, folder):
    """The whole recipe with the run's own seed and epochs has the eval figures of the run's Trainer."""
    from pipeline.ablations.trials import TrialCache

    trial = TrialCache(folder, rows, "eval").run(settings_from(smoke.config))
    nodes = {e.node: e for e in Store(smoke.workspace.metadata_path).run_executions(smoke.first.summary.run_id)}
    with open(f"{nodes['Trainer'].output('model').uri}/{SAVED_MODEL_FOLDER}/{TRAINED_FILE}", encoding="utf-8") as file:
        trained = json.load(file)["train"]
    assert trial.best_epoch == trained["best_epoch"]
    assert float(np.mean(trial.ranks <= 10)) == pytest.approx(trained["best_top_10"], abs=1e-6)
