from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.kubeflow.check import find_problems, refuse_problems
from pipeline.kubeflow.package import Document, Package
from shortlist.errors import ConfigError


def _tasks(pipeline: Document) -> Document:
    return pipeline["components"]["comp-exit-handler-1"]["dag"]["tasks"]


def _container(pipeline: Document) -> Document:
    return pipeline["deploymentSpec"]["executors"]["exec-make"]["container"]


def _made(pipeline: Document) -> Document:
    return pipeline["components"]["comp-make"]


def _text(pipeline: Document, spec: Any) -> None:
    _tasks(pipeline)["make"]["inputs"]["parameters"]["text"] = spec


def _importer(pipeline: Document) -> Document:
    return pipeline["deploymentSpec"]["executors"]["exec-importer"]["importer"]


_BREAKS: list[tuple[str, Callable[[Document], Any]]] = [
    ("schema-version", lambda p: p.update(schemaVersion="2.0.0")),
    ("pipeline-name", lambda p: p["pipelineInfo"].update(name="Has_Capitals")),
    ("unknown-field", lambda p: p["root"].update(oddity=1)),
    ("unknown-field", lambda p: _container(p).update(entrypoint=["x"])),
    ("unknown-field", lambda p: p["components"].update(root=_made(p))),
    ("root-dag", lambda p: p["root"]["dag"].update(tasks={})),
    ("component-ref", lambda p: _tasks(p)["make"].update(componentRef={"name": "comp-gone"})),
    ("executor", lambda p: _made(p).update(executorLabel="exec-gone")),
    ("executor", lambda p: _made(p).pop("executorLabel")),
    ("executor", lambda p: p["deploymentSpec"]["executors"].update({"exec-make": {"resolver": {}}})),
    ("task-name", lambda p: _tasks(p)["make"].update(taskInfo={"name": "shown otherwise"})),
    # As TFX writes a dynamic exec property.
    (
        "producer-task",
        lambda p: _text(p, {"taskOutputParameter": {"producerTask": "make_task", "outputParameterKey": "note"}}),
    ),
    (
        "producer-output",
        lambda p: _text(p, {"taskOutputParameter": {"producerTask": "importer", "outputParameterKey": "note"}}),
    ),
    ("dependent-task", lambda p: _tasks(p)["make"].update(dependentTasks=["gone"])),
    ("cycle", lambda p: _tasks(p)["make"].update(dependentTasks=["inner"])),
    ("component-input", lambda p: _text(p, {"componentInputParameter": "gone"})),
    ("input-kind", lambda p: _text(p, {"runtimeValue": {"constantValue": {"stringValue": "x"}}})),
    ("input-kind", lambda p: _text(p, {"runtimeValue": {"runtimeParameter": "word"}})),
    ("input-kind", lambda p: _text(p, {"taskFinalStatus": {"producerTask": "importer"}})),
    ("parameter-type", lambda p: _made(p)["inputDefinitions"]["parameters"].update(text={"type": "STRING"})),
    (
        "value-type",
        lambda p: _tasks(p)["make"]["inputs"]["parameters"].update(times={"runtimeValue": {"constant": "3"}}),
    ),
    (
        "value-type",
        lambda p: _tasks(p)["make"]["inputs"]["parameters"].update(times={"runtimeValue": {"constant": 0.5}}),
    ),
    ("missing-input", lambda p: _tasks(p)["make"]["inputs"]["parameters"].pop("text")),
    ("missing-input", lambda p: _tasks(p)["inner"]["inputs"].pop("artifacts")),
    (
        "artifact-type",
        lambda p: _made(p)["outputDefinitions"]["artifacts"]["out"].update(
            artifactType={"instanceSchema": "type: object"}
        ),
    ),
    ("image", lambda p: _container(p).update(image="")),
    ("command", lambda p: [_container(p).pop("command"), _container(p).pop("args")]),
    ("lifecycle", lambda p: _container(p).update(lifecycle={"preCacheCheck": {"command": ["x"]}})),
    ("resources", lambda p: _container(p)["resources"].update(memoryRequest=8.0)),
    ("placeholder", lambda p: _container(p)["args"].append("{{$.inputs.parameters['gone']}}")),
    ("size", lambda p: _text(p, {"runtimeValue": {"constant": "x" * 140_000}})),
    ("importer", lambda p: _importer(p).update(artifactUri={})),
    ("importer", lambda p: _importer(p).update(typeSchema={"schemaUri": "https://example.com/schema"})),
    ("condition", lambda p: _tasks(p)["importer"].update(triggerPolicy={"condition": "true"})),
    ("iterator", lambda p: _tasks(p)["make"].update(artifactIterator={"itemInput": "x"})),
    ("secret", lambda p: _text(p, {"runtimeValue": {"constant": "s3://user:pass@bucket/x"}})),
    ("local-path", lambda p: _text(p, {"runtimeValue": {"constant": "/home/me/data.csv"}})),
    ("local-path", lambda p: _text(p, {"runtimeValue": {"constant": '{"path": "/home/me/data.csv"}'}})),
    ("local-path", lambda p: _text(p, {"runtimeValue": {"constant": "file:///home/me/data.csv"}})),
]


