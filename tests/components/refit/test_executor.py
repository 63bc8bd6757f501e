"""A model that was not blessed is not trained again; the verdict goes on all the same."""

import pytest
from tfx.types import standard_artifacts

from components.indexer import verdict
from components.refit import executor


def artifact(kind, uri, number):
    made = kind()
    made.uri, made.id = str(uri), number
    return made


@pytest.fixture
def artifacts(tmp_path):
    """(inputs, outputs) of the node as far as a refusal looks at them."""
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
    assert given.get_string_custom_property(verdict.STATUS) == verdict.NOT_BLESSED
    assert not model.has_custom_property(executor.REFIT)
    assert list(tmp_path.iterdir()) == []


def test_a_blessing_of_another_model_is_none(artifacts):
    inputs, outputs = artifacts
    verdict.give(inputs[executor.MODEL_BLESSING][0], outputs["model"][0], verdict.OK, [])
    executor.Executor().Do(inputs, outputs, {})
    assert "the blessing is that of" in verdict.objections(outputs["blessing"][0], outputs["model"][0])[0]
