"""Rules on tasks, their executors and the dependencies between them."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator

from pipeline.kubeflow.check.view import ROOT, Dag, PackageProblem, View
from pipeline.kubeflow.package import Document

_AFTER_ALL = "ALL_UPSTREAM_TASKS_COMPLETED"
_KINDS = {"container", "importer"}


def root_dag(view: View) -> Iterator[PackageProblem]:
    """Yields the root DAG if all its tasks are exit tasks: a workflow needs another task."""
    root = next(view.dags())
    if all(task.get("triggerPolicy", {}).get("strategy") == _AFTER_ALL for task in root.tasks.values()):
        yield PackageProblem("root-dag", ROOT, "expected a DAG with at least one task besides exit tasks, got none")


def component_ref(view: View) -> Iterator[PackageProblem]:
    """Yields tasks whose component is not in this spec."""
    for _, name, task in _tasks(view):
        if not view.component_of(task):
            ref = task.get("componentRef", {}).get("name")
            yield PackageProblem("component-ref", name, f"expected a component of this spec, got {ref!r}")


def executor(view: View) -> Iterator[PackageProblem]:
    """Yields components without an executor, or with one for Vertex only: a resolver or a custom job."""
    for name, component in sorted(view.components.items()):
        if "dag" in component:
            continue
        label = component.get("executorLabel")
        if not label:
            yield PackageProblem("executor", name, "expected an executorLabel or a dag, got neither")
        elif label not in view.executors:
            yield PackageProblem("executor", name, f"expected an executor of the deploymentSpec, got {label!r}")
        elif not _KINDS & set(view.executors[label]):
            kind = ", ".join(sorted(view.executors[label])) or "nothing"
            yield PackageProblem(
                "executor", name, f"expected a container or an importer, got {kind}: not implemented in KFP"
            )


def task_name(view: View) -> Iterator[PackageProblem]:
    """Yields tasks whose key differs from taskInfo.name: the driver stores by the name and looks up by the key."""
    for _, name, task in _tasks(view):
        info_name = task.get("taskInfo", {}).get("name")
        if info_name != name:
            yield PackageProblem("task-name", name, f"expected the same in taskInfo.name, got {info_name!r}")


def producer_task(view: View) -> Iterator[PackageProblem]:
    """Yields inputs from a task that is not in the same DAG."""
    for dag, name, task in _tasks(view):
        for key, producer, _, _ in _inputs_from_tasks(view, task):
            if producer not in dag.tasks:
                yield PackageProblem(
                    "producer-task", name, f"input {key!r} expected a task of this DAG, got {producer!r}"
                )


def producer_output(view: View) -> Iterator[PackageProblem]:
    """Yields inputs from an output that the producer does not have."""
    for dag, name, task in _tasks(view):
        for key, producer, kind, output in _inputs_from_tasks(view, task):
            outputs = view.outputs(view.component_of(dag.tasks.get(producer, {})), kind)
            if producer in dag.tasks and output not in outputs:
                known = ", ".join(sorted(outputs)) or "none"
                expected = f"expected one of {producer}'s {kind} ({known})"
                yield PackageProblem("producer-output", name, f"input {key!r} {expected}, got {output!r}")


def dependent_task(view: View) -> Iterator[PackageProblem]:
    """Yields tasks that depend on a task of another DAG."""
    for dag, name, task in _tasks(view):
        for other in task.get("dependentTasks", []):
            if other not in dag.tasks:
                yield PackageProblem("dependent-task", name, f"expected to wait for tasks of its DAG, got {other!r}")


def cycle(view: View) -> Iterator[PackageProblem]:
    """Yields DAGs with a cycle of dependencies."""
    for dag in view.dags():
        dependencies = {
            name: {*task.get("dependentTasks", []), *(producer for _, producer, _, _ in _inputs_from_tasks(view, task))}
            for name, task in dag.tasks.items()
        }
        try:
            graphlib.TopologicalSorter(dependencies).prepare()
        except graphlib.CycleError as error:
            yield PackageProblem("cycle", dag.name, f"expected no cycle, got {' -> '.join(map(str, error.args[1]))}")


def component_input(view: View) -> Iterator[PackageProblem]:
    """Yields inputs that a task takes from its DAG but that the DAG does not have."""
    for dag, name, task in _tasks(view):
        for kind, key, declared in (
            ("parameters", "componentInputParameter", dag.parameters),
            ("artifacts", "componentInputArtifact", dag.artifacts),
        ):
            for input_name, spec in view.inputs(task, kind).items():
                if key in spec and spec[key] not in declared:
                    expected = f"expected an input of {dag.name}"
                    yield PackageProblem("component-input", name, f"input {input_name!r} {expected}, got {spec[key]!r}")


def _tasks(view: View) -> Iterator[tuple[Dag, str, Document]]:
    for dag in view.dags():
        for name, task in sorted(dag.tasks.items()):
            yield dag, name, task


def _inputs_from_tasks(view: View, task: Document) -> Iterator[tuple[str, str, str, str]]:
    """Yields a task's inputs from other tasks: (input, producer, "parameters" or "artifacts", output)."""
    for kind, key, output in (
        ("parameters", "taskOutputParameter", "outputParameterKey"),
        ("artifacts", "taskOutputArtifact", "outputArtifactKey"),
    ):
        for name, spec in view.inputs(task, kind).items():
            if key in spec:
                yield name, str(spec[key].get("producerTask", "")), kind, str(spec[key].get(output, ""))