def test_a_package_of_kfps_own_compiler_passes(made_by_kfp):
    assert find_problems(made_by_kfp) == []


@pytest.mark.parametrize(("rule", "break_it"), _BREAKS, ids=[f"{rule}-{n}" for n, (rule, _) in enumerate(_BREAKS)])
def test_a_broken_spec_is_refused_by_the_name_of_the_rule(rule, break_it, made_by_kfp):
    break_it(made_by_kfp.pipeline)
    assert rule in {problem.rule for problem in find_problems(made_by_kfp)}


@pytest.mark.parametrize(
    "wrong",
    [
        {"platforms": {"nomad": {}}},
        {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-gone": {}}}}}},
        {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-make": {"nodeSelectors": {}}}}}}},
        {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-make": {"pvcMount": [{}]}}}}}},
        {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-make": {"nodeSelector": []}}}}}},
        {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-make": {"imagePullPolicy": "Now"}}}}}},
    ],
)
def test_a_broken_platform_spec_is_refused(wrong, made_by_kfp):
    assert [problem.rule for problem in find_problems(Package(made_by_kfp.pipeline, wrong))] == ["platform"]


def test_a_path_on_a_mounted_volume_is_no_local_path(made_by_kfp):
    _text(made_by_kfp.pipeline, {"runtimeValue": {"constant": "/data/log.csv"}})
    assert [problem.rule for problem in find_problems(made_by_kfp)] == ["local-path"]
    assert find_problems(made_by_kfp, mounts=["/data"]) == []
    assert find_problems(made_by_kfp, mounts=["/dat"]) != []


def test_a_folder_of_this_machine_is_found_wherever_it_stands(made_by_kfp):
    _container(made_by_kfp.pipeline)["args"].append("--flag=/srv/work/x")
    assert find_problems(made_by_kfp) == []
    assert [problem.rule for problem in find_problems(made_by_kfp, private_paths=["/srv/work"])] == ["local-path"]


def test_the_refusal_names_the_file_the_rules_and_the_first_tasks(made_by_kfp):
    broken = copy.deepcopy(made_by_kfp)
    broken.pipeline["schemaVersion"] = "2.0.0"
    _tasks(broken.pipeline)["make"]["taskInfo"] = {"name": "other"}
    with pytest.raises(ConfigError) as error:
        refuse_problems(broken, "made.yaml")
    assert str(error.value).startswith("made.yaml: Kubeflow Pipelines would refuse it: [schema-version] pipeline:")
    assert "[task-name] make: expected the same in taskInfo.name, got 'other'" in str(error.value)
    refuse_problems(made_by_kfp, "made.yaml")
