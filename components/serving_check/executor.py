"""Executor of the ServingCheck: runs the check on both models and records the verdict."""

from __future__ import annotations

import json
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.indexer import queries, verdict
from components.serving_check import check
from shortlist import keys
from shortlist.records import properties

# The files that TFX's InfraValidator writes.
_BLESSED_FILE = "INFRA_BLESSED"
_NOT_BLESSED_FILE = "INFRA_NOT_BLESSED"
_NUM_QUERIES = 64


class Executor(base_executor.BaseExecutor):
    """Blesses a model that answers correctly; a failed check is recorded and raises no error."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Checks the model and its exact copy if the index was blessed."""
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(input_dict["model"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        objections = verdict.objections(artifact_utils.get_single_instance(input_dict["model_blessing"]), model)
        if objections:
            _give(blessing, model, properties.NOT_CHECKED, objections)
            return

        test_dir = artifact_utils.get_split_uri(input_dict["examples"], keys.SPLIT_TEST)
        problems, figures = check.check(
            path_utils.serving_model_path(model.uri),
            path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict["exact_model"])),
            queries.sample_windows(test_dir, _NUM_QUERIES),
        )
        blessing.set_string_custom_property(properties.FIGURES, json.dumps(figures, sort_keys=True))
        status = properties.CHECK_FAILED if problems else properties.OK
        _give(blessing, model, status, problems)


def _give(blessing: types.Artifact, model: types.Artifact, status: str, reasons: list[str]) -> None:
    verdict.give(blessing, model, status, reasons)
    name = _NOT_BLESSED_FILE if reasons else _BLESSED_FILE
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
