"""ML Metadata database of a workspace: its own sqlite file, or a part of a server's database."""

from __future__ import annotations

import os
import pathlib

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.errors import BadInputError
from shortlist.lineage import sqlite_file
from shortlist.lineage.client import open_store
from shortlist.lineage.protocol import Database
from shortlist.workspace import Workspace


def database(workspace: Workspace) -> Database:
    """Returns the database of a workspace."""
    if workspace.metadata_server is None:
        return SqliteDatabase(workspace.metadata_path)
    # The server's settings need pydantic; a sqlite file does not, so this import is not at the top.
    from shortlist.lineage.server import ServerDatabase

    return ServerDatabase(workspace, workspace.metadata_server)


class SqliteDatabase(Database):
    """A sqlite file of a single pipeline."""

    pipeline = None

    def __init__(self, path: pathlib.Path):
        self._path = path

    def connection(self) -> pb.ConnectionConfig:
        """Returns the configuration for writing; a missing file is created."""
        return self._in_mode(pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE)

    def reader(self) -> metadata_store.MetadataStore:
        """Returns a read-only connection."""
        sqlite_file.check(self._path, for_writing=False)
        if not os.path.lexists(self._path):
            raise BadInputError(f"{self._path}: there is no ML Metadata store yet; `shortlist run` creates it")
        return open_store(self._in_mode(pb.SqliteMetadataSourceConfig.READONLY))

    def writer(self) -> metadata_store.MetadataStore:
        """Returns a connection for writing to the existing file."""
        self.check()
        return open_store(self._in_mode(pb.SqliteMetadataSourceConfig.READWRITE))

    def check(self) -> None:
        """Checks that an existing file can be written, also that no other program is writing to it."""
        sqlite_file.check(self._path, for_writing=True)
        if os.path.exists(self._path) and os.path.getsize(self._path):
            # ML Metadata itself knows which versions of its tables it can use.
            open_store(self._in_mode(pb.SqliteMetadataSourceConfig.READONLY))

    def begin_run(self, run_id: str) -> None:
        """Creates the file's folder."""
        self._path.parent.mkdir(parents=True, exist_ok=True)

    def _in_mode(self, mode: int) -> pb.ConnectionConfig:
        config = pb.ConnectionConfig()
        config.sqlite.filename_uri = str(self._path)
        config.sqlite.connection_mode = mode
        return config
