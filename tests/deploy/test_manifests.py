from __future__ import annotations

import pathlib
import subprocess

import pytest
import yaml

from cli.app import app
from server.main import TOKEN_VARIABLE
from shortlist.config.kubeflow import Volume
from shortlist.config.serve import Serve
from shortlist.config.train import Train
from shortlist.errors import ExitCode
from tests.deploy.test_dockerfile import DEPLOY, ROOT

_VERSIONS = ("1.29", "1.34")
"""Kubernetes releases that KFP 2.5 and the newest one were tested with."""

_SERVER = "shortlist-serve"
_TOOL = ROOT / ".tools" / "manifests"
_TFJOB = DEPLOY / "tfjob.yaml"
_PATHS = sorted(DEPLOY.glob("*.yaml"))
_DOCUMENTS = [
    (path.name, document) for path in _PATHS for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]


@pytest.fixture(scope="module", autouse=True)
def schemas() -> None:
    """Fetches Kubernetes' schemas, unless `make test` did."""
    if not (_TOOL / ".made").exists():
        subprocess.run(["make", "--silent", ".tools/manifests/.made"], cwd=ROOT, check=True)


def _validate(version, *paths):
    command = [str(_TOOL / "bin" / "kubernetes-validate"), "--strict", "-k", version, *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("version", _VERSIONS)
def test_kubernetes_knows_every_field(version, tmp_path):
    # A TFJob is the training operator's; the pods that it makes are Kubernetes' own.
    pods = tmp_path / "pods.yaml"
    pods.write_text(
        yaml.safe_dump_all({"apiVersion": "v1", "kind": "Pod", **template} for template in _templates()),
        encoding="utf-8",
    )
    done = _validate(version, pods, *(path for path in _PATHS if path != _TFJOB))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count(" passed for resource ") == len(_DOCUMENTS) - 1 + len(_templates())


def test_the_training_operator_knows_every_field(tmp_path):
    assert _ask_operator(_TFJOB) == ""
    job = _tfjob()
    job["spec"]["tfReplicaSpecs"]["Chief"]["restartPolice"] = "Never"
    job["spec"]["runPolicy"]["backoffLimit"] = "ten"
    del job["spec"]["tfReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]["name"]
    (tmp_path / "typo.yaml").write_text(yaml.safe_dump(job), encoding="utf-8")
    lines = _ask_operator(tmp_path / "typo.yaml").splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "TFJob.spec.runPolicy.backoffLimit",
        "TFJob.spec.tfReplicaSpecs.Chief.restartPolice",
        "TFJob.spec.tfReplicaSpecs.Worker.template.spec.containers.0",
    ]


def test_the_training_job_is_what_the_operator_and_the_config_expect():
    chief, worker = (_tfjob()["spec"]["tfReplicaSpecs"][name] for name in ("Chief", "Worker"))
    for replica in (chief, worker):
        [container] = replica["template"]["spec"]["containers"]
        # The operator puts TF_CONFIG into the container of this name, with the port of this name.
        assert container["name"] == "tensorflow"
        assert [port["name"] for port in container["ports"]] == ["tfjob-port"]
        assert any(mount["name"] == "workspace" for mount in container["volumeMounts"])
    # Killed and stopped pods are started again; bad input and a model that was not pushed are not.
    assert chief["restartPolicy"] == "ExitCode"
    assert ExitCode.NOTHING_PUSHED < 128 <= min(ExitCode.TERMINATED, ExitCode.INTERRUPTED)
    config = yaml.safe_load(_TFJOB.read_text(encoding="utf-8").partition("#   train: ")[2].partition("\n")[0])
    section = Train.model_validate(config)
    assert section.workers == chief["replicas"] + worker["replicas"]
    chief_arguments, worker_arguments = (
        replica["template"]["spec"]["containers"][0]["args"] for replica in (chief, worker)
    )
    commands = {command.name for command in app.registered_commands}
    assert {chief_arguments[0], worker_arguments[0]} <= commands


def test_an_unknown_field_would_be_found(tmp_path):
    [document] = [document for name, document in _DOCUMENTS if name == "kfp-launcher.yaml"]
    (tmp_path / "typo.yaml").write_text(yaml.safe_dump({**document, "dta": {}}), encoding="utf-8")
    done = _validate(_VERSIONS[0], tmp_path / "typo.yaml")
    assert done.returncode == 1
    assert "'dta' was unexpected" in done.stdout + done.stderr


def test_no_manifest_holds_a_secret():
    assert "Secret" not in {document["kind"] for _, document in _DOCUMENTS}
    for _, document in _DOCUMENTS:
        assert "kind" in document
        assert "data" not in document or document["kind"] == "ConfigMap"


def test_every_mounted_volume_is_claimed():
    claims = {document["metadata"]["name"] for _, document in _DOCUMENTS if "PersistentVolumeClaim" in document["kind"]}
    text = "\n".join(path.read_text(encoding="utf-8") for path in DEPLOY.glob("*.yaml"))
    used = {
        line.split("claimName:")[1].split("}")[0].split(",")[0].strip()
        for line in text.splitlines()
        if "claimName:" in line
    }
    assert used <= claims
    assert all(Volume(claim=claim, path="/x") for claim in claims)


def test_containers_request_resources_and_pin_their_images():
    for _, document in _DOCUMENTS:
        for container in _containers(document):
            assert set(container["resources"]) == {"requests", "limits"}
            assert pathlib.PurePosixPath(container["image"]).name.partition(":")[2] not in ("", "latest")


def test_the_server_is_replaced_without_a_lost_request():
    documents = {document["kind"]: document for _, document in _DOCUMENTS if document["metadata"]["name"] == _SERVER}
    deployment, budget = documents["Deployment"]["spec"], documents["PodDisruptionBudget"]["spec"]
    assert deployment["replicas"] - budget["minAvailable"] == 1
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    labels = deployment["template"]["metadata"]["labels"]
    selectors = [documents["Service"]["spec"]["selector"], budget["selector"]["matchLabels"]]
    assert [deployment["selector"]["matchLabels"], *selectors] == [labels] * 3
    pod = deployment["template"]["spec"]
    [container] = pod["containers"]
    settings = Serve.model_validate(yaml.safe_load(documents["ConfigMap"]["data"]["serve.yaml"]))
    # A request may still take its time after the drain.
    assert settings.drain_seconds + 30 < pod["terminationGracePeriodSeconds"]
    probe = container["readinessProbe"]
    assert probe["httpGet"]["path"] == "/readyz"
    assert probe["periodSeconds"] * probe.get("failureThreshold", 3) < settings.drain_seconds
    # Its options are those of the script, and other machines need the token.
    assert [argument.partition("=")[0] for argument in container["args"]] == ["--model", "--host", "--settings"]
    assert container["env"][0]["name"] == TOKEN_VARIABLE
    assert "secretKeyRef" in container["env"][0]["valueFrom"]


def _tfjob():
    return yaml.safe_load(_TFJOB.read_text(encoding="utf-8"))


def _templates():
    """Returns the TFJob's pods, with a name each."""
    replicas = _tfjob()["spec"]["tfReplicaSpecs"]
    return [
        {**replica["template"], "metadata": {"name": name.lower(), **replica["template"]["metadata"]}}
        for name, replica in replicas.items()
    ]


def _ask_operator(path):
    command = [str(_TOOL / "bin" / "python"), str(pathlib.Path(__file__).with_name("sdk_models.py")), str(path)]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def _containers(document):
    spec = document.get("spec", {})
    if "tfReplicaSpecs" in spec:
        return [container for template in _templates() for container in template["spec"]["containers"]]
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    return spec.get("template", {}).get("spec", {}).get("containers", [])
