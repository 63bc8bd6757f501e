"""The Refit node's executor: it trains a blessed model only, and passes on the verdict in any case."""

import json
import pathlib

import pytest
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from components.indexer import verdict
from components.refit import executor, refit_fn
from components.trainer import executor as trainer
from shortlist.model_files import TRAINED_FILE
from shortlist.records import properties


def artifact(kind, uri, number):
    made = kind()
    made.uri, made.id = str(uri), number
    return made


@pytest.fixture
def artifacts(tmp_path):
    """Returns (inputs, outputs) of the node, without the inputs that only a training reads."""
    measured = artifact(standard_artifacts.Model, tmp_path / "measured", 1)
    blessing = artifact(standard_artifacts.ModelBlessing, tmp_path / "measured-blessing", 2)
    inputs = {executor.MEASURED_MODEL: [measured], executor.MODEL_BLESSING: [blessing]}
    outputs = {
        "model": [artifact(standard_artifacts.Model, tmp_path / "model", 3)],
        "model_run": [artifact(standard_artifacts.ModelRun, tmp_path / "run", 4)],
        "blessing": [artifact(standard_artifacts.ModelBlessing, tmp_path / "blessing", 5)],
    }
    return inputs, outputs


def test_the_reasons_of_a_rejection_go_on(artifacts, tmp_path):
    inputs, outputs = artifacts
    verdict.give(inputs[executor.MODEL_BLESSING][0], inputs[executor.MEASURED_MODEL][0], "", ["too low"])
    executor.Executor().Do(inputs, outputs, {})
    [given], [model] = outputs["blessing"], outputs["model"]
    assert verdict.objections(given, model) == ["too low"]
    assert given.get_string_custom_property(properties.STATUS) == properties.NOT_BLESSED
    assert not model.has_custom_property(properties.REFIT)
    assert list(tmp_path.iterdir()) == []


def test_a_blessing_of_another_model_is_none(artifacts):
    inputs, outputs = artifacts
    verdict.give(inputs[executor.MODEL_BLESSING][0], outputs["model"][0], properties.OK, [])
    executor.Executor().Do(inputs, outputs, {})
    assert "the blessing is of" in verdict.objections(outputs["blessing"][0], outputs["model"][0])[0]


def trained(model, **metadata):
    """Writes a trained model's metadata file."""
    path = pathlib.Path(path_utils.serving_model_path(model.uri), TRAINED_FILE)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(metadata))


def test_the_refitted_model_has_the_blessing_and_the_id_of_the_measured_model(artifacts, monkeypatch):
    inputs, outputs = artifacts
    [measured], [blessing], [model] = inputs[executor.MEASURED_MODEL], inputs[executor.MODEL_BLESSING], outputs["model"]
    verdict.give(blessing, measured, properties.OK, [])
    refit = {"steps": 7, "targets": 120, "seconds": 1.5}
    monkeypatch.setattr(trainer.Executor, "Do", lambda *_: trained(model, train={**refit, "best_step": 7}))
    executor.Executor().Do(inputs, outputs, {})
    assert json.loads(model.get_string_custom_property(properties.REFIT)) == {**refit, "metrics_of": measured.id}
    [given] = outputs["blessing"]
    assert verdict.objections(given, model) == []
    assert verdict.objections(given, measured) != []


def test_the_recipe_is_what_the_measured_model_was_trained_with(artifacts, monkeypatch):
    inputs, outputs = artifacts
    trained(inputs[executor.MEASURED_MODEL][0], config={"train": "tuned"}, train={"best_step": 7})
    given = FnArgs(custom_config={"train": "of the config", "code_sha256": "c"})
    monkeypatch.setattr(trainer.Executor, "_GetFnArgs", lambda *_: given)
    found = executor.Executor()._GetFnArgs(inputs, outputs, {})
    assert found.custom_config == {"train": "tuned", "code_sha256": "c", refit_fn.MEASURED: {"best_step": 7}}
