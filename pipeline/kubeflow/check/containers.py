"""Rules on containers and importers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pipeline.kubeflow.check.values import title
from pipeline.kubeflow.check.view import PackageProblem, View
from pipeline.kubeflow.package import Document

_PLACEHOLDER = re.compile(r"\{\{\$.*?\}\}")
_INPUT = re.compile(r"\{\{\$\.inputs\.(?:parameters\['([^']+)'\]|artifacts\['([^']+)'\]\.(?:uri|path))\}\}")
_OUTPUT = re.compile(
    r"\{\{\$\.outputs\.(?:parameters\['([^']+)'\]\.output_file|artifacts\['([^']+)'\]\.(?:uri|path))\}\}"
)
_WHOLE = "{{$}}"
# Linux limits one argument of a process to this (MAX_ARG_STRLEN), and the launcher gets the executor input as one.
MAX_BYTES = 131_072
# Estimated size of an artifact in a task's input: URI, type and metadata.
_BYTES_PER_ARTIFACT = 4096


def image(view: View) -> Iterator[PackageProblem]:
    """Yields containers without an image, which a pod needs."""
    for label, container in _containers(view):
        if not container.get("image"):
            yield PackageProblem("image", label, "expected an image, got none")


def command(view: View) -> Iterator[PackageProblem]:
    """Yields containers without a command: the launcher replaces the image's own command."""
    for label, container in _containers(view):
        if not container.get("command") and not container.get("args"):
            yield PackageProblem(
                "command", label, "expected a command or args, got neither; KFP does not run the image's own"
            )


def lifecycle(view: View) -> Iterator[PackageProblem]:
    """Yields containers with a lifecycle hook, which open-source KFP never runs.

    TFX's own ExampleGens rely on one, preCacheCheck, to set span, version and fingerprint.
    """
    for label, container in _containers(view):
        if container.get("lifecycle"):
            yield PackageProblem(
                "lifecycle", label, "expected none, got one, which KFP never runs; use another ExampleGen"
            )


def resources(view: View) -> Iterator[PackageProblem]:
    """Yields containers that request more than their limit, which Kubernetes refuses."""
    for label, container in _containers(view):
        quantities = container.get("resources", {})
        for kind in ("cpu", "memory"):
            request, limit = quantities.get(f"{kind}Request", 0.0), quantities.get(f"{kind}Limit", 0.0)
            if request < 0 or limit < 0 or (limit and request > limit):
                yield PackageProblem(
                    "resources", label, f"expected 0 <= {kind}Request <= {kind}Limit, got {request}, {limit}"
                )


def placeholder(view: View) -> Iterator[PackageProblem]:
    """Yields placeholders that the launcher would not replace: they are neither input nor output of the component."""
    for name, component in sorted(view.components.items()):
        container = view.executor_of(component).get("container", {})
        inputs = {kind: set(view.inputs(component, kind)) for kind in ("parameters", "artifacts")}
        outputs = {kind: set(view.outputs(component, kind)) for kind in ("parameters", "artifacts")}
        for text in (*container.get("command", []), *container.get("args", [])):
            for match in _PLACEHOLDER.findall(str(text)):
                if match != _WHOLE and not _is_declared(match, inputs, outputs):
                    yield PackageProblem(
                        "placeholder", name, f"expected an input or output of the component, got {match}"
                    )


def size(view: View) -> Iterator[PackageProblem]:
    """Yields tasks whose inputs do not fit into one argument of a process, as which the launcher gets them."""
    for dag in view.dags():
        for name, task in sorted(dag.tasks.items()):
            component = view.component_of(task)
            artifacts = len(view.inputs(component, "artifacts")) + len(view.outputs(component, "artifacts"))
            constants = [
                spec.get("runtimeValue", {}).get("constant", "") for spec in view.inputs(task, "parameters").values()
            ]
            total = len(json.dumps(constants).encode()) + artifacts * _BYTES_PER_ARTIFACT
            if total > MAX_BYTES:
                yield PackageProblem(
                    "size", name, f"expected parameters below {MAX_BYTES:,} bytes, got about {total:,}"
                )


def importer(view: View) -> Iterator[PackageProblem]:
    """Yields importers that do not import one artifact, with a titled type, from a constant or an input of the DAG."""
    for dag in view.dags():
        for name, task in sorted(dag.tasks.items()):
            component = view.component_of(task)
            spec = view.executor_of(component).get("importer")
            if spec is None:
                continue
            outputs = view.outputs(component, "artifacts")
            if len(outputs) != 1:
                yield PackageProblem("importer", name, f"expected one output artifact, got {len(outputs)}")
            if not title(spec.get("typeSchema", {})):
                yield PackageProblem("importer", name, "expected a typeSchema with a title, got none")
            uri = spec.get("artifactUri", {})
            source = view.inputs(task, "parameters").get(str(uri.get("runtimeParameter", "")), {})
            if not uri.get("constant") and "componentInputParameter" not in source:
                yield PackageProblem(
                    "importer", name, f"expected a constant URI or an input of the DAG, got {uri or source}"
                )


def condition(view: View) -> Iterator[PackageProblem]:
    """Yields importers with a condition, which KFP does not implement."""
    for dag in view.dags():
        for name, task in sorted(dag.tasks.items()):
            is_importer = "importer" in view.executor_of(view.component_of(task))
            if is_importer and task.get("triggerPolicy", {}).get("condition"):
                yield PackageProblem("condition", name, "expected none on an importer, got one: not implemented in KFP")


def iterator(view: View) -> Iterator[PackageProblem]:
    """Yields loops over artifacts; KFP implements loops over parameters only."""
    for dag in view.dags():
        for name, task in sorted(dag.tasks.items()):
            if "artifactIterator" in task:
                yield PackageProblem(
                    "iterator", name, "expected a parameterIterator, got artifactIterator: not implemented"
                )


def _containers(view: View) -> Iterator[tuple[str, Document]]:
    for label, executor in sorted(view.executors.items()):
        if "container" in executor:
            yield label, executor["container"]


def _is_declared(text: str, inputs: dict[str, set[str]], outputs: dict[str, set[str]]) -> bool:
    for pattern, names in ((_INPUT, inputs), (_OUTPUT, outputs)):
        match = pattern.fullmatch(text)
        if match:
            parameter, artifact = match.groups()
            return parameter in names["parameters"] or artifact in names["artifacts"]
    return False
