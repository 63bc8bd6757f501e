"""A compiled pipeline as the rules look at it, and what they say of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from pipeline.kubeflow.package import Document

ROOT = "root"


@dataclasses.dataclass(frozen=True)
class PackageProblem:
    """One thing that the backend would not run."""

    rule: str
    """Name of the rule that was broken."""

    where: str
    """Task, component or executor."""

    message: str
    """What was expected and what was found."""

    def __str__(self) -> str:
        return f"[{self.rule}] {self.where}: {self.message}"


@dataclasses.dataclass(frozen=True)
class Dag:
    """One DAG and the inputs that its tasks may name."""

    name: str
    tasks: dict[str, Document]
    parameters: dict[str, Document]
    artifacts: dict[str, Document]


class View:
    """Finds its way through a pipeline spec, and takes nothing for granted: what is missing is empty."""

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
        """Returns the component that a task is an instance of; empty where there is none."""
        return _dict(self.components, str(_dict(task, "componentRef").get("name", "")))

    def executor_of(self, component: Document) -> Document:
        """Returns what runs a component; empty for a DAG, or where there is none."""
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
