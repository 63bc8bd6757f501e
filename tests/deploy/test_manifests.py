from __future__ import annotations

import pathlib

import kubernetes_validate
import pytest
import yaml

from shortlist.config.kubeflow import Volume
from tests.deploy.test_dockerfile import DEPLOY

_VERSIONS = ("1.29", "1.34")
"""Kubernetes releases that KFP 2.5 and the newest one were tested with."""

_DOCUMENTS = [
    (path.name, index, document)
    for path in sorted(DEPLOY.glob("*.yaml"))
    for index, document in enumerate(yaml.safe_load_all(path.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize("version", _VERSIONS)
@pytest.mark.parametrize(("name", "index", "document"), _DOCUMENTS, ids=[f"{n}-{i}" for n, i, _ in _DOCUMENTS])
def test_kubernetes_knows_every_field(name, index, document, version):
    kubernetes_validate.validate(document, version, strict=True)


def test_an_unknown_field_would_be_found():
    [document] = [document for name, _, document in _DOCUMENTS if name == "kfp-launcher.yaml"]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**document, "dta": {}}, _VERSIONS[0], strict=True)


def test_no_manifest_holds_a_secret():
    assert "Secret" not in {document["kind"] for _, _, document in _DOCUMENTS}
    for _, _, document in _DOCUMENTS:
        assert "kind" in document
        assert "data" not in document or document["kind"] == "ConfigMap"


def test_what_is_mounted_is_claimed():
    claims = {
        document["metadata"]["name"] for _, _, document in _DOCUMENTS if "PersistentVolumeClaim" in document["kind"]
    }
    text = "\n".join(path.read_text(encoding="utf-8") for path in DEPLOY.glob("*.yaml"))
    used = {
        line.split("claimName:")[1].split("}")[0].split(",")[0].strip()
        for line in text.splitlines()
        if "claimName:" in line
    }
    assert used <= claims
    assert all(Volume(claim=claim, path="/x") for claim in claims)


def test_containers_say_what_they_need_and_pin_their_images():
    for _, _, document in _DOCUMENTS:
        for container in _containers(document):
            assert set(container["resources"]) == {"requests", "limits"}
            assert pathlib.PurePosixPath(container["image"]).name.partition(":")[2] not in ("", "latest")


def _containers(document):
    spec = document.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    return spec.get("template", {}).get("spec", {}).get("containers", [])
