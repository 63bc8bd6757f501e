"""The trained model behind the served version, in the recorded workspace: two pushes, one refused run between them."""

import pathlib
import shutil

import pytest

from shortlist.errors import BadInputError
from shortlist.lineage.served_model import find_served_model
from shortlist.lineage.store import Store
from shortlist.lineage.trace import pushed_models
from shortlist.serving import versions
from shortlist.workspace import Workspace
from tests.compatibility.restored import restore


@pytest.fixture
def workspace(tmp_path):
    restore(tmp_path)
    return Workspace(tmp_path / "workspace", "circle")


def test_it_is_the_model_of_the_served_version_not_of_the_latest_training(workspace):
    older, newer = versions.versions(workspace.serving_dir)
    latest = find_served_model(workspace)
    assert latest.version == newer
    # Without the newer version, as after a rollback by hand.
    shutil.rmtree(workspace.serving_dir / str(newer))
    first = find_served_model(workspace)
    assert first.version == older
    assert first.trained_model.id < latest.trained_model.id
    assert first.run_id < latest.run_id
    store = Store.of(workspace)
    for model in (first, latest):
        trainer = store.producer(model.trained_model.id)
        assert (trainer.node, trainer.run_id) == ("Trainer", model.run_id)
        assert store.producer(model.verdict.id).node == "Evaluator"
        assert store.producer(model.evaluation.id).inputs["model"][0].id == model.trained_model.id
        assert pathlib.Path(model.examples.uri, "Split-test").is_dir()
        assert set(model.artifact_ids) == {"trained_model", "model_blessing", "examples", "evaluation", "verdict"}


def test_nothing_served_and_unknown_versions_are_refused(workspace):
    newest = max(pushed_models(Store.of(workspace)))
    (workspace.serving_dir / str(newest)).rename(workspace.serving_dir / str(newest + 1))
    with pytest.raises(BadInputError, match="not in ML Metadata"):
        find_served_model(workspace)
    shutil.rmtree(workspace.serving_dir)
    with pytest.raises(BadInputError, match="no model was pushed yet"):
        find_served_model(workspace)
