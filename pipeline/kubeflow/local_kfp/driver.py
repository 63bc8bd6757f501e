"""KFP's driver: resolves a task's inputs, the URIs of its outputs and its key in the cache."""

from __future__ import annotations

import dataclasses
import graphlib
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pipeline.kubeflow.package import Document, Package
from shortlist.errors import BadInputError

Json = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class ImportedArtifact:
    """An artifact that an importer task imports."""

    uri: str
    output: str
    type: Document
    metadata: Json
    reimport: bool


def order(package: Package) -> graphlib.TopologicalSorter[str]:
    """Returns a prepared sorter of the tasks. Its order is the same for the same package.

    Raises:
      BadInputError: A task is a nested DAG, which local KFP runs do not support.
    """
    for name, task in package.tasks.items():
        if "dag" in component(package, task):
            raise BadInputError.from_parts(name, "a container or an importer", "a pipeline within the pipeline")
    waits = {name: sorted(_upstream(task)) for name, task in sorted(package.tasks.items())}
    sorter = graphlib.TopologicalSorter(waits)
    sorter.prepare()
    return sorter


def component(package: Package, task: Document) -> Document:
    """Returns the component of a task."""
    return dict(package.pipeline["components"][task["componentRef"]["name"]])


def executor(package: Package, task: Document) -> Document:
    """Returns the executor of a task."""
    return dict(package.pipeline["deploymentSpec"]["executors"][component(package, task)["executorLabel"]])


def resolve_parameters(package: Package, task: Document, run_parameters: Mapping[str, Any]) -> Json:
    """Returns the values of a task's parameters. A parameter of type STRING takes other values as JSON.

    Raises:
      BadInputError: A run parameter has no value.
    """
    declared = component(package, task).get("inputDefinitions", {}).get("parameters", {})
    values: Json = {}
    for key, spec in task.get("inputs", {}).get("parameters", {}).items():
        if "componentInputParameter" in spec:
            name = spec["componentInputParameter"]
            if run_parameters.get(name) is None:
                raise BadInputError.from_parts("", f"a value for the parameter {name}", "none")
            values[key] = run_parameters[name]
        else:
            values[key] = spec["runtimeValue"]["constant"]
        if declared.get(key, {}).get("parameterType") == "STRING" and not isinstance(values[key], str):
            values[key] = _as_text(values[key])
    return values


def resolve_artifacts(task: Document, made: Mapping[str, Mapping[str, Json]]) -> Json:
    """Returns the input artifacts of a task as KFP's driver writes them: named by their id, without a type.

    Args:
      task: The task.
      made: The artifacts of finished tasks, by task and output.
    """
    artifacts: Json = {}
    for key, spec in task.get("inputs", {}).get("artifacts", {}).items():
        source = spec["taskOutputArtifact"]
        artifact = made[source["producerTask"]][source["outputArtifactKey"]]
        artifacts[key] = {"artifacts": [{**artifact, "type": {"instanceSchema": ""}}]}
    return artifacts


def provision_outputs(package: Package, task: Document, root: str, output_file: str) -> Json:
    """Returns the output artifacts of a task with their URIs, before its container runs.

    Args:
      package: The compiled pipeline.
      task: The task.
      root: URI of the task's folder in this run.
      output_file: Path of the JSON file for the container's metadata of its outputs.
    """
    declared = component(package, task).get("outputDefinitions", {}).get("artifacts", {})
    artifacts: Json = {}
    for key, spec in declared.items():
        artifact = {"uri": f"{root}/{key}", "type": spec["artifactType"]}
        if "metadata" in spec:
            artifact["metadata"] = spec["metadata"]
        artifacts[key] = {"artifacts": [artifact]}
    return {"artifacts": artifacts, "outputFile": output_file}


def resolve_importer(package: Package, task: Document, parameters: Mapping[str, Any]) -> ImportedArtifact:
    """Returns the artifact that an importer task imports."""
    spec = executor(package, task)["importer"]
    source = spec["artifactUri"]
    [output] = component(package, task)["outputDefinitions"]["artifacts"]
    uri = source.get("constant")
    if uri is None:
        uri = str(parameters[source["runtimeParameter"]])
    return ImportedArtifact(
        uri=uri,
        output=output,
        type=spec["typeSchema"],
        metadata=spec.get("metadata", {}),
        reimport=bool(spec.get("reimport", False)),
    )


def fingerprint(package: Package, task: Document, inputs: Json) -> str:
    """Returns a task's key in the cache: a hash of image, command, parameters, input artifacts and declared outputs."""
    container = executor(package, task)["container"]
    key_fields = {
        "container": {key: container.get(key) for key in ("image", "command", "args")},
        "parameters": inputs["parameterValues"],
        "artifacts": {
            key: [artifact["name"] for artifact in artifacts["artifacts"]]
            for key, artifacts in inputs["artifacts"].items()
        },
        "outputs": component(package, task).get("outputDefinitions", {}),
    }
    return hashlib.sha256(json.dumps(key_fields, sort_keys=True).encode("utf-8")).hexdigest()


def _upstream(task: Document) -> set[str]:
    inputs = task.get("inputs", {}).get("artifacts", {}).values()
    producers = {spec["taskOutputArtifact"]["producerTask"] for spec in inputs if "taskOutputArtifact" in spec}
    return producers | set(task.get("dependentTasks", []))


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | dict):
        return json.dumps(value)
    return str(value)
