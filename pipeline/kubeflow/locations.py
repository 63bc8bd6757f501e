"""Paths of the files that KFP's launcher copies: `s3://bucket/key` is `/s3/bucket/key` in the pod.

TFX opens an artifact's URI itself, but does not support minio:// nor, without an extension, s3://. KFP's launcher
copies all inputs into the pod before the container starts, and all outputs back after it ends. Each task therefore
gets paths instead of URIs, and the paths in the metadata of its outputs are replaced by the URIs again.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_FOLDERS = {"gs": "gcs", "s3": "s3", "minio": "minio"}


def local_path(uri: str, mount: str = "") -> str | None:
    """Returns the path of the launcher's copy of a URI, None if the launcher does not copy it.

    Args:
      uri: An artifact's URI.
      mount: Parent folder of `/gcs`, `/s3` and `/minio`; empty in a pod.
    """
    scheme, is_uri, rest = uri.partition("://")
    if not is_uri or scheme not in _FOLDERS:
        return None
    return f"{mount}/{_FOLDERS[scheme]}/{rest}"


def local_paths(executor_input: Json, mount: str = "") -> dict[str, str]:
    """Returns, by URI, the path of each input and output of a task that the launcher copies."""
    uris = [
        artifact["uri"]
        for side in ("inputs", "outputs")
        for artifacts in executor_input.get(side, {}).get("artifacts", {}).values()
        for artifact in artifacts.get("artifacts", [])
        if artifact.get("uri")
    ]
    paths = {uri: local_path(uri, mount) for uri in uris}
    return {uri: path for uri, path in paths.items() if path is not None}


def replace_names(document: Any, names: dict[str, str]) -> Any:
    """Returns JSON with each key of `names` replaced by its value in all strings; longer names first."""
    if isinstance(document, dict):
        return {key: replace_names(value, names) for key, value in document.items()}
    if isinstance(document, list):
        return [replace_names(value, names) for value in document]
    if isinstance(document, str):
        for name in sorted(names, key=len, reverse=True):
            document = document.replace(name, names[name])
    return document


def with_types(executor_input: Json, inputs_spec: Json) -> Json:
    """Returns a task's executor input whose artifacts have the types that the component declares.

    KFP's driver (2.5) leaves the type empty, because it finds no schema in ML Metadata ("figure out how to get
    schema"). TFX cannot make an artifact without a type.
    """
    declared = inputs_spec.get("artifacts", {})
    inputs = executor_input.get("inputs", {})
    typed = {
        key: {"artifacts": [_typed(artifact, declared.get(key, {})) for artifact in artifacts.get("artifacts", [])]}
        for key, artifacts in inputs.get("artifacts", {}).items()
    }
    return {**executor_input, "inputs": {**inputs, "artifacts": typed}}


def _typed(artifact: Json, declared: Json) -> Json:
    if any(artifact.get("type", {}).values()) or "artifactType" not in declared:
        return artifact
    return {**artifact, "type": declared["artifactType"]}
