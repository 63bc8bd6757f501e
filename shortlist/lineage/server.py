"""ML Metadata in a MySQL, MariaDB or PostgreSQL database, which several pipelines may share."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import random
import re
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator

from ml_metadata import errors as mlmd_errors
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.config import metadata
from shortlist.errors import BadInputError, ConfigError
from shortlist.lineage.client import open_store
from shortlist.lineage.protocol import PIPELINE, PIPELINE_RUN, Database
from shortlist.process import endpoints
from shortlist.workspace import Workspace

# Shortlist's own context type, one context per pipeline. TFX overwrites its own contexts from copies, so a claim that
# is stored in them could be lost.
_CLAIM = "shortlist_workspace"
_OWNER = "id"
_PLACE = "place"
_INIT_SECONDS = 30.0
_RETRY_SECONDS = 3.0
# Messages of both servers while another client creates the tables. 425 databases of MariaDB and PostgreSQL, each opened
# by four clients at once, gave no others; the last client was connected after 2.1 s.
_TABLES_IN_CREATION = re.compile(
    "concurrent connection|duplicate key value|already exists|tuple concurrently updated|[Dd]eadlock"
)
# ML Metadata's own words for tables whose creation another client has begun and not ended.
_INCOMPLETE = re.compile("subset of tables|no schema_version can be found")
# MySQL may refuse a statement for other reasons that pass, such as a lock timeout, but not for missing rights.
_FAILED_STATEMENT = re.compile("mysql_query aborted(?!.*denied)", re.DOTALL)
_POSTGRESQL_ERROR = re.compile(r"PostgreSQL error: (.+)")
_START_IT = "start the server, or correct metadata.host and metadata.port"

_stderr_lock = threading.Lock()


class ServerDatabase(Database):
    """One pipeline's part of a server's database: everything in TFX's context with the pipeline's name.

    The first run of a workspace claims that name in the database. A pipeline of the same name in another workspace
    would otherwise close this one's running executions as abandoned.
    """

    def __init__(self, workspace: Workspace, server: metadata.Server):
        self._workspace = workspace
        self._server = server

    def __str__(self) -> str:
        return f"{self._server.kind} {self._server.host}:{self._server.port}/{self._server.database}"

    @property
    def pipeline(self) -> str:
        """The workspace's name."""
        return self._workspace.name

    def connection(self) -> pb.ConnectionConfig:
        """Returns the configuration for connecting to the existing database."""
        config, server = pb.ConnectionConfig(), self._server
        if isinstance(server, metadata.MySqlMetadata):
            config.mysql.host, config.mysql.port = server.host, server.port
            config.mysql.database, config.mysql.user = server.database, server.user
            config.mysql.password = _password(server)
            config.mysql.skip_db_creation = True
        else:
            config.postgresql.host, config.postgresql.port = server.host, str(server.port)
            config.postgresql.dbname, config.postgresql.user = server.database, server.user
            config.postgresql.password = _password(server)
            # Without this, each connection runs all statements of the schema again.
            config.postgresql.skip_db_creation = True
        return config

    def reader(self) -> metadata_store.MetadataStore:
        """Returns a connection; neither server offers a read-only one."""
        if not self._workspace.has_metadata:
            raise BadInputError(f"{self}: there is no run of this workspace yet; `shortlist run` makes the first")
        return self._connect()

    def writer(self) -> metadata_store.MetadataStore:
        """Returns a connection after checking that the pipeline belongs to this workspace."""
        store = self.reader()
        self._check_owner(store)
        return store

    def check(self) -> None:
        """Checks that the server answers, accepts the login, and that no other workspace has claimed the name."""
        self._check_owner(self._connect())

    def begin_run(self, run_id: str) -> None:
        """Claims the pipeline's name and adds the run to its runs."""
        store = self._connect()
        path = self._workspace.claim_path
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"id": uuid.uuid4().hex}) + "\n", encoding="utf-8")
        place = f"{socket.gethostname()}:{self._workspace.root}"
        self._check_owner(store)
        _put_context(store, _CLAIM, self.pipeline, {_OWNER: self._owner(), _PLACE: place})
        # Another workspace may have claimed the name at the same moment.
        self._check_owner(store)
        pipeline = _put_context(store, PIPELINE, self.pipeline, {})
        run = _put_context(store, PIPELINE_RUN, run_id, {})
        with contextlib.suppress(mlmd_errors.AlreadyExistsError):
            store.put_parent_contexts([pb.ParentContext(child_id=run, parent_id=pipeline)])

    def _owner(self) -> str:
        path = self._workspace.claim_path
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["id"])
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, KeyError, TypeError):
            raise ConfigError.from_parts(
                path, "a readable file with an id", "an unreadable one", "restore it"
            ) from None

    def _check_owner(self, store: metadata_store.MetadataStore) -> None:
        name = self.pipeline
        claim = _context(store, _CLAIM, name)
        if claim is None:
            if _context(store, PIPELINE, name) is None:
                return
            place = "another program"
        elif claim.custom_properties[_OWNER].string_value == self._owner():
            self._check_no_copy(claim.custom_properties[_PLACE].string_value)
            return
        else:
            place = claim.custom_properties[_PLACE].string_value
        raise ConfigError.from_parts(
            "metadata",
            f"a database in which no other workspace has a pipeline {name!r}",
            f"one of {place} in {self}",
            "use that workspace, or give this pipeline another name or database",
        )

    def _check_no_copy(self, place: str) -> None:
        """Refuses a copy of a workspace: both would share the records on the server, which name the original's files.

        Args:
          place: Host and path of the workspace, as recorded in its last run.
        """
        host, _, path = place.partition(":")
        claim_path = self._workspace.claim_path
        original = pathlib.Path(path) / "metadata" / claim_path.name
        if host != socket.gethostname() or not original.exists() or original.samefile(claim_path):
            return
        if original.read_bytes() == claim_path.read_bytes():
            raise ConfigError.from_parts(
                "workspace",
                "a workspace with records of its own on the metadata server",
                f"a copy of {path}, which still exists",
                f"use {path}, or delete one of the two; a workspace with a metadata server can be moved, not copied",
            )

    def _connect(self) -> metadata_store.MetadataStore:
        server = self._server
        config = self.connection()
        # A client of ML Metadata waits long for a server that does not answer, so the port is checked first.
        endpoints.check_answers(server.host, server.port, "metadata.host", _START_IT)
        start = time.monotonic()
        while True:
            with _captured_stderr() as output:
                try:
                    return open_store(config)
                except RuntimeError as error:
                    why = str(error)
            if time.monotonic() - start >= _patience(why):
                raise self._refusal(why, output[0])
            # Random waits keep two clients from colliding again.
            time.sleep(random.uniform(0.1, 0.5))  # noqa: S311

    def _refusal(self, why: str, printed: str) -> BadInputError:
        server = self._server
        if _INCOMPLETE.search(why):
            return BadInputError.from_parts(
                "metadata",
                f"{self} to have all tables of ML Metadata, or none",
                f"a part of them, and no client that completed them within {_INIT_SECONDS:.0f} s",
                "drop these tables, which hold nothing yet, and run the command again",
            )
        return BadInputError.from_reason(
            "metadata",
            f"{self} to accept the user {server.user!r}",
            _reason(server, why, printed),
            f"check user, password ({server.password_env or 'metadata.password_env names none'}) and database, "
            "which must exist",
        )


