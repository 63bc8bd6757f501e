"""Copies the earlier model where it can be compared with, and says why where it cannot."""

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
from shortlist.model_files import TRAINED_FILE


class Executor(base_executor.BaseExecutor):
    """Writes the baseline, or an empty artifact marked as skipped."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Sets `skipped` (0 or 1) on the output, and `reason` with 1."""
        del exec_properties  # only the cache looks at it
        output = artifact_utils.get_single_instance(output_dict["model"])
        candidate_uri = artifact_utils.get_single_uri(input_dict["candidate"])
        reason = _why_skipped(candidate_uri, input_dict.get("baseline", []))
        output.set_int_custom_property(compatibility.SKIPPED, int(reason is not None))
        if reason is None:
            io_utils.copy_dir(artifact_utils.get_single_uri(input_dict["baseline"]), output.uri)
        else:
            output.set_string_custom_property(compatibility.REASON, reason)


def _why_skipped(candidate_uri: str, baselines: list[types.Artifact]) -> str | None:
    if not baselines:
        return "no earlier blessed model"
    uri = artifact_utils.get_single_uri(baselines)
    if not fileio.exists(path_utils.serving_model_path(uri)):
        return f"its files are gone from {uri}"
    return compatibility.why_incomparable(_metadata(candidate_uri), _metadata(uri))


def _metadata(model_uri: str) -> dict[str, Any]:
    path = os.path.join(path_utils.serving_model_path(model_uri), TRAINED_FILE)
    if not fileio.exists(path):
        return {}
    with fileio.open(path, "r") as file:
        return json.load(file)
