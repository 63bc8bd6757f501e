"""Finds the files of one table, runs the Beam graph, checks its counts and records them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.table_example_gen import beam
from shortlist import fingerprints, keys
from shortlist.config import paths
from shortlist.errors import DataError
from shortlist.records import properties
from shortlist.records.files import VALUES_FILE
from shortlist.tables import content, inputs
from shortlist.tables.inputs import InputFile
from shortlist.tables.spec import TableSpec

_STAGING = "_staging"


class Executor(base_beam_executor.BaseBeamExecutor):
    """Writes `Split-all/data_tfrecord-*.gz` and `values.json`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Reads the table.

        Raises:
          DataError: There is no file or no row, a row contradicts the table's config, or a file changed during the run.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        spec = TableSpec.from_json(exec_properties[properties.TABLE])
        files = _files(exec_properties)
        if not files:
            full = paths.full_path(exec_properties["data_path"], exec_properties["data_root"])
            raise DataError.from_parts(
                exec_properties["data_path"], f"a file at {full}", "none", "add the file, or correct the table's path"
            )
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        expected = exec_properties[properties.CONTENT_SHA256]
        # A scheduled run reads the files as they are at that time; the node then computes their fingerprint.
        if expected == fingerprints.UNPINNED:
            expected = content.files_sha256(_content_files(exec_properties))
            examples.set_string_custom_property(properties.CONTENT_SHA256, expected)
        staging = os.path.join(examples.uri, _STAGING)
        examples.split_names = artifact_utils.encode_split_names([keys.SPLIT_ALL])

        try:
            pipeline: Any = self._make_beam_pipeline()
            with pipeline as root:
                split = artifact_utils.get_split_uri([examples], keys.SPLIT_ALL)
                beam.build(root, files, spec.located(exec_properties["data_root"]), split, staging)
        except Exception:
            # A file that is still being written reads like a broken one; that error would point at the wrong cause.
            _check_content(exec_properties, expected)
            raise
        _check_content(exec_properties, expected)

        with fileio.open(os.path.join(staging, beam.COUNTS_FILE)) as file:
            counts = json.loads(file.read())
        fileio.rename(os.path.join(staging, beam.VALUES_FILE), os.path.join(examples.uri, VALUES_FILE), overwrite=True)
        fileio.rmtree(staging)
        if not counts[beam.ROWS_WRITTEN]:
            raise _no_rows(exec_properties["data_path"], spec, counts)
        for name, value in _properties(spec, files, counts).items():
            if isinstance(value, int):
                examples.set_int_custom_property(name, value)
            else:
                examples.set_string_custom_property(name, value)


def _files(exec_properties: dict[str, Any]) -> list[InputFile]:
    return inputs.find(
        exec_properties["data_path"], exec_properties["data_root"], exec_properties.get("last_spans") or None
    )


def _content_files(exec_properties: dict[str, Any]) -> list[InputFile]:
    spec = TableSpec.from_json(exec_properties[properties.TABLE])
    return [*_files(exec_properties), *spec.vector_files(exec_properties["data_root"])]


def _check_content(exec_properties: dict[str, Any], expected: str) -> None:
    """Raises if the files changed since the run began: the fingerprint would not match the examples."""
    if content.files_sha256(_content_files(exec_properties)) != expected:
        raise DataError.from_parts(
            exec_properties["data_path"],
            "the files that this run began with",
            "files that changed during the run",
            "run again when they are complete, or set the path to complete files only",
        )


def _no_rows(path: str, spec: TableSpec, counts: dict[str, int]) -> DataError:
    if counts[beam.ROWS_FILTERED]:
        dropped = f"none that passes {spec.filter!r} among {counts[beam.ROWS_FILTERED]:,}"
        return DataError.from_parts(path, "at least one row", dropped, f"correct data.{spec.kind}.filter")
    return DataError.from_parts(path, "at least one row", "none", "check how the file was written")


def _properties(spec: TableSpec, files: Sequence[InputFile], counts: dict[str, int]) -> dict[str, int | str]:
    """Returns the custom properties of the artifact."""
    spans = [file.span for file in files if file.span]
    units = [column.unit for column in spec.columns if column.name == keys.TIMESTAMP and column.unit]
    duplicates = counts[beam.ROWS_READ] - counts[beam.ROWS_FILTERED] - counts[beam.ROWS_WRITTEN]
    found: dict[str, int | str] = {
        properties.ROWS: counts[beam.ROWS_WRITTEN],
        properties.dropped("filter"): counts[beam.ROWS_FILTERED],
        properties.dropped("duplicate"): duplicates,
        "files": len(files),
        "bytes": sum(file.size for file in files),
    }
    if spans:
        found[properties.FIRST_SPAN] = min(spans).isoformat()
        found[properties.LAST_SPAN] = max(spans).isoformat()
    if units:
        found[properties.TIMESTAMP_UNIT] = units[0]
    return found
