"""Rules on the platform spec: the Kubernetes settings that the driver adds to the pods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.kubeflow.check.view import PackageProblem, View
from pipeline.kubeflow.package import Document

# Fields of KubernetesExecutorConfig: type, and keys that each entry must have. KFP 2.5 silently ignores other fields.
_FIELDS: dict[str, tuple[type, set[str]]] = {
    "secretAsVolume": (list, {"secretName", "mountPath"}),
    "secretAsEnv": (list, {"secretName", "keyToEnv"}),
    "pvcMount": (list, {"mountPath"}),
    "nodeSelector": (dict, set()),
    "podMetadata": (dict, set()),
    "imagePullSecret": (list, {"secretName"}),
    "imagePullPolicy": (str, set()),
    "configMapAsVolume": (list, {"configMapName", "mountPath"}),
    "configMapAsEnv": (list, {"configMapName", "keyToEnv"}),
    "activeDeadlineSeconds": (str, set()),
    "fieldPathAsEnv": (list, {"name", "fieldPath"}),
    "tolerations": (list, set()),
    "genericEphemeralVolume": (list, {"volumeName", "mountPath"}),
    "nodeAffinity": (list, set()),
    "podAffinity": (list, set()),
    "enabledSharedMemory": (dict, set()),
    "emptyDirMounts": (list, {"volumeName", "mountPath"}),
}
_PULL_POLICIES = {"Always", "Never", "IfNotPresent"}


def platform(view: View, document: Document | None) -> Iterator[PackageProblem]:
    """Yields problems of the platform spec: other platforms, unknown executors, unknown or malformed fields."""
    if document is None:
        return
    if set(document) != {"platforms"} or set(document["platforms"]) != {"kubernetes"}:
        yield PackageProblem("platform", "platform spec", "expected platforms.kubernetes alone: all else is ignored")
        return
    executors = document["platforms"]["kubernetes"].get("deploymentSpec", {}).get("executors", {})
    for label, config in sorted(executors.items()):
        if label not in view.executors:
            yield PackageProblem(
                "platform", label, "expected an executor of the pipeline, got one that it does not have"
            )
        for field, value in config.items():
            problem = _problem_of(field, value)
            if problem:
                yield PackageProblem("platform", label, problem)


def _problem_of(field: str, value: Any) -> str | None:
    if field not in _FIELDS:
        return f"expected a field of KubernetesExecutorConfig, got {field!r}"
    kind, required = _FIELDS[field]
    if not isinstance(value, kind):
        return f"{field}: expected a {kind.__name__}, got {value!r:.80}"
    if field == "imagePullPolicy" and value not in _PULL_POLICIES:
        return f"{field}: expected one of {', '.join(sorted(_PULL_POLICIES))}, got {value!r}"
    for entry in value if isinstance(value, list) else []:
        missing = sorted(required - set(entry))
        if missing:
            return f"{field}: expected {missing[0]!r} in each, got {sorted(entry)}"
    return None
