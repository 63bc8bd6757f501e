"""Executor of the Pusher: pushes both models and records the destination, or the reasons for not pushing."""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any

from tfx import types
from tfx.components.pusher import executor
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, path_utils, proto_utils

from components.indexer import verdict
from shortlist.config.paths import is_uri
from shortlist.errors import ConfigError
from shortlist.records import properties
from shortlist.serving import versions

KEEP_VERSIONS = "keep_versions"
EXACT_MODEL = "exact_model"
SERVING_DIR = "serving_dir"
"""Exec property, str: the folder to push to, if `push_destination` is not set."""


def not_a_folder(serving_dir: str) -> ConfigError:
    """Returns the error for a destination without an atomic rename."""
    return ConfigError.from_parts("", "a folder to push to", repr(serving_dir), "mount the bucket and name the mount")


class Executor(executor.Executor):
    """TFX's executor with an atomic push, and with recorded reasons if it does not push."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes if both nodes have blessed the model.

        Raises:
          DataError: The folder's `versions.json` is damaged.
          ConfigError: The folder is in an object store.
          OSError: The file system failed; the version served before is unchanged.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        reasons = _objections(input_dict)
        pushed.set_string_custom_property(properties.REASONS, json.dumps(reasons))
        if reasons or not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return

        model_path = self.GetModelPath(input_dict)
        exact_path = path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict[EXACT_MODEL]))
        # The archive is written first, so that no step can fail after the model is served.
        io_utils.copy_dir(model_path, pushed.uri)
        serving_dir = _serving_dir(exec_properties)
        with tempfile.TemporaryDirectory() as folder:
            # TFX's executor would copy into the final folder, where a server could load half of a model.
            version = versions.push(
                model_dir=_local(model_path, os.path.join(folder, "model")),
                exact_model_dir=_local(exact_path, os.path.join(folder, "exact_model")),
                serving_dir=serving_dir,
                keep_versions=json.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])[KEEP_VERSIONS],
            )
        self._MarkPushed(
            pushed, pushed_destination=os.path.join(serving_dir, str(version)), pushed_version=str(version)
        )


def _local(model_path: str, folder: str) -> str:
    """Returns the path of a model on this machine; a model at a URI is copied to `folder`."""
    if not is_uri(model_path):
        return model_path
    io_utils.copy_dir(model_path, folder)
    return folder


def _objections(input_dict: dict[str, list[types.Artifact]]) -> list[str]:
    """Returns the reasons against a push: the Indexer's, or if it has none, those of the ServingCheck."""
    model = artifact_utils.get_single_instance(input_dict[standard_component_specs.MODEL_KEY])
    for key in (standard_component_specs.MODEL_BLESSING_KEY, standard_component_specs.INFRA_BLESSING_KEY):
        objections = verdict.objections(artifact_utils.get_single_instance(input_dict[key]), model)
        if objections:
            return objections
    return []


def _serving_dir(exec_properties: dict[str, Any]) -> str:
    serving_dir = exec_properties.get(SERVING_DIR)
    if serving_dir:
        if "://" in serving_dir:
            raise not_a_folder(serving_dir)
        return str(serving_dir)
    destination = pusher_pb2.PushDestination()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination)
    return str(destination.filesystem.base_directory)
