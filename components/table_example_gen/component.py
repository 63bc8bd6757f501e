"""InteractionsGen, CandidatesGen and QueriesGen: TFX's file-based ExampleGen with an executor of ours."""

from __future__ import annotations

import os
import posixpath

from google.protobuf import struct_pb2
from tfx import v1 as tfx
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import executor_spec

from components.table_example_gen import executor
from components.table_example_gen.spec import Kind, table_spec
from shortlist import fingerprints, keys
from shortlist.config import types

# The node id is the class name that a reader of ML Metadata looks for.
NODE_IDS: dict[Kind, str] = {
    "interactions": "InteractionsGen",
    "candidates": "CandidatesGen",
    "queries": "QueriesGen",
}


class TableExampleGen(FileBasedExampleGen):
    """Ingests one table into one split, `all`.

    TFX caches by file count, size and modification time. What the table means,
    a SHA-256 of its content and one of this package's source go into the custom
    config, so that each of them is part of the cache key.

    Outputs: `examples` (Examples, `Split-all/*.gz`).
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)


def table_example_gen(
    kind: Kind,
    table: types.Table,
    data_root: str | os.PathLike[str],
    content_sha256: str,
    code_sha256: str | None = None,
) -> TableExampleGen:
    """Returns the node that reads one table.

    Args:
      kind: interactions, candidates or queries; names the node.
      table: Where the table is and what its columns mean.
      data_root: Where a relative `table.path` starts; may be a URI that Beam opens.
      content_sha256: `fingerprints.content_sha256` of the files.
      code_sha256: Of the executor; computed unless given.
    """
    base, pattern = _base_and_pattern(table.path, os.fspath(data_root))
    config = struct_pb2.Struct()
    config.update(
        {
            executor.TABLE_KEY: table_spec(kind, table).to_json(),
            "content_sha256": content_sha256,
            "code_sha256": code_sha256 or fingerprints.code_sha256(executor.__name__),
        }
    )
    custom_config = tfx.proto.CustomConfig()
    custom_config.custom_config.Pack(config)
    node = TableExampleGen(
        input_base=base,
        input_config=tfx.proto.Input(splits=[tfx.proto.Input.Split(name=keys.SPLIT_ALL, pattern=pattern)]),
        output_config=tfx.proto.Output(
            split_config=tfx.proto.SplitConfig(
                splits=[tfx.proto.SplitConfig.Split(name=keys.SPLIT_ALL, hash_buckets=1)]
            )
        ),
        custom_config=custom_config,
    )
    return node.with_id(NODE_IDS[kind])


def _base_and_pattern(path: str, data_root: str) -> tuple[str, str]:
    """Returns the folder that `source_path` is relative to, and the rest.

    That is the data root, so that a moved root changes no order; an absolute
    path has its own folder for a root.
    """
    if not posixpath.isabs(path) and "://" not in path:
        return data_root, posixpath.normpath(path)
    folder = path
    while folder == path or fingerprints.has_wildcard(folder):
        folder = posixpath.dirname(folder)
    return folder, path.removeprefix(folder).lstrip("/")
