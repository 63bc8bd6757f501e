"""Nodes that stand in for those around the gate; no postponed annotations, TFX reads them."""

import json
import pathlib

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import v1 as tfx
from tfx.types import artifact_utils, standard_artifacts

from tests.components.data_gate import tables


@tfx.dsl.components.component
def FakeGen(
    examples: tfx.dsl.components.OutputArtifact[standard_artifacts.Examples],
    content: tfx.dsl.components.Parameter[str],
):
    """Writes what the table's statistics are to be made of."""
    examples.split_names = artifact_utils.encode_split_names(["all"])
    (pathlib.Path(examples.uri) / "content.json").write_text(content)


@tfx.dsl.components.component
def FakeStatistics(
    examples: tfx.dsl.components.InputArtifact[standard_artifacts.Examples],
    statistics: tfx.dsl.components.OutputArtifact[standard_artifacts.ExampleStatistics],
):
    """Writes real statistics of a made-up log."""
    statistics.split_names = artifact_utils.encode_split_names(["all"])
    content = json.loads((pathlib.Path(examples.uri) / "content.json").read_text())
    folder = pathlib.Path(statistics.uri) / "Split-all"
    folder.mkdir()
    (folder / "FeatureStats.pb").write_bytes(tables.statistics(tables.log(**content)).SerializeToString())


@tfx.dsl.components.component
def FakeValidator(
    statistics: tfx.dsl.components.InputArtifact[standard_artifacts.ExampleStatistics],
    anomalies: tfx.dsl.components.OutputArtifact[standard_artifacts.ExampleAnomalies],
):
    """Finds nothing."""
    anomalies.split_names = artifact_utils.encode_split_names(["all"])
    folder = pathlib.Path(anomalies.uri) / "Split-all"
    folder.mkdir()
    (folder / "SchemaDiff.pb").write_bytes(anomalies_pb2.Anomalies().SerializeToString())


@tfx.dsl.components.component
def FakeWindows(
    interactions: tfx.dsl.components.InputArtifact[standard_artifacts.Examples],
    candidates: tfx.dsl.components.InputArtifact[standard_artifacts.Examples],
    gate: tfx.dsl.components.InputArtifact[standard_artifacts.ExampleAnomalies],
    examples: tfx.dsl.components.OutputArtifact[standard_artifacts.Examples],
):
    """Joins nothing."""


@tfx.dsl.components.component
def FakeTrainer(
    examples: tfx.dsl.components.InputArtifact[standard_artifacts.Examples],
    model: tfx.dsl.components.OutputArtifact[standard_artifacts.Model],
    seed: tfx.dsl.components.Parameter[int],
):
    """Trains nothing."""


@tfx.dsl.components.component
def FakeEvaluator(
    model: tfx.dsl.components.InputArtifact[standard_artifacts.Model],
    blessing: tfx.dsl.components.OutputArtifact[standard_artifacts.ModelBlessing],
    blessed: tfx.dsl.components.Parameter[int],
):
    """Blesses as told."""
    blessing.set_int_custom_property("blessed", blessed)
    blessing.set_int_custom_property("current_model_id", model.id)
