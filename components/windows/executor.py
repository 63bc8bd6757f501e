"""Reads the flat tables' URIs, runs the Beam graph, refuses or records what it counted."""

from __future__ import annotations

import json
import os
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.windows import beam, schema, stats
from components.windows.contract import SPLITS, WindowsConfig, split_fingerprint
from shortlist.errors import DataError

STATS_FILE = "stats.json"
STATS_PROPERTY = "stats"
FINGERPRINT_PROPERTY = "split_fingerprint"
_STAGING = "_staging"


class Executor(base_beam_executor.BaseBeamExecutor):
    """Writes `Split-<train|eval|test>/windows-*.gz`, `stats.json` and the derived schema."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Makes the windows.

        Raises:
          DataError: A missing or doubled id, too many unknown candidates, nothing to train on or to evaluate.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = WindowsConfig.model_validate_json(exec_properties["config"])
        patterns = beam.InputPatterns(
            *(_patterns(input_dict.get(table, [])) for table in ("interactions", "candidates", "queries"))
        )
        feature_types = schema.query_feature_types(_read_schema(input_dict.get("queries_schema", [])))
        windows = artifact_utils.get_single_instance(output_dict["examples"])
        staging = os.path.join(windows.uri, _STAGING)

        pipeline: Any = self._make_beam_pipeline()
        with pipeline as root:
            beam.build(root, patterns, config, feature_types, windows.uri, staging)

        with fileio.open(os.path.join(staging, beam.SUMMARY_FILE)) as file:
            summary = json.loads(file.read())
        fileio.rmtree(staging)
        refused = stats.refusal(summary["counts"], summary["problems"], summary["unknown_ids"], config)
        if refused:
            raise DataError(refused)

        counted = json.dumps(stats.summarize(summary["counts"], config), sort_keys=True)
        io_utils.write_string_file(os.path.join(windows.uri, STATS_FILE), counted)
        windows.split_names = artifact_utils.encode_split_names(list(SPLITS))
        windows.set_string_custom_property(STATS_PROPERTY, counted)
        windows.set_string_custom_property(
            FINGERPRINT_PROPERTY, split_fingerprint(config.split, exec_properties["interactions_sha256"])
        )
        schema_uri = artifact_utils.get_single_uri(output_dict["schema"])
        io_utils.write_pbtxt_file(os.path.join(schema_uri, schema.SCHEMA_FILE), schema.windows_schema(feature_types))


def _patterns(artifacts: list[types.Artifact]) -> list[str]:
    return [
        io_utils.all_files_pattern(artifact_utils.get_split_uri([artifact], split))
        for artifact in artifacts
        for split in artifact_utils.decode_split_names(artifact.split_names)
    ]


def _read_schema(artifacts: list[types.Artifact]) -> schema_pb2.Schema | None:
    if not artifacts:
        return None
    uri = artifact_utils.get_single_uri(artifacts)
    return io_utils.parse_pbtxt_file(io_utils.get_only_uri_in_dir(uri), schema_pb2.Schema())
