from __future__ import annotations

import pytest

from pipeline.kubeflow import locations

_MODEL = {"artifactType": {"instanceSchema": "title: tfx.Model"}}


def _input(uri: str, metadata: dict[str, object] | None = None, kind: str = "") -> dict[str, object]:
    artifact = {"name": "7", "uri": uri, "type": {"instanceSchema": kind}, "metadata": metadata or {}}
    return {"inputs": {"artifacts": {"model": {"artifacts": [artifact]}}}, "outputs": {"outputFile": "/tmp/x"}}


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("gs://bucket/a/b", "/gcs/bucket/a/b"),
        ("s3://bucket/a", "/s3/bucket/a"),
        ("minio://bucket/a", "/minio/bucket/a"),
        ("oci://registry/model", None),
        ("/already/here", None),
    ],
)
def test_the_path_of_a_uri_is_that_of_the_launchers_copy(uri, path):
    assert locations.local_path(uri) == path
    assert locations.local_path(uri, "/tmp/pods") == (path and f"/tmp/pods{path}")


def test_uris_in_an_artifacts_metadata_are_replaced_and_restored():
    given = _input("minio://b/run/Trainer/model", {"current_model": "minio://b/run/Trainer/model", "n": 1.0})
    paths = locations.local_paths(given, "/pods")
    moved = locations.replace_names(given, paths)
    [artifact] = moved["inputs"]["artifacts"]["model"]["artifacts"]
    assert artifact["uri"] == "/pods/minio/b/run/Trainer/model"
    assert artifact["metadata"] == {"current_model": "/pods/minio/b/run/Trainer/model", "n": 1.0}
    assert locations.replace_names(moved, {path: uri for uri, path in paths.items()}) == given


def test_an_address_that_begins_like_another_is_not_taken_for_it():
    paths = {"s3://b/model": "/s3/b/model", "s3://b/model_run": "/s3/b/model_run"}
    assert locations.replace_names(["s3://b/model_run/x"], paths) == ["/s3/b/model_run/x"]


def test_an_input_of_no_type_gets_the_declared_one():
    spec = {"artifacts": {"model": _MODEL}}
    typed = locations.with_types(_input("s3://b/m"), spec)
    assert typed["inputs"]["artifacts"]["model"]["artifacts"][0]["type"] == _MODEL["artifactType"]
    with_type = _input("s3://b/m", kind="title: tfx.Examples")
    assert locations.with_types(with_type, spec) == with_type
    assert locations.with_types(_input("s3://b/m"), {}) == _input("s3://b/m")
