"""The nodes InteractionsGen, CandidatesGen and QueriesGen: turn a table's files into flat examples."""

from __future__ import annotations

import os

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.orchestration import data_types
from tfx.types import channel, component_spec, standard_artifacts

from components.table_example_gen import executor
from shortlist import fingerprints
from shortlist.config.table import Interactions, Table
from shortlist.records import nodes
from shortlist.tables.spec import Kind, Unit, table_spec

_Examples = standard_artifacts.Examples


class TableExampleGenSpec(component_spec.ComponentSpec):
    """Nothing in, flat examples out."""

    PARAMETERS = {
        "table": component_spec.ExecutionParameter(type=str),
        "data_path": component_spec.ExecutionParameter(type=str),
        "data_root": component_spec.ExecutionParameter(type=str),
        "last_spans": component_spec.ExecutionParameter(type=int, optional=True),
        "content_sha256": component_spec.ExecutionParameter(type=str),
        "code_sha256": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {"examples": component_spec.ChannelParameter(type=_Examples)}


class TableExampleGen(base_beam_component.BaseBeamComponent):
    """Ingests one table into one split, `all`.

    It replaces TFX's FileBasedExampleGen for two reasons. TFX lists files with tf.io.gfile, which supports fewer
    file systems than Beam. TFX's cache key covers the files' count, size and modification time, not their content.

    Outputs:
      examples: `Split-all/data_tfrecord-*.gz`, and beside the split `values.json` (`shortlist.records.files`); custom
        properties `rows`, `dropped_filter`, `dropped_duplicate`, `files`, `bytes`, and if they apply `first_span`,
        `last_span`, `timestamp_unit`.
    """

    SPEC_CLASS = TableExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        kind: Kind,
        table: Table,
        data_root: str | os.PathLike[str] | data_types.RuntimeParameter,
        content_sha256: str | data_types.RuntimeParameter,
        timestamp_unit: Unit = "order",
    ):
        """Builds the node.

        Args:
          kind: interactions, candidates or queries; names the node.
          table: The table's section of the config: path, columns, filter.
          data_root: Start of a relative `table.path`. It may be a URI that Beam opens, or a runtime parameter.
          content_sha256: `content.files_sha256` of the files, so that the cache key covers their content.
          timestamp_unit: Unit of the interactions' timestamps, as detected by `preflight`; other tables ignore it.
        """
        super().__init__(
            spec=TableExampleGenSpec(
                table=table_spec(kind, table, timestamp_unit).to_json(),
                data_path=table.path,
                data_root=_as_parameter(data_root),
                last_spans=table.last_spans if isinstance(table, Interactions) else None,
                content_sha256=content_sha256,
                code_sha256=fingerprints.code_sha256(executor.__name__),
                examples=channel.Channel(type=_Examples),
            )
        )
        self.with_id(nodes.GENS[kind])


def _as_parameter(path: str | os.PathLike[str] | data_types.RuntimeParameter) -> str | data_types.RuntimeParameter:
    if isinstance(path, os.PathLike):
        return os.fspath(path)
    return path
