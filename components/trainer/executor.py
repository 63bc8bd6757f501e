"""The Trainer's executor: TFX's own, with the additional inputs of `run_fn`."""

from __future__ import annotations

import json
import os
from typing import Any

from tfx import types
from tfx.components.trainer import executor, fn_args_utils
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, path_utils

from components.trainer import run_fn
from shortlist import keys
from shortlist.model_files import TRAINED_FILE
from shortlist.records import artifacts, contents, properties

SOURCE_MODEL = "source_model"
"""Input: the earlier model that `train.warm_start` begins from."""


class Executor(executor.GenericExecutor):
    """Passes the catalogue, its transform graph, the split's fingerprint and a checkpoint folder to `run_fn`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains, and records from which model the training started."""
        super().Do(input_dict, output_dict, exec_properties)
        [model] = output_dict[standard_component_specs.MODEL_KEY]
        warm_start = read_trained(model.uri)["train"].get(run_fn.WARM_START)
        if warm_start is not None:
            sources = [artifact.id for artifact in input_dict.get(SOURCE_MODEL, [])]
            started_from = {"model_id": sources[0]} if sources and not warm_start["reason"] else {}
            model.set_string_custom_property(
                properties.WARM_START, json.dumps({**warm_start, **started_from}, sort_keys=True)
            )

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
      input_dict: The node's inputs, including `candidates` and `candidate_transform_graph`, perhaps `source_model`.
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
        run_fn.TEST_FILES: [io_utils.all_files_pattern(artifact_utils.get_split_uri([windows], keys.SPLIT_TEST))],
        run_fn.TEST_FROM: _test_from(windows),
        **_source(input_dict.get(SOURCE_MODEL, [])),
    }


def read_trained(model_uri: str) -> dict[str, Any]:
    """Returns the `shortlist.json` of a Trainer's model."""
    with fileio.open(os.path.join(path_utils.serving_model_path(model_uri), TRAINED_FILE), "r") as file:
        return dict(json.load(file))


def _source(models: list[types.Artifact]) -> dict[str, str]:
    """Returns the entry of custom_config for the model that a training starts from; none if there is none."""
    if not models:
        return {}
    [model] = models
    damage = contents.damage(model.uri, model.get_string_custom_property(properties.MANIFEST))
    if damage is not None:
        return {run_fn.NO_SOURCE: f"the files of the latest blessed model are damaged: {damage} in {model.uri}"}
    return {run_fn.SOURCE_MODEL: model.uri}


def _test_from(windows: types.Artifact) -> int | None:
    stats = artifacts.json_object(windows.get_string_custom_property(properties.STATS))
    cuts: dict[str, int] = stats.get("cuts") or {}
    return cuts.get(run_fn.TEST_FROM)


def _node_dir(artifact_uri: str) -> str:
    """Returns `<pipeline_root>/<node>` for `<pipeline_root>/<node>/<key>/<execution>`."""
    return os.path.dirname(os.path.dirname(artifact_uri.rstrip("/")))
