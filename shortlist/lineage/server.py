"""ML Metadata in a database of MySQL, MariaDB or PostgreSQL, which several pipelines may share."""

from __future__ import annotations

import contextlib
import json
import os
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

# Contexts of our own, named as the pipelines: TFX's are written again by whoever has a copy of them.
_CLAIM = "shortlist_workspace"
_OWNER = "id"
_PLACE = "place"
_INIT_SECONDS = 30.0
# What both servers say to whoever comes while somebody else makes the tables.
_TABLES_UNDER_WAY = re.compile("concurrent connection|duplicate key value|already exists|tuple concurrently updated")
_POSTGRESQL_SAID = re.compile(r"PostgreSQL error: (.+)")
_START_IT = "start the server, or correct metadata.host and metadata.port"

_one_at_a_time = threading.Lock()


class ServerDatabase(Database):
    """The part of a server's database that is one pipeline's: what belongs to TFX's context of its name.

    The first run from a workspace takes that name there, so that a pipeline of the same name, elsewhere, does not take
    this one's work at hand for dead.
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
        """Returns how to connect to the database, which is there."""
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
            # Otherwise each connection runs all of the schema's statements again.
            config.postgresql.skip_db_creation = True
        return config

    def reader(self) -> metadata_store.MetadataStore:
        """Returns a connection; neither server has one that cannot write."""
        if not self._workspace.has_metadata:
            raise BadInputError(f"{self}: nothing of this workspace is there yet; `shortlist run` begins it")
        return self._connect()

    def writer(self) -> metadata_store.MetadataStore:
        """Returns a connection, once it is sure whose the pipeline is."""
        store = self.reader()
        self._check_owner(store)
        return store

    def check(self) -> None:
        """Refuses a server that does not answer or does not let the user in, and a name that is taken."""
        self._check_owner(self._connect())

    def begin_run(self, run_id: str) -> None:
        """Takes the pipeline's name and adds the run to its runs."""
        store = self._connect()
        path = self._workspace.claim_path
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"id": uuid.uuid4().hex}) + "\n", encoding="utf-8")
        place = f"{socket.gethostname()}:{self._workspace.root}"
        self._check_owner(store)
        _put_context(store, _CLAIM, self.pipeline, {_OWNER: self._owner(), _PLACE: place})
        # Another workspace may have been quicker.
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
            raise ConfigError.from_parts(path, "a readable file with an id", "another", "restore it") from None

    def _check_owner(self, store: metadata_store.MetadataStore) -> None:
        name = self.pipeline
        claim = _context(store, _CLAIM, name)
        if claim is None:
            if _context(store, PIPELINE, name) is None:
                return
            place = "another program"
        elif claim.custom_properties[_OWNER].string_value == self._owner():
            return
        else:
            place = claim.custom_properties[_PLACE].string_value
        raise ConfigError.from_parts(
            "metadata",
            f"a database in which nobody else's pipeline is called {name!r}",
            f"one of {place} in {self}",
            "use that workspace, or give this pipeline another name or database",
        )

    def _connect(self) -> metadata_store.MetadataStore:
        server = self._server
        config = self.connection()
        endpoints.check_answers(server.host, server.port, "metadata.host", _START_IT)
        until = time.monotonic() + _INIT_SECONDS
        while True:
            with _stderr_kept() as said:
                try:
                    return open_store(config)
                except RuntimeError as error:
                    why = str(error)
            if not _TABLES_UNDER_WAY.search(why) or time.monotonic() > until:
                raise BadInputError.from_reason(
                    "metadata",
                    f"{self} to let {server.user!r} in",
                    _reason(server, why, said[0]),
                    f"check user, password ({server.password_env or 'metadata.password_env names none'}) and database, "
                    "which must be there",
                )
            time.sleep(random.uniform(0.1, 0.5))  # noqa: S311


def _password(server: metadata.Server) -> str:
    if server.password_env is None:
        return ""
    try:
        return os.environ[server.password_env]
    except KeyError:
        raise ConfigError(
            f"metadata.password_env: expected the environment to have {server.password_env}, it has not; "
            "export the password under that name"
        ) from None


def _reason(server: metadata.Server, raised: str, printed: str) -> str:
    """Returns what a failed connection came from, in one line; neither client ever repeats a password."""
    if isinstance(server, metadata.PostgreSqlMetadata):
        found = _POSTGRESQL_SAID.search(printed)
        return found[1].strip() if found else " ".join(raised.split())[:200]
    # Its client does not say why it was not let in.
    refused = "the login was refused (its user must have the plugin mysql_native_password)"
    return refused if raised.startswith("mysql_real_connect") else " ".join(raised.split())[:200]


@contextlib.contextmanager
def _stderr_kept() -> Iterator[list[str]]:
    """Yields a list that has what C++ wrote to stderr meanwhile, once the block is left: PostgreSQL's reasons."""
    kept: list[str] = []
    with _one_at_a_time, tempfile.TemporaryFile() as file:
        real = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield kept
        finally:
            os.dup2(real, 2)
            os.close(real)
            file.seek(0)
            kept.append(file.read().decode(errors="replace"))


def _context(store: metadata_store.MetadataStore, type_name: str, name: str) -> pb.Context | None:
    try:
        return store.get_context_by_type_and_name(type_name, name)
    except mlmd_errors.NotFoundError:
        return None


def _put_context(store: metadata_store.MetadataStore, type_name: str, name: str, properties: dict[str, str]) -> int:
    """Returns the id of a context; another process may be putting the same one."""
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
