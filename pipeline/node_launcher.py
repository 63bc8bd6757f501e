"""TFX's launcher of one node, without its open port, and with a check of artifacts' files before they are reused."""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

from ml_metadata.proto import metadata_store_pb2 as pb
from tfx import types
from tfx.orchestration import metadata
from tfx.orchestration.portable import base_executor_operator, cache_utils, data_types, launcher
from tfx.proto.orchestration import execution_result_pb2

from shortlist.config.paths import is_uri
from shortlist.records import contents, properties

_Outputs = dict[str, list[types.Artifact]]


class NodeLauncher(launcher.Launcher):
    """TFX's launcher with three changes.

    It does not start TFX's server for updates of an execution. The server lets every process of the machine write into
    ML Metadata while a node runs: its gRPC credentials are those of a loopback address and authenticate no account. It
    is for executors outside of this process, and TFX 1.16 has none that uses it.

    Each output gets a manifest of its files when it is published, and the cache is used only if the files still agree.

    The cache key leaves out where the workspace is, so that a copied or moved one keeps its cache.

    Attributes:
      warnings: A sentence per cached artifact that was damaged, so that the node ran again.
    """

    _executor_operator: base_executor_operator.BaseExecutorOperator | None

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.warnings: list[str] = []
        # `launch` starts the server only if there is an operator at that moment.
        self._operator, self._executor_operator = self._executor_operator, None

    def _run_executor(self, execution_info: data_types.ExecutionInfo) -> execution_result_pb2.ExecutorOutput:
        self._executor_operator = self._operator
        return super()._run_executor(execution_info)

    def _prepare_execution(self) -> Any:
        with self._checked_cache():
            return super()._prepare_execution()

    def _publish_successful_execution(
        self, execution_id: int, contexts: Any, output_dict: Any, executor_output: Any
    ) -> None:
        # The executor's own copies of the artifacts replace those of `output_dict`.
        for artifact in (artifact for artifacts in output_dict.values() for artifact in artifacts):
            _set_manifest(artifact.mlmd_artifact)
        for artifacts in executor_output.output_artifacts.values():
            for proto in artifacts.artifacts:
                _set_manifest(proto)
        super()._publish_successful_execution(execution_id, contexts, output_dict, executor_output)

    @contextlib.contextmanager
    def _checked_cache(self) -> Iterator[None]:
        """Replaces TFX's cache key, and its search of the cache, which accepts every artifact whose folder exists."""
        search, make_key = cache_utils.get_cached_outputs, cache_utils.get_cache_context
        root = os.path.dirname(self._pipeline_runtime_spec.pipeline_root.field_value.string_value.rstrip("/"))

        def search_undamaged(metadata_handle: metadata.Metadata, cache_context: pb.Context) -> _Outputs | None:
            while True:
                found: _Outputs | None = search(metadata_handle=metadata_handle, cache_context=cache_context)
                damaged = _damaged(found or {})
                if not damaged:
                    return found
                for artifact, reason in damaged:
                    self._report(artifact, reason)
                    _mark(metadata_handle, artifact, reason)

        def make_portable_key(*, input_artifacts: _Outputs, parameters: dict[str, Any], **rest: Any) -> pb.Context:
            return make_key(
                input_artifacts={
                    key: [_without_location(artifact, root) for artifact in artifacts]
                    for key, artifacts in input_artifacts.items()
                },
                parameters={name: _relative(value, root) for name, value in parameters.items()},
                **rest,
            )

        with mock.patch.multiple(cache_utils, get_cached_outputs=search_undamaged, get_cache_context=make_portable_key):
            yield

    def _report(self, artifact: types.Artifact, reason: str) -> None:
        node = self._pipeline_node.node_info.id
        self.warnings.append(f"{node} ran again, because its result in {artifact.uri} was damaged: {reason}")
        logging.getLogger(__name__).warning(self.warnings[-1])


def _without_location(artifact: types.Artifact, root: str) -> types.Artifact:
    """Returns a copy without the path of the workspace, and without the times, which `relocation.adopt` changes."""
    copied = copy.deepcopy(artifact)
    proto = copied.mlmd_artifact
    proto.uri = _relative(proto.uri, root)
    proto.ClearField("create_time_since_epoch")
    proto.ClearField("last_update_time_since_epoch")
    for value in proto.custom_properties.values():
        if value.HasField("string_value"):
            value.string_value = _relative(value.string_value, root)
    return copied


def _relative(value: Any, root: str) -> Any:
    if not isinstance(value, str):
        return value
    # The push destination and other parameters are JSON, which escapes quotes and letters.
    for written in {root, json.dumps(root)[1:-1], json.dumps(root, ensure_ascii=False)[1:-1]}:
        value = value.replace(f"{written}/", "")
    return value


def _set_manifest(proto: pb.Artifact) -> None:
    if not is_uri(proto.uri):
        proto.custom_properties[properties.MANIFEST].string_value = contents.manifest(proto.uri)


def _damaged(outputs: _Outputs) -> list[tuple[types.Artifact, str]]:
    found = []
    for artifact in (artifact for artifacts in outputs.values() for artifact in artifacts):
        reason = contents.damage(artifact.uri, artifact.get_string_custom_property(properties.MANIFEST))
        if reason is not None:
            found.append((artifact, reason))
    return found


def _mark(handle: metadata.Metadata, artifact: types.Artifact, reason: str) -> None:
    """Makes an artifact unusable: the cache and the resolvers use only live artifacts."""
    [proto] = handle.store.get_artifacts_by_id([artifact.id])
    proto.custom_properties[properties.DAMAGED].string_value = reason
    proto.state = pb.Artifact.MARKED_FOR_DELETION
    handle.store.put_artifacts([proto])
