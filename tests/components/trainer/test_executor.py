"""Inputs that the Trainer's executor passes to `run_fn`: held-out windows, and the model of a warm start."""

import pathlib
import shutil

import pytest
from tfx.types import artifact_utils, standard_artifacts

from components.trainer import executor, run_fn
from shortlist.records import contents, properties


def _artifact(kind, folder, splits=()):
    artifact = kind()
    artifact.uri = str(folder)
    for split in splits:
        (folder / f"Split-{split}").mkdir(parents=True)
    if splits:
        artifact.split_names = artifact_utils.encode_split_names(list(splits))
    return artifact


@pytest.fixture
def inputs(tmp_path):
    return {
        "examples": [_artifact(standard_artifacts.Examples, tmp_path / "windows", ("train", "eval", "test"))],
        "candidates": [_artifact(standard_artifacts.Examples, tmp_path / "candidates", ("all",))],
        "candidate_transform_graph": [_artifact(standard_artifacts.TransformGraph, tmp_path / "graph")],
    }


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("weights")
    artifact = _artifact(standard_artifacts.Model, tmp_path / "model")
    artifact.set_string_custom_property(properties.MANIFEST, contents.manifest(artifact.uri))
    return artifact


def test_without_a_warm_start_there_is_no_source(inputs, tmp_path):
    found = executor.extra_inputs(inputs, str(tmp_path / "Trainer" / "model_run" / "7"))
    assert not {run_fn.SOURCE_MODEL, run_fn.NO_SOURCE} & set(found)
    assert found[run_fn.TEST_FILES] == [str(tmp_path / "windows" / "Split-test" / "*")]
    assert found[run_fn.CHECKPOINT_ROOT] == str(tmp_path / "Trainer" / "checkpoints")


def test_the_source_is_the_model_unless_its_files_are_damaged(inputs, model, tmp_path):
    inputs["source_model"] = [model]
    found = executor.extra_inputs(inputs, str(tmp_path))
    assert found[run_fn.SOURCE_MODEL] == model.uri
    pathlib.Path(model.uri, "weights").write_text("others!")
    found = executor.extra_inputs(inputs, str(tmp_path))
    assert run_fn.SOURCE_MODEL not in found
    assert found[run_fn.NO_SOURCE].startswith(
        "the files of the latest blessed model are damaged: the content of weights was "
    )
    shutil.rmtree(model.uri)
    assert "its folder is missing" in executor.extra_inputs(inputs, str(tmp_path))[run_fn.NO_SOURCE]
