"""TFX's Trainer executor with two more inputs."""

from __future__ import annotations

import os
from typing import Any

from tfx import types
from tfx.components.trainer import executor, fn_args_utils
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.trainer import run_fn
from shortlist import keys


class Executor(executor.GenericExecutor):
    """Hands the catalogue, its transform graph, the split's fingerprint and a place for checkpoints to `run_fn`."""

    def _GetFnArgs(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> fn_args_utils.FnArgs:
        fn_args = super()._GetFnArgs(input_dict, output_dict, exec_properties)
        [windows] = input_dict["examples"]
        fn_args.custom_config = {
            **fn_args.custom_config,
            run_fn.CANDIDATES: io_utils.all_files_pattern(
                artifact_utils.get_split_uri(input_dict["candidates"], keys.SPLIT_ALL)
            ),
            run_fn.CANDIDATE_TRANSFORM: artifact_utils.get_single_uri(input_dict["candidate_transform_graph"]),
            # Beside the outputs of all executions: one that is killed must leave something to the next.
            run_fn.CHECKPOINT_ROOT: os.path.join(_node_dir(fn_args.model_run_dir), "checkpoints"),
            run_fn.SPLIT_FINGERPRINT: windows.get_string_custom_property(run_fn.SPLIT_FINGERPRINT),
        }
        return fn_args


def _node_dir(artifact_uri: str) -> str:
    """Returns `<pipeline_root>/<node>` of `<pipeline_root>/<node>/<key>/<execution>`."""
    return os.path.dirname(os.path.dirname(artifact_uri.rstrip("/")))
