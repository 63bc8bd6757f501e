"""The ML Metadata database of a workspace: a sqlite file of its own, or a part of a server's database."""

from __future__ import annotations

import pathlib

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.errors import BadInputError
from shortlist.lineage.protocol import Database
from shortlist.workspace import Workspace


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
            raise BadInputError.from_parts(
                self._path,
                "an ML Metadata store",
                f"a file that is empty or damaged ({str(error)[:80]})",
                "`shortlist run` goes on from an empty one; restore a damaged one from a copy",
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
