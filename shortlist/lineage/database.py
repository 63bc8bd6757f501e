"""Where a pipeline's ML Metadata is: in a file of its workspace, or in a server's database that pipelines share."""

from __future__ import annotations

import pathlib
from typing import Protocol

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.errors import BadInputError
from shortlist.workspace import Workspace

PIPELINE = "pipeline"
"""Context type, TFX's: what a pipeline's executions and artifacts belong to."""

PIPELINE_RUN = "pipeline_run"
"""Context type, TFX's: one run; two pipelines that start in the same second share its name."""


class Database(Protocol):
    """ML Metadata of one pipeline."""

    @property
    def pipeline(self) -> str | None:
        """Whose part of the database is looked at; None where all of it is one pipeline's."""

    def connection(self) -> pb.ConnectionConfig:
        """Returns how to write to it, the password included: for a library's hands only.

        Raises:
          ConfigError: The environment lacks the password.
        """

    def reader(self) -> metadata_store.MetadataStore:
        """Returns a connection for reading.

        Raises:
          BadInputError: There is no store yet, or none that can be read.
        """

    def writer(self) -> metadata_store.MetadataStore:
        """Returns a connection for writing to a store that is there; the caller holds the workspace.

        Raises:
          BadInputError: See `reader`; or a server's pipeline of this name is another workspace's.
        """

    def check(self) -> None:
        """Refuses what a run could not write to; a server's tables are made, and nothing else.

        Raises:
          BadInputError: It cannot be used; says why.
        """

    def begin_run(self, run_id: str) -> None:
        """Makes ready for a run; the caller holds the workspace.

        Raises:
          BadInputError: See `check`.
        """


def database(workspace: Workspace) -> Database:
    """Returns the database of a workspace."""
    if workspace.metadata_server is None:
        return SqliteDatabase(workspace.metadata_path)
    # Its settings need pydantic, which the answers from a file do without.
    from shortlist.lineage.server import ServerDatabase

    return ServerDatabase(workspace, workspace.metadata_server)


class SqliteDatabase(Database):
    """A file that is one pipeline's alone."""

    pipeline = None

    def __init__(self, path: pathlib.Path):
        self._path = path

    def connection(self) -> pb.ConnectionConfig:
        """Returns how to write to the file, which is made if need be."""
        return self._in_mode(pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE)

    def reader(self) -> metadata_store.MetadataStore:
        """Returns a connection that cannot write."""
        if not self._path.exists():
            raise BadInputError(f"{self._path}: no ML Metadata store here yet; `shortlist run` makes it")
        try:
            return metadata_store.MetadataStore(self._in_mode(pb.SqliteMetadataSourceConfig.READONLY))
        except RuntimeError as error:
            # A run that died in its first second, on a full disk say, leaves a file without tables.
            raise BadInputError(
                f"{self._path}: expected an ML Metadata store, got a file that is empty or damaged "
                f"({str(error)[:80]}); `shortlist run` goes on from an empty one; restore a damaged one from a copy"
            ) from None

    def writer(self) -> metadata_store.MetadataStore:
        """Returns a connection to the file, which is there."""
        return metadata_store.MetadataStore(self._in_mode(pb.SqliteMetadataSourceConfig.READWRITE))

    def check(self) -> None:
        """Has nothing to refuse: the workspace's folder is checked with the workspace."""

    def begin_run(self, run_id: str) -> None:
        """Makes the file's folder."""
        self._path.parent.mkdir(parents=True, exist_ok=True)

    def _in_mode(self, mode: int) -> pb.ConnectionConfig:
        config = pb.ConnectionConfig()
        config.sqlite.filename_uri = str(self._path)
        config.sqlite.connection_mode = mode
        return config
