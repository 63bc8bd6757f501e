"""Where KFP's launcher puts what it copies: `s3://bucket/key` is `/s3/bucket/key` in the pod.

TFX opens an artifact's URI itself and knows no minio:// and, without an extension, no s3://. KFP's launcher has copied
all inputs into the pod before the container starts, and copies all outputs back when it is done. So a task is given
paths in place of URIs, and what it says of its outputs is turned back.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_FOLDERS = {"gs": "gcs", "s3": "s3", "minio": "minio"}


def local_path(uri: str, mount: str = "") -> str | None:
    """Returns where the launcher puts a URI; None where it does not copy it.

    Args:
      uri: An artifact's.
      mount: What stands before `/gcs`, `/s3` and `/minio`; nothing in a pod.
    """
    scheme, is_uri, rest = uri.partition("://")
    if not is_uri or scheme not in _FOLDERS:
        return None
    return f"{mount}/{_FOLDERS[scheme]}/{rest}"


def local_paths(executor_input: Json, mount: str = "") -> dict[str, str]:
    """Returns URI to path of all inputs and outputs of a task that the launcher copies."""
    uris = [
        artifact["uri"]
        for side in ("inputs", "outputs")
        for artifacts in executor_input.get(side, {}).get("artifacts", {}).values()
        for artifact in artifacts.get("artifacts", [])
        if artifact.get("uri")
    ]
    found = {uri: local_path(uri, mount) for uri in uris}
    return {uri: path for uri, path in found.items() if path is not None}


def replace_names(document: Any, names: dict[str, str]) -> Any:
    """Returns JSON in which each name, wherever it stands in a text, is another; longer names first."""
    if isinstance(document, dict):
        return {key: replace_names(value, names) for key, value in document.items()}
    if isinstance(document, list):
        return [replace_names(value, names) for value in document]
    if isinstance(document, str):
        for name in sorted(names, key=len, reverse=True):
            document = document.replace(name, names[name])
    return document


def with_types(executor_input: Json, inputs_spec: Json) -> Json:
    """Returns the input of a task whose input artifacts have the types that the component declares.

    KFP's driver gives inputs an empty type: it finds no schema in ML Metadata ("figure out how to get schema"), and TFX
    cannot make an artifact of that.
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
