"""Adds the tasks' resources, retries, volumes and other cluster settings to a compiled pipeline."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from pipeline.kubeflow.package import Document, Package
from shortlist.config.config import Config
from shortlist.config.kubeflow import Kubeflow, Task, quantity
from shortlist.errors import ConfigError

# KFP's driver and launcher (2.5) take memory in gigabytes of 10^9 bytes, not in GiB.
_GIGA = 1e9


def section(config: Config) -> Kubeflow:
    """Returns the config's section `kubeflow`.

    Raises:
      ConfigError: The config has no such section.
    """
    if config.kubeflow is None:
        raise ConfigError.from_parts(
            "kubeflow", "a section with at least `image`", "none", "docs/kubeflow.md shows one"
        )
    return config.kubeflow


def with_task_settings(pipeline: Document, kubeflow: Kubeflow) -> Package:
    """Returns the package of a pipeline spec with the settings of section `kubeflow`.

    Args:
      pipeline: The spec as TFX compiled it; it is not modified.
      kubeflow: The config's section.

    Raises:
      ConfigError: `kubeflow.tasks` names an unknown task, or one without a container.
    """
    pipeline = copy.deepcopy(pipeline)
    containers = dict(_containers(pipeline))
    unknown = sorted(set(kubeflow.tasks) - set(containers))
    if unknown:
        raise ConfigError(
            f"kubeflow.tasks: {unknown[0]!r} is not a task of this pipeline, which has {', '.join(sorted(containers))}"
        )
    executors: dict[str, Document] = {}
    task_specs = pipeline["root"]["dag"]["tasks"]
    for name, (label, container) in containers.items():
        task = kubeflow.tasks.get(name, Task()).over(kubeflow.defaults)
        container.update(_container_fields(task))
        platform_fields = _platform_fields(task, kubeflow)
        if platform_fields:
            executors[label] = platform_fields
        retry = _retry(task)
        if retry:
            task_specs[name]["retryPolicy"] = retry
    if not kubeflow.cache:
        for task_spec in task_specs.values():
            task_spec["cachingOptions"] = {}
    if not executors:
        return Package(pipeline)
    return Package(pipeline, {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}})


def _containers(pipeline: Document) -> Iterator[tuple[str, tuple[str, Document]]]:
    """Yields each task that has a container: its name, its executor's label and the container."""
    for name, task in pipeline["root"]["dag"]["tasks"].items():
        label = pipeline["components"][task["componentRef"]["name"]]["executorLabel"]
        executor = pipeline["deploymentSpec"]["executors"][label]
        if "container" in executor:
            yield name, (label, executor["container"])


def _container_fields(task: Task) -> Document:
    resources: Document = {}
    if task.cpu is not None:
        cores = quantity(task.cpu)
        resources |= {"cpuRequest": cores, "cpuLimit": cores}
    if task.memory is not None:
        gigabytes = quantity(task.memory) / _GIGA
        resources |= {"memoryRequest": gigabytes, "memoryLimit": gigabytes}
    if task.accelerator is not None:
        # An int64 is a string in protobuf's JSON.
        resources["accelerator"] = {"type": task.accelerator.type, "count": str(task.accelerator.count)}
    fields: Document = {"resources": resources} if resources else {}
    if task.env:
        fields["env"] = [{"name": name, "value": value} for name, value in sorted(task.env.items())]
    return fields


def _retry(task: Task) -> Document | None:
    if not task.retries:
        return None
    return {
        "maxRetryCount": task.retries,
        "backoffDuration": f"{task.retry_wait_seconds or 0}s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "3600s",
    }


def _platform_fields(task: Task, kubeflow: Kubeflow) -> Document:
    fields: dict[str, Any] = {}
    if kubeflow.volumes:
        fields["pvcMount"] = [{"constant": volume.claim, "mountPath": volume.path} for volume in kubeflow.volumes]
    if kubeflow.image_pull_secret:
        fields["imagePullSecret"] = [{"secretName": kubeflow.image_pull_secret}]
    if task.node_selector:
        fields["nodeSelector"] = {"labels": dict(sorted(task.node_selector.items()))}
    if task.secret_env:
        fields["secretAsEnv"] = [
            {"secretName": key.secret, "keyToEnv": [{"secretKey": key.key, "envVar": name}]}
            for name, key in sorted(task.secret_env.items())
        ]
    if task.timeout_minutes is not None:
        fields["activeDeadlineSeconds"] = str(task.timeout_minutes * 60)
    return fields
