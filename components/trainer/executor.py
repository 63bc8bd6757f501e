"""The Trainer's executor: TFX's own, with the additional inputs of `run_fn`."""

from __future__ import annotations

import os
from typing import Any

from tfx import types
from tfx.components.trainer import executor, fn_args_utils
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.trainer import run_fn
from shortlist import keys
from shortlist.records import artifacts, properties


class Executor(executor.GenericExecutor):
    """Passes the catalogue, its transform graph, the split's fingerprint and a checkpoint folder to `run_fn`."""

    def _GetFnArgs(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> fn_args_utils.FnArgs:
        fn_args = super()._GetFnArgs(input_dict, output_dict, exec_properties)
        fn_args.custom_config = {
            **fn_args.custom_config,
            **extra_inputs(input_dict, fn_args.model_run_dir),
        }
        return fn_args


def extra_inputs(input_dict: dict[str, list[types.Artifact]], output_uri: str) -> dict[str, Any]:
    """Returns the entries of custom_config that `run_fn.read` expects.

    Args:
      input_dict: The node's inputs, including `candidates` and `candidate_transform_graph`.
      output_uri: URI of any output of this execution.
    """
    [windows] = input_dict["examples"]
    return {
        run_fn.CANDIDATES: io_utils.all_files_pattern(
            artifact_utils.get_split_uri(input_dict["candidates"], keys.SPLIT_ALL)
        ),
        run_fn.CANDIDATE_TRANSFORM: artifact_utils.get_single_uri(input_dict["candidate_transform_graph"]),
        # Outside the outputs of this execution, so that the execution after a kill finds the checkpoints.
        run_fn.CHECKPOINT_ROOT: os.path.join(_node_dir(output_uri), "checkpoints"),
        run_fn.SPLIT_FINGERPRINT: windows.get_string_custom_property(run_fn.SPLIT_FINGERPRINT),
        run_fn.TEST_FROM: _test_from(windows),
    }


def _test_from(windows: types.Artifact) -> int | None:
    stats = artifacts.json_object(windows.get_string_custom_property(properties.STATS))
    cuts: dict[str, int] = stats.get("cuts") or {}
    return cuts.get(run_fn.TEST_FROM)


def _node_dir(artifact_uri: str) -> str:
    """Returns `<pipeline_root>/<node>` for `<pipeline_root>/<node>/<key>/<execution>`."""
    return os.path.dirname(os.path.dirname(artifact_uri.rstrip("/")))