def _patience(why: str) -> float:
    """Returns the seconds for which a connection that failed with this message is tried again."""
    if _TABLES_IN_CREATION.search(why):
        return _INIT_SECONDS
    return _RETRY_SECONDS if _FAILED_STATEMENT.search(why) else 0.0


def _password(server: metadata.Server) -> str:
    if server.password_env is None:
        return ""
    try:
        return os.environ[server.password_env]
    except KeyError:
        raise ConfigError(
            f"metadata.password_env: expected the environment variable {server.password_env}, but it is not set; "
            "export the password under that name"
        ) from None


def _reason(server: metadata.Server, raised: str, printed: str) -> str:
    """Returns the reason of a failed connection in one line; neither client's message has the password."""
    if isinstance(server, metadata.PostgreSqlMetadata):
        error = _POSTGRESQL_ERROR.search(printed)
        if error is not None:
            return error[1].strip()
    elif raised.startswith("mysql_real_connect"):
        # MySQL's client gives no reason for a refused login.
        return "the login was refused (its user must have the plugin mysql_native_password)"
    return " ".join(raised.split())[:200]


@contextlib.contextmanager
def _captured_stderr() -> Iterator[list[str]]:
    """Yields a list that receives the stderr output of C++ code after the block: PostgreSQL's error messages."""
    output: list[str] = []
    # The file descriptor belongs to the whole process, so only one thread may redirect it.
    with _stderr_lock, tempfile.TemporaryFile() as file:
        real = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield output
        finally:
            os.dup2(real, 2)
            os.close(real)
            file.seek(0)
            output.append(file.read().decode(errors="replace"))


def _context(store: metadata_store.MetadataStore, type_name: str, name: str) -> pb.Context | None:
    try:
        return store.get_context_by_type_and_name(type_name, name)
    except mlmd_errors.NotFoundError:
        return None


def _put_context(store: metadata_store.MetadataStore, type_name: str, name: str, properties: dict[str, str]) -> int:
    """Creates a context if it is missing and returns its id; another process may create the same one."""
    found = _context(store, type_name, name)
    if found is not None:
        return int(found.id)
    type_id = _put_type(store, type_name)
    context = pb.Context(type_id=type_id, name=name)
    for key, value in properties.items():
        context.custom_properties[key].string_value = value
    try:
        return int(store.put_contexts([context])[0])
    except mlmd_errors.AlreadyExistsError:
        return int(store.get_context_by_type_and_name(type_name, name).id)


def _put_type(store: metadata_store.MetadataStore, name: str) -> int:
    try:
        return int(store.put_context_type(pb.ContextType(name=name), can_add_fields=True, can_omit_fields=True))
    except mlmd_errors.AlreadyExistsError:
        return int(store.get_context_type(name).id)
