from __future__ import annotations

import pytest

from pipeline.kubeflow.check import find_problems
from pipeline.kubeflow.package import Document, Package
from pipeline.kubeflow.platform import with_task_settings
from shortlist.config.kubeflow import Kubeflow
from shortlist.errors import ConfigError


def _pipeline() -> Document:
    """Two tasks, a container and an importer."""
    title = {"artifactType": {"schemaTitle": "tfx.Model"}}
    importer = {"artifactUri": {"runtimeParameter": "artifact_uri"}, "typeSchema": {"schemaTitle": "tfx.Model"}}
    return {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "two-tasks"},
        "root": {
            "inputDefinitions": {"parameters": {"uri": {"parameterType": "STRING"}}},
            "dag": {
                "tasks": {
                    "Trainer": {
                        "taskInfo": {"name": "Trainer"},
                        "componentRef": {"name": "Trainer"},
                        "cachingOptions": {"enableCache": True},
                    },
                    "Before": {
                        "taskInfo": {"name": "Before"},
                        "componentRef": {"name": "Before"},
                        "inputs": {"parameters": {"artifact_uri": {"componentInputParameter": "uri"}}},
                    },
                }
            },
        },
        "components": {
            "Trainer": {"executorLabel": "Trainer_executor"},
            "Before": {
                "executorLabel": "Before_executor",
                "inputDefinitions": {"parameters": {"artifact_uri": {"parameterType": "STRING"}}},
                "outputDefinitions": {"artifacts": {"result": title}},
            },
        },
        "deploymentSpec": {
            "executors": {
                "Trainer_executor": {"container": {"image": "x", "command": ["train"]}},
                "Before_executor": {"importer": importer},
            }
        },
    }


def _package(**section: object) -> Package:
    package = with_task_settings(_pipeline(), Kubeflow.model_validate({"image": "x", **section}))
    assert find_problems(package) == []
    return package


def _trainer(package: Package) -> Document:
    return package.pipeline["deploymentSpec"]["executors"]["Trainer_executor"]["container"]


def test_without_settings_there_is_no_platform_spec():
    package = _package()
    assert package.documents == [_pipeline()]


def test_resources_are_numbers_as_the_driver_reads_them():
    task = {"cpu": "500m", "memory": "8Gi", "accelerator": {"count": 2}, "env": {"MODE": "fast"}}
    container = _trainer(_package(tasks={"Trainer": task}))
    # The driver writes memory as `%vG`: 8 Gi are 8.589934592 G.
    assert container["resources"] == {
        "cpuRequest": 0.5,
        "cpuLimit": 0.5,
        "memoryRequest": 8.589934592,
        "memoryLimit": 8.589934592,
        "accelerator": {"type": "nvidia.com/gpu", "count": "2"},
    }
    assert container["env"] == [{"name": "MODE", "value": "fast"}]


def test_retries_are_the_tasks_and_wait_longer_each_time():
    tasks = _package(defaults={"retries": 2, "retry_wait_seconds": 30}).tasks
    assert tasks["Trainer"]["retryPolicy"] == {
        "maxRetryCount": 2,
        "backoffDuration": "30s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "3600s",
    }
    assert "retryPolicy" not in tasks["Before"]


def test_kubernetes_settings_are_in_the_second_document():
    package = _package(
        volumes=[{"claim": "models", "path": "/models"}],
        image_pull_secret="registry",
        defaults={"node_selector": {"disk": "ssd"}, "timeout_minutes": 90},
        tasks={"Trainer": {"secret_env": {"TOKEN": {"secret": "wandb", "key": "token"}}}},
    )
    assert package.platform is not None
    assert package.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"] == {
        "Trainer_executor": {
            "pvcMount": [{"constant": "models", "mountPath": "/models"}],
            "imagePullSecret": [{"secretName": "registry"}],
            "nodeSelector": {"labels": {"disk": "ssd"}},
            "secretAsEnv": [{"secretName": "wandb", "keyToEnv": [{"secretKey": "token", "envVar": "TOKEN"}]}],
            "activeDeadlineSeconds": "5400",
        }
    }
    assert Package.from_yaml(package.to_yaml(), "x").documents == package.documents


def test_the_cache_can_be_switched_off():
    assert _package(cache=False).tasks["Trainer"]["cachingOptions"] == {}


@pytest.mark.parametrize("name", ["Trainr", "Before"])
def test_a_task_without_a_container_cannot_ask_for_anything(name):
    with pytest.raises(
        ConfigError, match=f"kubeflow.tasks: '{name}' is not a task of this pipeline, which has Trainer"
    ):
        _package(tasks={name: {"cpu": 2}})
