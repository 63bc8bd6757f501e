"""Rules on the document as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.kubeflow.check.view import ROOT, PackageProblem, View

SCHEMA_VERSION = "2.1.0"
# The pattern of TFX and Vertex, and dots, which KFP's backend allows, too.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,126}[a-z0-9])?")


def schema_version(view: View) -> Iterator[PackageProblem]:
    """Yields a wrong schema version; the API server accepts a single one."""
    version = view.pipeline.get("schemaVersion")
    if version != SCHEMA_VERSION:
        yield PackageProblem("schema-version", "pipeline", f"expected schemaVersion {SCHEMA_VERSION}, got {version!r}")


def pipeline_name(view: View) -> Iterator[PackageProblem]:
    """Yields a pipeline name that cannot be the name of the workflow, its pods and the artifacts' folder."""
    info = view.pipeline.get("pipelineInfo")
    name = info.get("name") if isinstance(info, dict) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield PackageProblem("pipeline-name", "pipeline", f"expected a name of a-z, 0-9 and dashes, got {name!r}")


def unknown_fields(view: View) -> Iterator[PackageProblem]:
    """Yields unknown fields: the API server refuses them, or ignores them silently within the deployment spec."""
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    for label, message, document in (
        ("pipeline", pipeline_spec_pb2.PipelineSpec(), view.pipeline),
        ("deploymentSpec", pipeline_spec_pb2.PipelineDeploymentConfig(), {"executors": view.executors}),
    ):
        try:
            json_format.ParseDict(document, message)
        except json_format.ParseError as error:
            yield PackageProblem("unknown-field", label, " ".join(str(error).split()))
    if ROOT in view.components:
        yield PackageProblem("unknown-field", ROOT, "the component name `root` is reserved")
