"""Digests of the images in deploy/, against a local registry that speaks the API of real ones."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys

import pytest
import yaml

from requirements import images
from requirements.images import Image, RegistryError
from tests.deploy import registry
from tests.deploy.test_dockerfile import DEPLOY, ROOT
from tests.servers import free_port


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")


@pytest.fixture
def server():
    with registry.serving("team/model", "base") as found:
        yield found


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("python:3.10-slim-bookworm", "https://registry-1.docker.io/v2/library/python"),
        ("tensorflow/serving:2.16.1", "https://registry-1.docker.io/v2/tensorflow/serving"),
        ("docker.io/mysql:8", "https://registry-1.docker.io/v2/library/mysql"),
        ("gcr.io/a/b/c:1.14.0", "https://gcr.io/v2/a/b/c"),
        ("registry.example.org:5000/a:1", "https://registry.example.org:5000/v2/a"),
        ("localhost:5000/a:1", "http://localhost:5000/v2/a"),
        (f"gcr.io/a_b/c-d:v1@sha256:{'0' * 64}", "https://gcr.io/v2/a_b/c-d"),
    ],
)
def test_images_are_found_where_docker_finds_them(text, url):
    image = Image.parse(text)
    assert str(image) == text
    assert image.base_url == url


@pytest.mark.parametrize(
    "text", ["python", "python@sha256:0", "a b:1", "UPPER:1", "a:1@sha256:xyz", "a:", "../a:1", ""]
)
def test_an_image_without_a_tag_is_none(text):
    assert Image.parse(text) is None


def test_the_digest_is_that_of_all_platforms_and_asked_with_an_anonymous_token(server):
    found = images.digest(Image(server.host, "team/model", "1.0"))
    assert found == registry.digest_of(registry.INDEX)
    manifest = "/v2/team/model/manifests/1.0"
    assert server.requests == [
        f"HEAD {manifest}",
        "GET /token?service=here&scope=repository%3Ateam%2Fmodel%3Apull",
        f"HEAD {manifest}",
    ]


def test_a_registry_without_tokens_and_without_the_header(server):
    server.needs_token = server.sends_digest = False
    assert images.digest(Image(server.host, "base", "1.0")) == registry.digest_of(registry.INDEX)
    assert [request.split()[0] for request in server.requests] == ["HEAD", "GET"]


@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [
        ("names", [], "answered 404"),
        ("digest", "sha256:0\\n  command: [evil]", "expected a SHA-256 digest, got 'sha256:0"),
        ("digest", "md5:0", "expected a SHA-256 digest, got 'md5:0'"),
        ("challenge", 'Basic realm="x"', "it wants a login that this command does not have"),
        # A token service in the clear could be anybody's.
        ("realm", "http://token.example.org/token", "it wants a login that this command does not have"),
        ("realm", "file:///etc/passwd", "it wants a login that this command does not have"),
    ],
)
def test_what_is_no_digest_is_refused(server, attribute, value, reason):
    setattr(server, attribute, value)
    with pytest.raises(RegistryError) as refused:
        images.digest(Image(server.host, "base", "1.0"))
    assert reason in str(refused.value)


def test_a_registry_that_is_not_there():
    with pytest.raises(RegistryError, match=r"not reached \(.*Connection refused"):
        images.digest(Image(f"localhost:{free_port()}", "base", "1.0"))


def copied(folder: pathlib.Path, server: registry.Registry) -> pathlib.Path:
    """Returns a copy of deploy/ whose images are in the local registry, except for TensorFlow Serving."""
    shutil.copytree(DEPLOY, folder / "deploy")
    names = {
        "python:3.10-slim-bookworm": f"{server.host}/base:1.0",
        "mysql:8.0.39": f"{server.host}/base:1.0",
        "gcr.io/tfx-oss-public/ml_metadata_store_server:1.14.0": f"{server.host}/team/model:1.0",
        "tensorflow/serving:2.16.1": f"localhost:{free_port()}/gone:1.0",
    }
    for path in (folder / "deploy").iterdir():
        text = path.read_text(encoding="utf-8")
        for old, new in names.items():
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    return folder


def test_digests_are_written_beside_the_tags_and_nothing_else_changes(tmp_path, server, capsys):
    root = copied(tmp_path, server)
    before = {path.name: path.read_text(encoding="utf-8") for path in (root / "deploy").iterdir()}
    assert len(images.warnings(root)) == 4
    # The missing image is an error, and the others are written.
    assert images.main(["--root", str(root)]) == 1
    printed = capsys.readouterr().out
    assert "/gone:1.0: not reached (" in printed
    digest = registry.digest_of(registry.INDEX)
    after = {path.name: path.read_text(encoding="utf-8") for path in (root / "deploy").iterdir()}
    assert after.keys() == before.keys()
    assert {name: text.replace(f"@{digest}", "") for name, text in after.items()} == before
    assert f"ARG BASE={server.host}/base:1.0@{digest}\n" in after["Dockerfile"]
    written = [container["image"] for container in containers(after["metadata-mysql.yaml"])]
    assert written == [f"{server.host}/base:1.0@{digest}", f"{server.host}/team/model:1.0@{digest}"]
    [left] = images.warnings(root)
    assert "/gone:1.0 has no digest" in left
    # A second time, a digest is replaced by today's.
    server.digest = f"sha256:{'1' * 64}"
    images.main(["--root", str(root)])
    again = (root / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    assert again == after["Dockerfile"].replace(digest, server.digest)


def containers(text: str):
    for document in yaml.safe_load_all(text):
        yield from document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])


def test_every_image_of_the_manifests_is_known():
    found = {place.text for place in images.find(ROOT)}
    in_manifests = {
        line.partition("image:")[2].strip()
        for path in DEPLOY.glob("*.yaml")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "image:" in line.partition("#")[0]
    }
    assert {image for image in in_manifests if not image.startswith(images.OWN_HOST)} < found
    assert all(Image.parse(text) for text in found)


def test_lint_only_warns():
    command = [sys.executable, str(ROOT / "requirements" / "images.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == images.warnings(ROOT)
    assert all(line.startswith("Warning: deploy/") for line in done.stdout.splitlines())
