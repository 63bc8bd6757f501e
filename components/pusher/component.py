"""The Pusher node: TFX's Pusher for a model and its exact copy."""

from __future__ import annotations

from typing import Any

from tfx import components as standard
from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration import data_types
from tfx.proto import pusher_pb2
from tfx.types import component_spec, standard_artifacts, standard_component_specs
from tfx.utils import json_utils

from components.pusher import executor
from shortlist import fingerprints
from shortlist.records import nodes


class VersionPusherSpec(standard_component_specs.PusherSpec):
    """TFX's specification with one more input and an optional folder, which may be set at submission."""

    PARAMETERS = {
        **standard_component_specs.PusherSpec.PARAMETERS,
        executor.SERVING_DIR: component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS = {
        **standard_component_specs.PusherSpec.INPUTS,
        executor.EXACT_MODEL: component_spec.ChannelParameter(type=standard_artifacts.Model),
    }


class VersionPusher(standard.Pusher):
    """Pushes a model and its exact copy to the serving folder as one new version.

    Outputs:
      pushed_model: A copy of the model. Custom properties: `pushed` (1 or 0); `pushed_destination` and `pushed_version`
        (strings) after a push; `reasons` (a JSON list of sentences) if the model was not pushed.
    """

    SPEC_CLASS = VersionPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    @classmethod
    def get_class_type(cls) -> str:
        """Returns the node's execution type in ML Metadata."""
        return nodes.PUSHER_TYPE

    def __init__(
        self,
        model: types.BaseChannel,
        exact_model: types.BaseChannel,
        model_blessing: types.BaseChannel,
        infra_blessing: types.BaseChannel,
        serving_dir: str | data_types.RuntimeParameter,
        keep_versions: int,
    ):
        """Wires the node.

        Args:
          model: The Indexer's model.
          exact_model: Its exact copy, pushed to `<serving_dir>-exact`.
          model_blessing: The Indexer's verdict.
          infra_blessing: The ServingCheck's verdict.
          serving_dir: Folder of the served versions, on a file system; may be a parameter of the submission.
          keep_versions: Number of newest versions to keep.

        Raises:
          ConfigError: `serving_dir` is not on a file system; object stores have no atomic rename.
        """
        destination: dict[str, Any] = {executor.SERVING_DIR: serving_dir}
        if isinstance(serving_dir, str):
            if "://" in serving_dir:
                raise executor.not_a_folder(serving_dir)
            filesystem = pusher_pb2.PushDestination.Filesystem(base_directory=serving_dir)
            destination = {"push_destination": pusher_pb2.PushDestination(filesystem=filesystem)}
        # The constructor of TFX's Pusher would make its own specification, without the exact model.
        base_component.BaseComponent.__init__(
            self,
            spec=VersionPusherSpec(
                model=model,
                exact_model=exact_model,
                model_blessing=model_blessing,
                infra_blessing=infra_blessing,
                **destination,
                custom_config=json_utils.dumps(
                    {
                        executor.KEEP_VERSIONS: keep_versions,
                        "code_sha256": fingerprints.code_sha256(executor.__name__),
                    }
                ),
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            ),
        )
        # By default TFX would name the node after the class.
        self.with_id(nodes.PUSHER)
