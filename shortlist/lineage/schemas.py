"""Schema files as flat settings for a diff."""

from __future__ import annotations

import pathlib
from typing import Any

from google.protobuf import json_format, text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from shortlist.lineage.settings import flat


def features(path: pathlib.Path) -> dict[str, Any] | None:
    """Returns a schema's rules by feature and rule name; None if the file cannot be read."""
    try:
        schema = text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())
    except (OSError, ValueError, text_format.ParseError):
        return None
    found: dict[str, Any] = {}
    for feature in schema.feature:
        rules = json_format.MessageToDict(feature, preserving_proto_field_name=True)
        found |= flat(rules, f"{rules.pop('name', '')!r}, ")
    return found
