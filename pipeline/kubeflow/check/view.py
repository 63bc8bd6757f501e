"""A view of a compiled pipeline for the rules, and the problems that they find."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from pipeline.kubeflow.package import Document

ROOT = "root"


@dataclasses.dataclass(frozen=True)
class PackageProblem:
    """One part of a package that the backend would not run."""

    rule: str
    """Name of the broken rule."""

    where: str
    """Task, component or executor."""

    message: str
    """Expected and actual value."""

    def __str__(self) -> str:
        return f"[{self.rule}] {self.where}: {self.message}"


@dataclasses.dataclass(frozen=True)
class Dag:
    """One DAG, with the inputs that its tasks can refer to."""

    name: str
    tasks: dict[str, Document]
    parameters: dict[str, Document]
    artifacts: dict[str, Document]


class View:
    """Accessors of a pipeline spec that may be malformed: missing parts are empty."""

    def __init__(self, pipeline: Document):
        self.pipeline = pipeline
        self.components: dict[str, Document] = _dict(pipeline, "components")
        self.executors: dict[str, Document] = _dict(pipeline, "deploymentSpec", "executors")
        self.root: Document = _dict(pipeline, ROOT)

    def dags(self) -> Iterator[Dag]:
        """Yields the root's DAG, then those of components."""
        for name, component in [(ROOT, self.root), *sorted(self.components.items())]:
            if "dag" in component or name == ROOT:
                yield Dag(
                    name,
                    _dict(component, "dag", "tasks"),
                    _dict(component, "inputDefinitions", "parameters"),
                    _dict(component, "inputDefinitions", "artifacts"),
                )

    def component_of(self, task: Document) -> Document:
        """Returns the component of a task; empty if there is none."""
        return _dict(self.components, str(_dict(task, "componentRef").get("name", "")))

    def executor_of(self, component: Document) -> Document:
        """Returns the executor of a component; empty for a DAG, or if there is none."""
        return _dict(self.executors, str(component.get("executorLabel", "")))

    def inputs(self, holder: Document, kind: str) -> dict[str, Document]:
        """Returns the inputs of a task, or those that a component declares; `kind` is parameters or artifacts."""
        return _dict(holder, "inputs", kind) or _dict(holder, "inputDefinitions", kind)

    def outputs(self, component: Document, kind: str) -> dict[str, Document]:
        """Returns the outputs that a component declares; `kind` is parameters or artifacts."""
        return _dict(component, "outputDefinitions", kind)


def _dict(document: Any, *path: str) -> dict[str, Any]:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}
