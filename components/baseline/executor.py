"""Executor of the Baseline node: prepares the earlier model for a comparison in today's catalogue."""

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
from shortlist.records import contents, properties


class Executor(base_executor.BaseExecutor):
    """Writes the baseline, or an empty artifact marked as skipped."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the model and sets `skipped` (0 or 1), `reason` if skipped, and the changes otherwise.

        The changes are `catalogue_changed` and `features_changed`; each is absent if there is none.
        """
        del exec_properties  # only the cache key needs it
        output = artifact_utils.get_single_instance(output_dict["model"])
        candidate = _metadata(artifact_utils.get_single_uri(input_dict["candidate"]))
        reason = _skip_reason(candidate, input_dict.get("baseline", []))
        output.set_int_custom_property(properties.SKIPPED, int(reason is not None))
        if reason is not None:
            output.set_string_custom_property(properties.REASON, reason)
            return
        uri = artifact_utils.get_single_uri(input_dict["baseline"])
        model_dir, earlier = path_utils.serving_model_dir(output.uri), _metadata(uri)
        note = compatibility.features_note(candidate, earlier)
        if note:
            output.set_string_custom_property(properties.FEATURES_CHANGED, note)
        if _ranks_as_today(candidate, earlier):
            io_utils.copy_dir(path_utils.serving_model_path(uri), model_dir)
            return
        change = _reembed(uri, artifact_utils.get_split_uri(input_dict["catalogue"], keys.SPLIT_ALL), model_dir)
        if not compatibility.same_catalogue(candidate, earlier):
            output.set_string_custom_property(properties.CATALOGUE_CHANGED, change)


def _ranks_as_today(candidate: dict[str, Any], earlier: dict[str, Any]) -> bool:
    """Returns whether the earlier model's own ranks can be compared: same catalogue, same definition of a rank."""
    return compatibility.same_catalogue(candidate, earlier) and compatibility.same_ranks(candidate, earlier)


def _skip_reason(candidate: dict[str, Any], baselines: list[types.Artifact]) -> str | None:
    """Returns the reason to skip the comparison; None if the models can be compared."""
    if not baselines:
        return properties.NO_EARLIER_MODEL
    uri = artifact_utils.get_single_uri(baselines)
    if not fileio.exists(path_utils.serving_model_path(uri)):
        return f"its files are missing from {uri}"
    damage = contents.damage(uri, baselines[0].get_string_custom_property(properties.MANIFEST))
    if damage is not None:
        return f"its files are damaged: {damage} in {uri}"
    earlier = _metadata(uri)
    reason = compatibility.incomparable_reason(candidate, earlier)
    if reason is not None or _ranks_as_today(candidate, earlier) or fileio.exists(_towers(uri)):
        return reason
    difference = "its ranks are defined differently"
    if not compatibility.same_catalogue(candidate, earlier):
        difference = "its catalogue differs"
    return f"{difference}, and an older version of Shortlist saved it without its towers"


def _reembed(uri: str, catalogue_uri: str, model_dir: str) -> str:
    """Writes the earlier model with today's catalogue and returns the numbers of new and removed candidates."""
    # This imports TensorFlow, so it is imported only if the catalogue has changed.
    from components import shards
    from components.baseline import reembed

    catalogue = reembed.reembed(_towers(uri), shards.list_files(catalogue_uri), model_dir)
    shared = int(catalogue.known.sum())
    removed = _metadata(uri)["corpus_size"] - shared
    return f"{len(catalogue.ids) - shared:,} candidates new to it, {removed:,} of its own gone"


def _towers(model_uri: str) -> str:
    return os.path.join(model_uri, TOWERS_DIR)


def _metadata(model_uri: str) -> dict[str, Any]:
    path = os.path.join(path_utils.serving_model_path(model_uri), TRAINED_FILE)
    if not fileio.exists(path):
        return {}
    with fileio.open(path, "r") as file:
        return json.load(file)
