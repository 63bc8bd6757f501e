"""Rules on inputs, outputs and their types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from pipeline.kubeflow.check.view import ROOT, PackageProblem, View
from pipeline.kubeflow.package import Document

_PARAMETER_KINDS = {"componentInputParameter", "taskOutputParameter"}
_ARTIFACT_KINDS = {"componentInputArtifact", "taskOutputArtifact"}
_UNTYPED = "PARAMETER_TYPE_ENUM_UNSPECIFIED"


def input_kind(view: View) -> Iterator[PackageProblem]:
    """Yields inputs that are neither constants, inputs of the DAG nor outputs of tasks: KFP implements no others."""
    for dag in view.dags():
        for name, task in sorted(dag.tasks.items()):
            for key, spec in view.inputs(task, "parameters").items():
                runtime = spec.get("runtimeValue")
                if runtime is not None and set(runtime) != {"constant"}:
                    got = ", ".join(sorted(runtime)) or "nothing"
                    yield PackageProblem(
                        "input-kind", name, f"parameter {key!r} expected runtimeValue.constant, got {got}"
                    )
                elif runtime is None and not _PARAMETER_KINDS & set(spec):
                    yield PackageProblem(
                        "input-kind", name, f"parameter {key!r}: {_kinds(spec)} is not implemented in KFP"
                    )
            for key, spec in view.inputs(task, "artifacts").items():
                if not _ARTIFACT_KINDS & set(spec):
                    yield PackageProblem(
                        "input-kind", name, f"artifact {key!r}: {_kinds(spec)} is not implemented in KFP"
                    )


def parameter_type(view: View) -> Iterator[PackageProblem]:
    """Yields parameters without a type of schema 2.1, for example those of schema 2.0 (`type: STRING`)."""
    for name, component in [(ROOT, view.root), *sorted(view.components.items())]:
        for where in ("inputDefinitions", "outputDefinitions"):
            for key, spec in component.get(where, {}).get("parameters", {}).items():
                if spec.get("parameterType", _UNTYPED) == _UNTYPED:
                    yield PackageProblem(
                        "parameter-type", name, f"parameter {key!r} expected a parameterType, got {spec}"
                    )


def value_type(view: View) -> Iterator[PackageProblem]:
    """Yields constants of another type than the component declares. A STRING takes any value, as JSON."""
    for dag in view.dags():
        for name, task in sorted(dag.tasks.items()):
            declared = view.inputs(view.component_of(task), "parameters")
            for key, spec in view.inputs(task, "parameters").items():
                if "constant" not in spec.get("runtimeValue", {}):
                    continue
                expected = declared.get(key, {}).get("parameterType")
                value = spec["runtimeValue"]["constant"]
                if value is None or not _fits(value, expected):
                    yield PackageProblem(
                        "value-type", name, f"parameter {key!r} expected {expected}, got {value!r:.80}"
                    )


def missing_input(view: View) -> Iterator[PackageProblem]:
    """Yields missing inputs that have no default and are not optional."""
    for dag in view.dags():
        for name, task in sorted(dag.tasks.items()):
            component = view.component_of(task)
            # The loop itself sets its item in each iteration.
            item = task.get("parameterIterator", {}).get("itemInput")
            for kind in ("parameters", "artifacts"):
                given = view.inputs(task, kind)
                for key, spec in view.inputs(component, kind).items():
                    optional = spec.get("isOptional") or "defaultValue" in spec or key == item
                    if key not in given and not optional:
                        yield PackageProblem("missing-input", name, f"expected {kind[:-1]} {key!r}, got none")


def artifact_type(view: View) -> Iterator[PackageProblem]:
    """Yields artifacts whose type has no title: the launcher needs it as the type's name and crashes without."""
    for name, component in [(ROOT, view.root), *sorted(view.components.items())]:
        for where in ("inputDefinitions", "outputDefinitions"):
            for key, spec in component.get(where, {}).get("artifacts", {}).items():
                if not title(spec.get("artifactType", {})):
                    got = f"{spec.get('artifactType')!r:.80}"
                    yield PackageProblem(
                        "artifact-type", name, f"artifact {key!r} expected a type with a title, got {got}"
                    )


def title(artifact_type_schema: Document) -> str | None:
    """Returns the name of an artifact type as the launcher reads it, None if there is none."""
    if "schemaTitle" in artifact_type_schema:
        return str(artifact_type_schema["schemaTitle"]) or None
    try:
        schema = yaml.safe_load(str(artifact_type_schema.get("instanceSchema", "")))
    except yaml.YAMLError:
        return None
    name = schema.get("title") if isinstance(schema, dict) else None
    if not isinstance(name, str):
        return None
    return name or None


def _fits(value: Any, expected: str | None) -> bool:
    if expected in ("NUMBER_INTEGER", "NUMBER_DOUBLE"):
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        return fits and (expected == "NUMBER_DOUBLE" or float(value).is_integer())
    kinds: dict[str | None, type] = {"BOOLEAN": bool, "LIST": list, "STRUCT": dict}
    return isinstance(value, kinds.get(expected, object))


def _kinds(spec: Document) -> str:
    return ", ".join(sorted(spec)) or "nothing"
