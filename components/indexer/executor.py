"""Executor of the Indexer: builds the index of a blessed model and records the verdict."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.indexer import build, catalogue, verdict
from shortlist import keys
from shortlist.config.serving import Index
from shortlist.model_files import EVALUATION_FILE
from shortlist.records import properties
from shortlist.serving.evaluation import ServedEvaluation

_MODELS = ("model", "exact_model")


@dataclasses.dataclass(frozen=True)
class _Recorded:
    """An artifact's custom properties, for the readers in `shortlist.records.artifacts`."""

    properties: Mapping[str, Any]

    @classmethod
    def of(cls, artifact: types.Artifact) -> _Recorded:
        return cls({name: _value(artifact, name) for name in artifact.mlmd_artifact.custom_properties})


def _value(artifact: types.Artifact, name: str) -> Any:
    # On Kubeflow every property is a JSON value within a Struct, and whole numbers are floats.
    value = artifact.mlmd_artifact.custom_properties[name]
    if value.HasField("struct_value"):
        return artifact.get_json_value_custom_property(name)
    return getattr(value, value.WhichOneof("value"))


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

        folders = [path_utils.serving_model_dir(artifact_utils.get_single_uri(output_dict[key])) for key in _MODELS]
        trained_dir = path_utils.serving_model_path(trained.uri)
        with catalogue.written(
            artifact_utils.get_split_uri(input_dict["candidates"], keys.SPLIT_ALL),
            catalogue.CatalogueFields.from_json(exec_properties[properties.CATALOGUE]),
            trained_dir,
        ) as written:
            report = build.build(
                windows_dir=artifact_utils.get_single_uri(input_dict["examples"]),
                trained_dir=trained_dir,
                settings=Index.model_validate_json(exec_properties["config"]),
                catalogue=written,
                exclude_seen=bool(exec_properties[properties.EXCLUDE_SEEN]),
                model_dir=folders[0],
                exact_dir=folders[1],
            )
            if report.index is not None:
                catalogue.copy(written, folders)
        if report.index is not None:
            evaluation = ServedEvaluation.of(
                _Recorded.of(artifact_utils.get_single_instance(input_dict["evaluation"])),
                _Recorded.of(
                    artifact_utils.get_single_instance(input_dict.get("verdict") or input_dict["model_blessing"])
                ),
                exclude_seen=bool(exec_properties[properties.EXCLUDE_SEEN]),
                refit=trained.has_custom_property(properties.REFIT),
            )
            for folder in folders:
                io_utils.write_string_file(os.path.join(folder, EVALUATION_FILE), evaluation.to_json())
            model.set_string_custom_property(properties.INDEX, json.dumps(report.index, sort_keys=True))
        status = properties.INDEX_REJECTED if report.reasons else properties.OK
        verdict.give(blessing, model, status, report.reasons)
