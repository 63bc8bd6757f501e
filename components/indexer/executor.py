"""Executor of the Indexer: builds the index of a blessed model and records the verdict."""

from __future__ import annotations

import json
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.indexer import build, verdict
from shortlist.config.serving import Index
from shortlist.records import properties


class Executor(base_executor.BaseExecutor):
    """Writes the served model, its exact copy and the blessing; a failed gate is recorded and raises no error."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Builds the index if the model was blessed."""
        self._log_startup(input_dict, output_dict, exec_properties)
        trained = artifact_utils.get_single_instance(input_dict["trained_model"])
        upstream = artifact_utils.get_single_instance(input_dict["model_blessing"])
        model = artifact_utils.get_single_instance(output_dict["model"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        objections = verdict.objections(upstream, trained)
        if objections:
            verdict.give(blessing, model, properties.NOT_BLESSED, objections)
            return

        report = build.build(
            windows_dir=artifact_utils.get_single_uri(input_dict["examples"]),
            trained_dir=path_utils.serving_model_path(trained.uri),
            settings=Index.model_validate_json(exec_properties["config"]),
            exclude_seen=bool(exec_properties[properties.EXCLUDE_SEEN]),
            model_dir=path_utils.serving_model_dir(model.uri),
            exact_dir=path_utils.serving_model_dir(artifact_utils.get_single_uri(output_dict["exact_model"])),
        )
        if report.index is not None:
            model.set_string_custom_property(properties.INDEX, json.dumps(report.index, sort_keys=True))
        status = properties.INDEX_REJECTED if report.reasons else properties.OK
        verdict.give(blessing, model, status, report.reasons)
