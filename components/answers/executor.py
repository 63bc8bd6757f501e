"""Loads the model and writes its answers to `answers.json`."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.answers import answers
from shortlist import keys
from shortlist.config.report import ReportSection
from shortlist.records import properties


class Executor(base_executor.BaseExecutor):
    """Writes the answers. It never raises, since a report must not keep a model from being pushed."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `answers.json`, or sets the property `problem` if the model cannot answer."""
        self._log_startup(input_dict, output_dict, exec_properties)
        output = artifact_utils.get_single_instance(output_dict["answers"])
        try:
            result = answers.describe(
                path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict["model"])),
                artifact_utils.get_split_uri(input_dict["examples"], keys.SPLIT_TEST),
                artifact_utils.get_split_uri(input_dict["candidates"], keys.SPLIT_ALL),
                exec_properties["title"],
                ReportSection.model_validate_json(exec_properties["report"]),
                exclude_seen=bool(exec_properties[properties.EXCLUDE_SEEN]),
            )
        except Exception as error:
            # The log has the traceback; the artifact has one line for the report.
            logging.getLogger(__name__).exception("the model could not answer test queries")
            output.set_string_custom_property(properties.PROBLEM, f"{type(error).__name__}: {error}"[:500])
            return
        io_utils.write_string_file(
            os.path.join(output.uri, answers.FILE), json.dumps(result, indent=1, ensure_ascii=False)
        )
