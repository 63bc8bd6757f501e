"""Reads the files of one table and writes flat examples; what it reads stands in the custom config."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics.metric import Metrics
from apache_beam.pipeline import Pipeline
from apache_beam.pvalue import PCollection
from google.protobuf import struct_pb2
from tfx import v1 as tfx
from tfx.components.example_gen import base_example_gen_executor
from tfx.dsl.io import fileio
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from components.table_example_gen import readers
from components.table_example_gen.encode import Encoder
from components.table_example_gen.spec import TableSpec
from shortlist.errors import DataError

TABLE_KEY = "table"
METRICS_NAMESPACE = "shortlist.table_example_gen"

_BATCH_ROWS = 1000


@beam.typehints.with_input_types(Pipeline)
@beam.typehints.with_output_types(bytes)
class _TableToExamples(beam.PTransform):
    """Files that match a pattern -> serialized examples."""

    def __init__(self, exec_properties: dict[str, Any], split_pattern: str):
        self._spec = _table_spec(exec_properties)
        self._base: str = exec_properties[standard_component_specs.INPUT_BASE_KEY]
        self._pattern = split_pattern

    def expand(self, pipeline: Pipeline) -> PCollection:
        """Applies the transform to a pipeline."""
        return (
            pipeline
            | "Files" >> beam.Create(self._files())
            | "SpreadFiles" >> beam.Reshuffle()
            | "ReadRows" >> beam.ParDo(_ReadRows(self._spec))
        )

    def _files(self) -> list[tuple[str, str]]:
        """Returns (path relative to the base, path) of each file, sorted."""
        pattern = os.path.join(self._base, self._pattern)
        files = sorted((os.path.relpath(path, self._base), path) for path in map(os.fsdecode, fileio.glob(pattern)))
        if not files:
            raise DataError(f"{self._pattern}: expected a file at {pattern}, got none; check SHORTLIST_DATA_DIR")
        return files


class Executor(base_example_gen_executor.BaseExampleGenExecutor):
    """One file a worker, row by row; TFX's `WriteSplit` reshuffles the examples before it writes them."""

    def GetInputSourceToExamplePTransform(self) -> Any:
        """Returns the transform's class, which the base executor calls with the exec properties and a pattern."""
        return _TableToExamples


def _table_spec(exec_properties: dict[str, Any]) -> TableSpec:
    custom_config = tfx.proto.CustomConfig()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY], custom_config)
    struct = struct_pb2.Struct()
    custom_config.custom_config.Unpack(struct)
    return TableSpec.from_json(struct[TABLE_KEY])


@beam.typehints.with_input_types(tuple[str, str])
@beam.typehints.with_output_types(bytes)
class _ReadRows(beam.DoFn):
    """(path relative to the data root, path) -> serialized examples."""

    def __init__(self, spec: TableSpec):
        self._spec = spec
        self._rows = Metrics.counter(METRICS_NAMESPACE, f"{spec.kind}_rows")

    def setup(self) -> None:
        self._encoder = Encoder(self._spec)

    def process(self, element: tuple[str, str]) -> Iterator[bytes]:
        source_path, path = element
        # Beam would decompress by file name and not notice a truncated file.
        opened = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
        with contextlib.closing(opened) as file:
            reader = readers.open_table(file, self._spec, source_path)
            rows = readers.parsed_rows(reader, self._spec)
            while batch := list(itertools.islice(rows, _BATCH_ROWS)):
                self._rows.inc(len(batch))
                yield from self._encoder.encode(batch, source_path)
