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
# Linux takes no argument of a process that is longer, and the launcher gets the executor's input as one.
MOST_BYTES = 131_072
# What artifacts add to a task's input: each has an address, a type and what it says of itself.
_BYTES_AN_ARTIFACT = 4096


def image(view: View) -> Iterator[PackageProblem]:
    """A pod needs an image."""
    for label, container in _containers(view):
        if not container.get("image"):
            yield PackageProblem("image", label, "expected an image, got none")


def command(view: View) -> Iterator[PackageProblem]:
    """The launcher takes the place of the image's own command, so it must be told one."""
    for label, container in _containers(view):
        if not container.get("command") and not container.get("args"):
            yield PackageProblem("command", label, "expected a command or args, got neither: an image's own is not run")


def lifecycle(view: View) -> Iterator[PackageProblem]:
    """Open-source KFP never runs preCacheCheck: TFX's own ExampleGens would find no span, version or fingerprint."""
    for label, container in _containers(view):
        if container.get("lifecycle"):
            yield PackageProblem(
                "lifecycle", label, "expected none, got one, which KFP never runs; use another ExampleGen"
            )


def resources(view: View) -> Iterator[PackageProblem]:
    """Kubernetes takes no pod that asks for more than its limit."""
    for label, container in _containers(view):
        asked = container.get("resources", {})
        for what in ("cpu", "memory"):
            request, limit = asked.get(f"{what}Request", 0.0), asked.get(f"{what}Limit", 0.0)
            if request < 0 or limit < 0 or (limit and request > limit):
                yield PackageProblem(
                    "resources", label, f"expected 0 <= {what}Request <= {what}Limit, got {request}, {limit}"
                )


def placeholder(view: View) -> Iterator[PackageProblem]:
    """The launcher fills in inputs and outputs of the component; what it does not know it leaves as it is."""
    for name, component in sorted(view.components.items()):
        container = view.executor_of(component).get("container", {})
        known = {kind: set(view.inputs(component, kind)) for kind in ("parameters", "artifacts")}
        made = {kind: set(view.outputs(component, kind)) for kind in ("parameters", "artifacts")}
        for text in (*container.get("command", []), *container.get("args", [])):
            for found in _PLACEHOLDER.findall(str(text)):
                if found != _WHOLE and not _is_known(found, known, made):
                    yield PackageProblem(
                        "placeholder", name, f"expected an input or output of the component, got {found}"
                    )


def size(view: View) -> Iterator[PackageProblem]:
    """All inputs of a task travel in one argument of a process."""
    for dag in view.dags():
        for name, task in sorted(dag.tasks.items()):
            component = view.component_of(task)
            artifacts = len(view.inputs(component, "artifacts")) + len(view.outputs(component, "artifacts"))
            constants = [
                spec.get("runtimeValue", {}).get("constant", "") for spec in view.inputs(task, "parameters").values()
            ]
            total = len(json.dumps(constants).encode()) + artifacts * _BYTES_AN_ARTIFACT
            if total > MOST_BYTES:
                yield PackageProblem(
                    "size", name, f"expected parameters below {MOST_BYTES:,} bytes, got about {total:,}"
                )


def importer(view: View) -> Iterator[PackageProblem]:
    """An importer brings one artifact of a type with a title, from a constant or from an input of its DAG."""
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
            given = view.inputs(task, "parameters").get(str(uri.get("runtimeParameter", "")), {})
            if not uri.get("constant") and "componentInputParameter" not in given:
                yield PackageProblem(
                    "importer", name, f"expected a constant URI or an input of the DAG, got {uri or given}"
                )


def condition(view: View) -> Iterator[PackageProblem]:
    """Importers cannot be skipped."""
    for dag in view.dags():
        for name, task in sorted(dag.tasks.items()):
            is_importer = "importer" in view.executor_of(view.component_of(task))
            if is_importer and task.get("triggerPolicy", {}).get("condition"):
                yield PackageProblem("condition", name, "expected none on an importer, got one: not implemented in KFP")


def iterator(view: View) -> Iterator[PackageProblem]:
    """Loops go over parameters only."""
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


def _is_known(found: str, inputs: dict[str, set[str]], outputs: dict[str, set[str]]) -> bool:
    for pattern, names in ((_INPUT, inputs), (_OUTPUT, outputs)):
        match = pattern.fullmatch(found)
        if match:
            parameter, artifact = match.groups()
            return parameter in names["parameters"] if parameter else artifact in names["artifacts"]
    return False
