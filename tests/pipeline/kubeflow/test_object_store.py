"""Artifacts that go through a real S3 server, as KFP's launcher copies them: `make test-s3`."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree

import pytest

from pipeline.kubeflow.compiler import ENTRYPOINT
from pipeline.kubeflow.local_kfp import record, walk
from pipeline.kubeflow.metadata.store import ClusterStore
from pipeline.kubeflow.package import Package

pytestmark = pytest.mark.skipif("SHORTLIST_WEED" not in os.environ, reason="a server of 150 MB: make test-s3")

_SCHEMA = {"artifactType": {"instanceSchema": "title: tfx.Schema\ntype: object\n"}}
_TEXT = 'feature { name: "rating" type: FLOAT }\n'


class S3:
    """The little of S3 that copying needs, against a server that asks nobody who they are."""

    def __init__(self, address: str):
        self.address = address

    def download(self, uri: str, path: str) -> None:
        bucket, prefix = self._place(uri)
        listed = self._ask("GET", f"/{bucket}?list-type=2&prefix={urllib.parse.quote(prefix)}/")
        space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
        keys = [str(node.text) for node in ElementTree.fromstring(listed).iter(f"{space}Key")]
        assert keys, f"nothing below {uri}"
        for key in keys:
            file = pathlib.Path(path) / key.removeprefix(f"{prefix}/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self._ask("GET", f"/{bucket}/{urllib.parse.quote(key)}"))

    def upload(self, path: str, uri: str) -> None:
        bucket, prefix = self._place(uri)
        for file in sorted(pathlib.Path(path).rglob("*")):
            if file.is_file():
                key = f"{prefix}/{file.relative_to(path)}"
                self._ask("PUT", f"/{bucket}/{urllib.parse.quote(key)}", file.read_bytes())

    def make_bucket(self, name: str) -> None:
        self._ask("PUT", f"/{name}")

    def _place(self, uri: str) -> tuple[str, str]:
        bucket, _, prefix = uri.partition("://")[2].partition("/")
        return bucket, prefix

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"{self.address}{path}", data=body, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for bound in sockets:
            bound.bind(("127.0.0.1", 0))
        return [bound.getsockname()[1] for bound in sockets]


@pytest.fixture(scope="module")
def s3(tmp_path_factory) -> Iterator[S3]:
    folder = tmp_path_factory.mktemp("weed")
    # Each server's gRPC port is set, too: its default is the HTTP port plus 10,000.
    master, volume, filer, s3, *grpc = _free_ports(8)
    command = [
        os.path.abspath(os.environ["SHORTLIST_WEED"]),
        "server",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
    ]
    command += [f"-master.port={master}", f"-volume.port={volume}", "-s3", f"-filer.port={filer}", f"-s3.port={s3}"]
    command += [
        f"-{name}.port.grpc={port}" for name, port in zip(("master", "volume", "filer", "s3"), grpc, strict=True)
    ]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    store = S3(f"http://127.0.0.1:{s3}")
    try:
        deadline = time.monotonic() + 600
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                store.make_bucket("artifacts")
                break
            assert server.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
            time.sleep(0.5)
        yield store
    finally:
        # A clean stop takes half a minute.
        server.kill()
        server.wait()


def _container(executor: str, inputs: Mapping[str, object]) -> dict[str, object]:
    args = ["--executor_class_path", executor, "--json_serialized_invocation_args", "{{$}}"]
    return {
        "image": "x",
        "command": list(ENTRYPOINT),
        "args": [*args, "--json_serialized_inputs_spec_args", json.dumps(inputs)],
    }


def _package() -> Package:
    text = {"parameters": {"interactions_text": {"parameterType": "STRING"}}}
    schema = {"artifacts": {"schema": _SCHEMA}}
    schemas = {"artifacts": {"interactions": _SCHEMA}}
    return Package(
        {
            "pipelineInfo": {"name": "through-s3"},
            "root": {
                "dag": {
                    "tasks": {
                        "Schema": {
                            "componentRef": {"name": "Schema"},
                            "inputs": {"parameters": {"interactions_text": {"runtimeValue": {"constant": _TEXT}}}},
                        },
                        "Copy": {
                            "componentRef": {"name": "Copy"},
                            "inputs": {
                                "artifacts": {
                                    "schema": {
                                        "taskOutputArtifact": {
                                            "producerTask": "Schema",
                                            "outputArtifactKey": "interactions",
                                        }
                                    }
                                }
                            },
                        },
                    }
                }
            },
            "components": {
                "Schema": {"executorLabel": "schema", "inputDefinitions": text, "outputDefinitions": schemas},
                "Copy": {
                    "executorLabel": "copy",
                    "inputDefinitions": schema,
                    "outputDefinitions": {"artifacts": {"copy": _SCHEMA}},
                },
            },
            "deploymentSpec": {
                "executors": {
                    "schema": {"container": _container("components.inline_schema.executor.Executor", text)},
                    "copy": {"container": _container("tests.pipeline.kubeflow.copying.Executor", schema)},
                }
            },
        }
    )


class _Silent:
    def started(self, task: str, index: int, total: int) -> None: ...

    def finished(self, task: str, seconds: float, cached: bool) -> None: ...

    def failed(self, task: str, seconds: float) -> None: ...


@pytest.mark.parametrize("scheme", ["s3", "minio"])
def test_an_artifact_goes_from_pod_to_pod_through_the_server(scheme, s3, tmp_path):
    store = record.open_store(tmp_path / "mlmd.sqlite")
    root = f"{scheme}://artifacts/through-s3/{scheme}"
    storage = walk.PodStorage(tmp_path / "pods", root, tmp_path / "log", tmp_path / "out", s3)
    recorder = record.Recorder(store, "through-s3", "run-1", root, {})
    walk.walk(_package(), {}, storage, recorder, _Silent())
    run = ClusterStore(store).run("run-1")
    assert run is not None
    copy, schema = run.output("Copy", "copy"), run.output("Schema", "interactions")
    assert copy is not None
    assert schema is not None
    # A path in a task's metadata is replaced by the URI again.
    assert copy.properties["found_at"] == schema.uri
    assert copy.uri.startswith(root)
    s3.download(copy.uri, str(tmp_path / "got"))
    assert (tmp_path / "got" / "schema.pbtxt").read_text() == _TEXT
