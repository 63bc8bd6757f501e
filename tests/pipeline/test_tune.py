"""A search in the smoke pipeline; the model is trained with its best values."""

import datetime
import json
import pathlib
import shutil

import pytest

from shortlist.config.tune import Tune
from shortlist.lineage.facts.by_node import facts
from shortlist.lineage.settings import hyperparameters
from shortlist.lineage.store import Store
from shortlist.model_files import SAVED_MODEL_FOLDER, TRAINED_FILE
from shortlist.report import sections
from shortlist.report.facts import read
from shortlist.summary import read_summary
from shortlist.tables import input_table
from shortlist.workspace import TUNED_FILE, Workspace
from tests.pipeline.conftest import RecordingListener

pytestmark = pytest.mark.e2e

_RATE = "train.learning_rate"
_HOPELESS, _GOOD = 1e-7, 0.01


class _UntilTrained(RecordingListener):
    """Interrupts a run after its Trainer: later nodes do not depend on the search."""

    def node_finished(self, result):
        super().node_finished(result)
        if result.node_id == "Trainer":
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def config(smoke):
    # The rate stays at its peak, so that the training log has it.
    train = smoke.config.train.model_copy(
        update={"epochs": 1, "learning_rate": _HOPELESS, "schedule": "constant", "warmup_fraction": 0.0}
    )
    tune = Tune.model_validate({"enabled": True, "max_trials": 2, "epochs": 1, "space": {_RATE: [_GOOD]}})
    return smoke.config.model_copy(update={"train": train, "tune": tune})


@pytest.fixture(scope="module")
def workspace(smoke, tmp_path_factory):
    root = tmp_path_factory.mktemp("tune") / "workspace"
    shutil.copytree(smoke.workspace.root, root, symlinks=True)
    return Workspace(root, smoke.config.name)


def _run(config, workspace, data_root):
    from pipeline.run import run_pipeline

    listener = _UntilTrained()
    run_id = workspace.start_run(datetime.datetime.now(datetime.timezone.utc))
    unit = input_table.timestamp_unit(config.data.interactions, data_root)
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(config, workspace, run_id, data_root, listener, unit)
    return run_id, listener


@pytest.fixture(scope="module")
def tuned(config, workspace, smoke):
    run_id, _ = _run(config, workspace, smoke.data_root)
    nodes = {execution.node: execution for execution in Store(workspace.metadata_path).run_executions(run_id)}
    return run_id, nodes


def test_the_model_is_trained_with_the_best_values_and_not_the_configs(tuned, workspace):
    run_id, nodes = tuned
    trained = json.loads(
        pathlib.Path(nodes["Trainer"].output("model").uri, SAVED_MODEL_FOLDER, TRAINED_FILE).read_text()
    )
    assert trained["config"]["train"]["learning_rate"] == _GOOD
    assert [line["learning_rate"] for line in trained["train"]["log"]] == [pytest.approx(_GOOD)]
    summary = read_summary(workspace.run_dir(run_id) / "summary.json")
    assert [trial.values for trial in summary.tuning.trials] == [{_RATE: _HOPELESS}, {_RATE: _GOOD}]
    assert summary.tuning.best == 2
    assert summary.tuning.used == {_RATE: _GOOD}
    # The trial was the very same training.
    assert summary.tuning.winner.score == trained["train"]["best_top_10"]
    assert summary.tuning.winner.score > summary.tuning.trials[0].score


def test_lineage_leads_from_the_model_to_the_search(tuned):
    _, nodes = tuned
    [used] = nodes["Trainer"].inputs["hyperparameters"]
    assert used.id == nodes["Tuner"].output("best_hyperparameters").id
    assert used.type == "HyperParameters"
    assert set(nodes["Tuner"].inputs) == {
        *("examples", "schema", "transform_graph", "candidates", "candidate_transform_graph")
    }
    assert any("trial 2 of 2 was best: top_10" in fact for fact in facts(nodes["Tuner"]))
    assert hyperparameters(nodes["Trainer"])["train"]["learning_rate"] == _GOOD


def test_the_run_writes_a_config_with_the_best_values(tuned, config, workspace):
    from shortlist.config.load import load_config

    run_id, _ = tuned
    kept = load_config(workspace.run_dir(run_id) / TUNED_FILE)
    assert kept.train == config.train.model_copy(update={"learning_rate": _GOOD})
    assert not kept.tune.enabled
    assert kept.data == config.data


def test_the_report_has_the_trials(tuned, workspace):
    run_id, _ = tuned
    [section] = [found for found in sections.run_page(read(workspace, run_id)).sections if found.key == "tuning"]
    assert "Trial 2 was best by top_10 on 120 eval rows" in section.lead
    assert [row[0] for row in section.blocks[0].rows] == ["2", "1"]
    assert section.blocks[0].rows[0][-1] == "used"


def test_the_same_search_is_not_made_twice(tuned, config, workspace, smoke):
    _, listener = _run(config, workspace, smoke.data_root)
    assert listener.cached["Tuner"]
    assert listener.cached["Trainer"]
