"""Rules on the document as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.kubeflow.check.view import ROOT, PackageProblem, View

SCHEMA_VERSION = "2.1.0"
# Of TFX and of Vertex; the backend's own pattern also has dots.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,126}[a-z0-9])?")


def schema_version(view: View) -> Iterator[PackageProblem]:
    """The API server takes one version of the schema."""
    version = view.pipeline.get("schemaVersion")
    if version != SCHEMA_VERSION:
        yield PackageProblem("schema-version", "pipeline", f"expected schemaVersion {SCHEMA_VERSION}, got {version!r}")


def pipeline_name(view: View) -> Iterator[PackageProblem]:
    """The workflow, its pods and the artifacts' folder are named by it."""
    info = view.pipeline.get("pipelineInfo")
    name = info.get("name") if isinstance(info, dict) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield PackageProblem("pipeline-name", "pipeline", f"expected a name of a-z, 0-9 and dashes, got {name!r}")


def unknown_fields(view: View) -> Iterator[PackageProblem]:
    """The API server parses the spec strictly; within the deployment a field that it does not know is lost."""
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    for what, message, document in (
        ("pipeline", pipeline_spec_pb2.PipelineSpec(), view.pipeline),
        (
            "deploymentSpec",
            pipeline_spec_pb2.PipelineDeploymentConfig(),
            {"executors": view.executors} if view.executors else {},
        ),
    ):
        try:
            json_format.ParseDict(document, message)
        except json_format.ParseError as error:
            yield PackageProblem("unknown-field", what, " ".join(str(error).split()))
    if ROOT in view.components:
        yield PackageProblem("unknown-field", ROOT, "the component name `root` is reserved")
