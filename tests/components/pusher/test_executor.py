"""Pushes and records of the executor, and the node's spec; the only module here that imports TFX (25 s)."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
from tfx import types
from tfx.components.evaluator import constants
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.utils import json_utils, proto_utils

from components.indexer import verdict
from components.pusher.component import VersionPusher
from components.pusher.executor import Executor
from shortlist.errors import ConfigError, DataError
from shortlist.model_files import MANIFEST_FILE
from shortlist.records import properties
from shortlist.serving import versions

FILES = {"saved_model.pb", "variables/variables.index"}


class Push:
    """The inputs of one execution: a model and its exact copy, blessed by both nodes until a test changes something."""

    def __init__(self, root: pathlib.Path):
        self.serving_dir = root / "serving" / "m"
        self.pushed = _artifact(standard_artifacts.PushedModel, root / "pushed")
        self.model = _saved_model(root / "model", "index")
        exact = _saved_model(root / "exact", "exact")
        self.model_blessing = _artifact(standard_artifacts.ModelBlessing, root / "blessing")
        self.infra_blessing = _artifact(standard_artifacts.InfraBlessing, root / "infra")
        verdict.give(self.model_blessing, self.model, properties.OK, [])
        verdict.give(self.infra_blessing, self.model, properties.OK, [])
        self._inputs: dict[str, list[Any]] = {
            "model": [self.model],
            "exact_model": [exact],
            "model_blessing": [self.model_blessing],
            "infra_blessing": [self.infra_blessing],
        }

    def do(self) -> None:
        destination = pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(self.serving_dir))
        )
        Executor().Do(
            self._inputs,
            {"pushed_model": [self.pushed]},
            {
                "push_destination": proto_utils.proto_to_json(destination),
                "custom_config": json_utils.dumps({"keep_versions": 2, "code_sha256": "-"}),
            },
        )

    def assert_not_pushed(self, reasons: list[str]) -> None:
        assert self.pushed.get_int_custom_property("pushed") == 0
        assert verdict.reasons_of(self.pushed) == reasons
        assert not self.pushed.has_custom_property("pushed_version")
        assert not self.pushed.has_custom_property("pushed_destination")
        assert not self.serving_dir.parent.exists()


def _artifact(artifact_type: type[types.Artifact], folder: pathlib.Path) -> types.Artifact:
    folder.mkdir(parents=True)
    artifact = artifact_type()
    artifact.uri = str(folder)
    return artifact


def _saved_model(folder: pathlib.Path, content: str) -> types.Artifact:
    for name in FILES:
        file = folder / "Format-Serving" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    artifact = standard_artifacts.Model()
    artifact.uri = str(folder)
    return artifact


def _contents(folder: pathlib.Path) -> dict[str, str]:
    """Returns the content of each file but the manifest, which only a pushed version has."""
    found = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    found.pop(MANIFEST_FILE, None)
    return found


@pytest.fixture
def push(tmp_path):
    return Push(tmp_path)


def test_blessed_models_are_pushed_and_recorded(push):
    push.do()

    version = versions.served_version(push.serving_dir)
    assert push.pushed.get_int_custom_property("pushed") == 1
    assert push.pushed.get_string_custom_property("pushed_version") == str(version)
    destination = push.pushed.get_string_custom_property("pushed_destination")
    assert destination == str(push.serving_dir / str(version))
    assert verdict.reasons_of(push.pushed) == []
    assert _contents(pathlib.Path(destination)) == dict.fromkeys(FILES, "index")
    assert _contents(versions.exact_dir(push.serving_dir) / str(version)) == dict.fromkeys(FILES, "exact")
    # The artifact is the archive of what was pushed.
    assert _contents(pathlib.Path(push.pushed.uri)) == dict.fromkeys(FILES, "index")


def test_the_config_says_how_many_versions_are_kept(tmp_path):
    for number in range(3):
        push = Push(tmp_path / str(number))
        push.serving_dir = tmp_path / "serving"
        push.do()
    newest = versions.versions(push.serving_dir)
    assert len(newest) == 2
    assert push.pushed.get_string_custom_property("pushed_version") == str(newest[-1])


def test_rejected_index_is_not_pushed_and_the_reasons_are_kept(push):
    verdict.give(push.model_blessing, push.model, properties.INDEX_REJECTED, ["recall@100 is 0.8", "p99 is 90 ms"])
    # The ServingCheck repeats the Indexer's reasons.
    verdict.give(push.infra_blessing, push.model, properties.INDEX_REJECTED, ["recall@100 is 0.8", "p99 is 90 ms"])
    push.do()
    push.assert_not_pushed(["recall@100 is 0.8", "p99 is 90 ms"])
    assert _contents(pathlib.Path(push.pushed.uri)) == {}


def test_failed_check_is_not_pushed(push):
    verdict.give(push.infra_blessing, push.model, "check_failed", ["the models disagree"])
    push.do()
    push.assert_not_pushed(["the models disagree"])


@pytest.mark.parametrize("key", ["model_blessing", "infra_blessing"])
def test_blessing_that_says_nothing_pushes_nothing(push, key):
    blessing = getattr(push, key)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, 0)
    push.do()
    push.assert_not_pushed(["the model was not blessed"])


@pytest.mark.parametrize("key", ["model_blessing", "infra_blessing"])
def test_blessing_of_another_model_pushes_nothing(push, key):
    other = standard_artifacts.Model()
    other.uri = "/elsewhere"
    verdict.give(getattr(push, key), other, properties.OK, [])
    push.do()
    push.assert_not_pushed([f"the blessing is of /elsewhere, not of {push.model.uri}"])


def test_failure_raises_and_records_no_push(push):
    push.serving_dir.mkdir(parents=True)
    (push.serving_dir / versions.VERSIONS_FILE).write_text("{}")
    with pytest.raises(DataError, match="last_version"):
        push.do()
    assert not push.pushed.has_custom_property("pushed")
    assert versions.served_version(push.serving_dir) is None


def test_the_node(tmp_path):
    channels = {
        "model": types.Channel(type=standard_artifacts.Model),
        "exact_model": types.Channel(type=standard_artifacts.Model),
        "model_blessing": types.Channel(type=standard_artifacts.ModelBlessing),
        "infra_blessing": types.Channel(type=standard_artifacts.InfraBlessing),
    }
    node = VersionPusher(**channels, serving_dir=str(tmp_path), keep_versions=3)
    assert node.id == "Pusher"
    # As stores of every version name it.
    assert node.type == "components.pusher.component.TwinPusher"
    assert set(node.inputs) == set(channels)
    assert set(node.outputs) == {"pushed_model"}
    custom_config = json.loads(node.exec_properties["custom_config"])
    assert custom_config["keep_versions"] == 3
    assert len(custom_config["code_sha256"]) == 64
    with pytest.raises(ConfigError, match="gs://bucket/m"):
        VersionPusher(**channels, serving_dir="gs://bucket/m", keep_versions=3)
