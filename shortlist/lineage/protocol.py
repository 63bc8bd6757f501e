"""Interface of an ML Metadata database: a sqlite file or a server."""

from __future__ import annotations

from typing import Protocol

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

PIPELINE = "pipeline"
"""TFX's context type of a pipeline, to which its executions and artifacts belong."""

PIPELINE_RUN = "pipeline_run"
"""TFX's context type of a run; two pipelines that start in the same second share its name."""


class Database(Protocol):
    """ML Metadata database of one pipeline."""

    @property
    def pipeline(self) -> str | None:
        """Pipeline whose part of the database is read; None if the whole database is of one pipeline."""

    def connection(self) -> pb.ConnectionConfig:
        """Returns the configuration for writing, including the password; pass it only to ML Metadata.

        Raises:
          ConfigError: The environment lacks the password.
        """

    def reader(self) -> metadata_store.MetadataStore:
        """Returns a connection for reading.

        Raises:
          BadInputError: There is no store yet, or it cannot be read.
        """

    def writer(self) -> metadata_store.MetadataStore:
        """Returns a connection for writing to an existing store; the caller holds the workspace's lock.

        Raises:
          BadInputError: See `reader`; or the pipeline of this name on the server belongs to another workspace.
        """

    def check(self) -> None:
        """Checks that a run can write; it creates a server's tables and writes nothing else.

        Raises:
          BadInputError: The database cannot be used; the message has the reason.
        """

    def begin_run(self, run_id: str) -> None:
        """Prepares the database for a run; the caller holds the workspace's lock.

        Raises:
          BadInputError: See `check`.
        """
