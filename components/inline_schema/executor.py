"""Writes the schema."""

from __future__ import annotations

import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

SCHEMA_FILE = "schema.pbtxt"


class Executor(base_executor.BaseExecutor):
    """Writes the exec property `text` to the output `schema`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `schema.pbtxt`, as ImportSchemaGen calls it."""
        self._log_startup(input_dict, output_dict, exec_properties)
        uri = artifact_utils.get_single_uri(output_dict["schema"])
        io_utils.write_string_file(os.path.join(uri, SCHEMA_FILE), exec_properties["text"])
