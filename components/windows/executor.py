"""Runs the Beam graph on the flat tables, checks its counts, and records them."""

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

from components import shards
from components.windows import beam, checks, cuts, schema, stats
from components.windows.windows_config import SPLITS, WindowsConfig, split_fingerprint
from shortlist.errors import DataError
from shortlist.records import nodes, properties

STATS_FILE = "stats.json"
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
          DataError: An id is missing or occurs twice, a check with action `error` failed, or there are no rows to
            train on or to evaluate.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = WindowsConfig.model_validate_json(exec_properties[properties.CONFIG])
        patterns = beam.InputPatterns(*(_patterns(input_dict.get(table, [])) for table in nodes.TABLES))
        feature_types = schema.query_feature_types(_read_schema(input_dict.get("queries_schema", [])))
        windows = artifact_utils.get_single_instance(output_dict["examples"])
        staging = os.path.join(windows.uri, _STAGING)

        pipeline: Any = self._make_beam_pipeline()
        with pipeline as root:
            beam.build(root, patterns, config, feature_types, windows.uri, staging)

        with fileio.open(os.path.join(staging, beam.SUMMARY_FILE)) as file:
            graph_summary = checks.GraphSummary.from_json(file.read())
        fileio.rmtree(staging)
        unit = _timestamp_unit(input_dict)
        findings = checks.check(graph_summary, config, unit)
        if findings.errors:
            raise DataError("; ".join(findings.errors))

        summarized = stats.summarize(graph_summary.counts, config, graph_summary.latest_time)
        stats_json = json.dumps(summarized, sort_keys=True)
        io_utils.write_string_file(os.path.join(windows.uri, STATS_FILE), stats_json)
        windows.split_names = artifact_utils.encode_split_names(list(SPLITS))
        windows.set_string_custom_property(properties.STATS, stats_json)
        windows.set_string_custom_property(properties.WARNINGS, findings.warnings_json)
        windows.set_string_custom_property(
            properties.SPLIT_FINGERPRINT, split_fingerprint(config, _interactions_sha256(input_dict, exec_properties))
        )
        for name, time in (summarized["cuts"] or {}).items():
            windows.set_string_custom_property(name, cuts.text(time, unit))
        schema_uri = artifact_utils.get_single_uri(output_dict["schema"])
        all_types = {**feature_types, **schema.interaction_feature_types(config.features)}
        io_utils.write_pbtxt_file(os.path.join(schema_uri, schema.SCHEMA_FILE), schema.windows_schema(all_types))


def _patterns(artifacts: list[types.Artifact]) -> list[str]:
    return [
        shards.beam_pattern(artifact_utils.get_split_uri([artifact], split))
        for artifact in artifacts
        for split in artifact_utils.decode_split_names(artifact.split_names)
    ]


def _timestamp_unit(input_dict: dict[str, list[types.Artifact]]) -> str:
    [interactions] = input_dict["interactions"]
    return interactions.get_string_custom_property(properties.TIMESTAMP_UNIT)


def _interactions_sha256(input_dict: dict[str, list[types.Artifact]], exec_properties: dict[str, Any]) -> str:
    """Returns the fingerprint of the log: the one that its ExampleGen computed, or else the node's parameter."""
    [interactions] = input_dict["interactions"]
    return interactions.get_string_custom_property(properties.CONTENT_SHA256) or str(
        exec_properties["interactions_sha256"]
    )


def _read_schema(artifacts: list[types.Artifact]) -> schema_pb2.Schema | None:
    if not artifacts:
        return None
    uri = artifact_utils.get_single_uri(artifacts)
    return io_utils.parse_pbtxt_file(io_utils.get_only_uri_in_dir(uri), schema_pb2.Schema())
