"""The interface of an ML Metadata database, which a sqlite file and a server both have."""

from __future__ import annotations

from typing import Protocol

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

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
