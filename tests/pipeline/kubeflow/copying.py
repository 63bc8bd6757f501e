"""An executor that copies its input and says where it found it."""

from __future__ import annotations

import os
import shutil
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor


class Executor(base_executor.BaseExecutor):
    """Copies the files of `schema` to `copy`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Sets the custom property `found_at`."""
        [source], [target] = input_dict["schema"], output_dict["copy"]
        assert os.path.isdir(source.uri)
        shutil.copytree(source.uri, target.uri, dirs_exist_ok=True)
        target.set_string_custom_property("found_at", source.uri)
