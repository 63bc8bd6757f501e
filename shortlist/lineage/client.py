"""ML Metadata's client, mended where a server differs from a file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

_BACKSLASH = "\\"
# ASCII's SUBSTITUTE: every encoding of a database has it, and no text of ours.
_STAND_IN = "\x1a"


def open_store(config: pb.ConnectionConfig) -> metadata_store.MetadataStore:
    """Returns a connection.

    Raises:
      RuntimeError: There is nothing to connect to; says why, if the server does.
    """
    if config.HasField("postgresql"):
        return _PostgreSqlStore(config)
    return _ServerStore(config) if config.HasField("mysql") else metadata_store.MetadataStore(config)


class _ServerStore(metadata_store.MetadataStore):
    """Answers in the order of what was asked, as a file does by itself.

    PostgreSQL puts a changed row last. TFX, which pairs the outputs of a cached node with their keys by place, would
    take one output for another, without a word.
    """

    def get_artifacts_by_id(self, artifact_ids: Any, *args: Any, **kwargs: Any) -> Any:
        asked = list(artifact_ids)
        return _in_order(dict.fromkeys(asked), super().get_artifacts_by_id(asked, *args, **kwargs))

    def get_executions_by_id(self, execution_ids: Any, *args: Any, **kwargs: Any) -> Any:
        asked = list(execution_ids)
        return _in_order(dict.fromkeys(asked), super().get_executions_by_id(asked, *args, **kwargs))

    def get_artifact_types_by_id(self, type_ids: Any, *args: Any, **kwargs: Any) -> Any:
        # One a question here, also where two ask the same.
        asked = list(type_ids)
        return _in_order(asked, super().get_artifact_types_by_id(asked, *args, **kwargs))


def _in_order(ids: Iterable[int], found: Iterable[Any]) -> list[Any]:
    by_id = {proto.id: proto for proto in found}
    return [by_id[asked] for asked in ids if asked in by_id]


class _PostgreSqlStore(_ServerStore):
    r"""Keeps backslashes from ML Metadata 1.16, which takes the quotes off PostgreSQL's `E'...'` and not the `E`.

    What follows would be read as SQL: a syntax error at best. In the database a control character stands for each
    backslash; whoever reads through this class sees the backslash.
    """

    def _pywrap_cc_call(self, method: Any, request: Any, response: Any) -> None:
        sent = type(request)()
        sent.CopyFrom(request)
        _replace(sent, _BACKSLASH, _STAND_IN)
        super()._pywrap_cc_call(method, sent, response)
        # To look at each field of thousands of executions takes a second.
        if _STAND_IN.encode() in response.SerializeToString():
            _replace(response, _STAND_IN, _BACKSLASH)


def _replace(message: Any, old: str, new: str) -> None:
    """Replaces a character in all strings of a message, keys of maps aside."""
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
    return list(value.values()) if field.message_type.fields_by_name["value"].message_type else []
