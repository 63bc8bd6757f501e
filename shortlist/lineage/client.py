"""ML Metadata's client, with corrections for database servers, and with clear errors for a sqlite file."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from ml_metadata import errors as mlmd_errors
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.lineage import sqlite_file

_BACKSLASH = "\\"
# ASCII's SUBSTITUTE; every encoding of a database has this character, and no text of Shortlist does.
_SUBSTITUTE = "\x1a"


def open_store(config: pb.ConnectionConfig) -> metadata_store.MetadataStore:
    """Returns a connection.

    Raises:
      RuntimeError: The connection failed; the message has the server's reason, if it gives one.
      StoreError: The sqlite file cannot be used. The connection's methods raise it, too.
    """
    if config.HasField("postgresql"):
        return _PostgreSqlStore(config)
    if config.HasField("mysql"):
        return _ServerStore(config)
    return _FileStore(config)


class _FileStore(metadata_store.MetadataStore):
    """Raises a `StoreError` if the sqlite file is busy, damaged or read-only, whatever ML Metadata raises for it."""

    def __init__(self, config: pb.ConnectionConfig):
        self._path = pathlib.Path(config.sqlite.filename_uri)
        with self._raises_store_error():
            super().__init__(config)

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        with self._raises_store_error():
            return super()._call(*args, **kwargs)

    @contextlib.contextmanager
    def _raises_store_error(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, mlmd_errors.StatusError) as error:
            known = sqlite_file.error_from(self._path, str(error))
            if known is None:
                raise
            raise known from error


class _ServerStore(metadata_store.MetadataStore):
    """Returns results in the order of the requested ids, as a sqlite file does.

    PostgreSQL returns a changed row last. TFX pairs the outputs of a cached node with their keys by position, so it
    would silently exchange outputs.
    """

    def get_artifacts_by_id(self, artifact_ids: Any, *args: Any, **kwargs: Any) -> Any:
        ids = list(artifact_ids)
        return _in_order(dict.fromkeys(ids), super().get_artifacts_by_id(ids, *args, **kwargs))

    def get_executions_by_id(self, execution_ids: Any, *args: Any, **kwargs: Any) -> Any:
        ids = list(execution_ids)
        return _in_order(dict.fromkeys(ids), super().get_executions_by_id(ids, *args, **kwargs))

    def get_artifact_types_by_id(self, type_ids: Any, *args: Any, **kwargs: Any) -> Any:
        # This method returns one type per requested id, also for a repeated id.
        ids = list(type_ids)
        return _in_order(ids, super().get_artifact_types_by_id(ids, *args, **kwargs))


def _in_order(ids: Iterable[int], found: Iterable[Any]) -> list[Any]:
    by_id = {proto.id: proto for proto in found}
    return [by_id[wanted] for wanted in ids if wanted in by_id]


class _PostgreSqlStore(_ServerStore):
    r"""Replaces backslashes by a control character in the database, and restores them when reading.

    ML Metadata 1.16 quotes a text with a backslash as `E'...'` and then removes the quotes, but not the `E`. The rest
    would be read as SQL, which is at best a syntax error.
    """

    def _pywrap_cc_call(self, method: Any, request: Any, response: Any) -> None:
        sent = type(request)()
        sent.CopyFrom(request)
        _replace(sent, _BACKSLASH, _SUBSTITUTE)
        super()._pywrap_cc_call(method, sent, response)
        # Checking each field of thousands of executions takes a second, so the bytes are searched first.
        if _SUBSTITUTE.encode() in response.SerializeToString():
            _replace(response, _SUBSTITUTE, _BACKSLASH)


def _replace(message: Any, old: str, new: str) -> None:
    """Replaces a character in all strings of a message, except keys of maps."""
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_STRING:
            if field.label == FieldDescriptor.LABEL_REPEATED:
                value[:] = [text.replace(old, new) for text in value]
            elif old in value:
                setattr(message, field.name, value.replace(old, new))
        elif field.message_type is not None:
            for nested in _messages(field, value):
                _replace(nested, old, new)


def _messages(field: Any, value: Any) -> list[Any]:
    if field.label != FieldDescriptor.LABEL_REPEATED:
        return [value]
    if not field.message_type.GetOptions().map_entry:
        return list(value)
    if field.message_type.fields_by_name["value"].message_type is None:
        return []
    return list(value.values())
