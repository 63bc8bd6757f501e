"""Executor of the Schemas node."""

from __future__ import annotations

import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

SCHEMA_FILE = "schema.pbtxt"


def text_key(table: str) -> str:
    """Returns the name of the exec property with a table's schema."""
    return f"{table}_text"


class Executor(base_executor.BaseExecutor):
    """Writes each table's schema from its exec property."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes each schema as `schema.pbtxt`, the file name of ImportSchemaGen."""
        self._log_startup(input_dict, output_dict, exec_properties)
        for table, artifacts in output_dict.items():
            path = os.path.join(artifact_utils.get_single_uri(artifacts), SCHEMA_FILE)
            io_utils.write_string_file(path, exec_properties[text_key(table)])
