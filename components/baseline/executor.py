"""Puts the earlier model where it can be compared with, in today's catalogue, and says why where it cannot."""

from __future__ import annotations

import json
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.baseline import compatibility
from shortlist import keys
from shortlist.model_files import TOWERS_DIR, TRAINED_FILE
from shortlist.records import properties


class Executor(base_executor.BaseExecutor):
    """Writes the baseline, or an empty artifact marked as skipped."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Sets `skipped` (0 or 1) on the output, `reason` with 1, and `catalogue_changed` where it did."""
        del exec_properties  # only the cache looks at it
        output = artifact_utils.get_single_instance(output_dict["model"])
        candidate = _metadata(artifact_utils.get_single_uri(input_dict["candidate"]))
        reason = _why_skipped(candidate, input_dict.get("baseline", []))
        output.set_int_custom_property(properties.SKIPPED, int(reason is not None))
        if reason is not None:
            output.set_string_custom_property(properties.REASON, reason)
            return
        uri = artifact_utils.get_single_uri(input_dict["baseline"])
        if compatibility.same_catalogue(candidate, _metadata(uri)):
            io_utils.copy_dir(path_utils.serving_model_path(uri), path_utils.serving_model_dir(output.uri))
        else:
            catalogue = artifact_utils.get_split_uri(input_dict["catalogue"], keys.SPLIT_ALL)
            output.set_string_custom_property(
                properties.CATALOGUE_CHANGED, _rebase(uri, catalogue, path_utils.serving_model_dir(output.uri))
            )


def _why_skipped(candidate: dict[str, Any], baselines: list[types.Artifact]) -> str | None:
    if not baselines:
        return "no earlier blessed model"
    uri = artifact_utils.get_single_uri(baselines)
    if not fileio.exists(path_utils.serving_model_path(uri)):
        return f"its files are gone from {uri}"
    earlier = _metadata(uri)
    reason = compatibility.incomparable_reason(candidate, earlier)
    if reason is None and not compatibility.same_catalogue(candidate, earlier) and not fileio.exists(_towers(uri)):
        return "its catalogue differs, and it was made by a version that did not keep what embeds another one"
    return reason


def _rebase(uri: str, catalogue_uri: str, model_dir: str) -> str:
    """Writes the earlier model over today's catalogue and returns what is new in that, and what is gone."""
    # TensorFlow, where there is something to do for it.
    from components.baseline import reembed

    catalogue = reembed.reembed(_towers(uri), sorted(fileio.glob(io_utils.all_files_pattern(catalogue_uri))), model_dir)
    known = int(catalogue.known.sum())
    gone = _metadata(uri)["corpus_size"] - known
    return f"{len(catalogue.ids) - known:,} candidates new to it, {gone:,} of its own gone"


def _towers(model_uri: str) -> str:
    return os.path.join(model_uri, TOWERS_DIR)


def _metadata(model_uri: str) -> dict[str, Any]:
    path = os.path.join(path_utils.serving_model_path(model_uri), TRAINED_FILE)
    if not fileio.exists(path):
        return {}
    with fileio.open(path, "r") as file:
        return json.load(file)
