"""Locations of artifacts in a workspace that was copied or moved; ML Metadata has absolute paths.

TFX writes an artifact to `<workspace>/pipeline_root/<node>/<key>/<execution>`, so that the path names the workspace
that it was written in. Readers translate such paths. The first command that writes stores the new ones.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import TypeVar

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.config.paths import is_uri

_ARTIFACTS, _SERVING = "pipeline_root", "serving"
# `<node>/<key>/<execution>` below the pipeline root.
_PARTS = 3

_Value = TypeVar("_Value", str, int, float, str | int | float)


def former_root(uri: str, root: pathlib.Path) -> str | None:
    """Returns the workspace that an artifact was written in, if that is another path than `root`; else None.

    Args:
      uri: URI of an artifact.
      root: The workspace, an absolute path.
    """
    start, found, below = uri.rpartition(f"/{_ARTIFACTS}/")
    if is_uri(uri) or not found or len(below.split("/")) < _PARTS or start == os.fspath(root):
        return None
    return start


def translated(value: _Value, former: str, root: pathlib.Path) -> _Value:
    """Returns a path below a former workspace's artifacts or served models at its place in `root`; others unchanged."""
    if isinstance(value, str):
        for part in (_ARTIFACTS, _SERVING):
            before = os.path.join(former, part)
            if value == before or value.startswith(f"{before}/"):
                return os.path.join(root, part) + value[len(before) :]
    return value


def translated_values(values: Mapping[str, _Value], former: str, root: pathlib.Path) -> dict[str, _Value]:
    """Returns properties with `translated` values."""
    return {name: translated(value, former, root) for name, value in values.items()}


def adopt(store: metadata_store.MetadataStore, artifacts: list[pb.Artifact], root: pathlib.Path) -> int:
    """Stores the locations of artifacts in this workspace, if it was copied or moved, and returns their number.

    The files of a former workspace are neither used nor changed by later commands. All changes are one transaction. A
    workspace that merely has two paths, by a link or a mount, keeps the recorded one.

    Args:
      store: A connection for writing; the caller holds the workspace's lock.
      artifacts: All artifacts of the pipeline.
      root: The workspace, an absolute path.
    """
    changed = []
    same: dict[str, bool] = {}
    for artifact in artifacts:
        former = former_root(artifact.uri, root)
        if former is None:
            continue
        if former not in same:
            same[former] = _is_same(former, root)
        if same[former]:
            continue
        artifact.uri = translated(artifact.uri, former, root)
        for value in artifact.custom_properties.values():
            if value.HasField("string_value"):
                value.string_value = translated(value.string_value, former, root)
        changed.append(artifact)
    if changed:
        store.put_artifacts(changed)
    return len(changed)


def _is_same(former: str, root: pathlib.Path) -> bool:
    try:
        return os.path.samefile(former, root)
    except OSError:
        return False
