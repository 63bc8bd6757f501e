"""Stand-ins for the nodes around the gate, without postponed annotations, since TFX reads them at run time."""

import json
import pathlib

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.component.experimental import annotations, decorators
from tfx.types import artifact_utils, standard_artifacts

from tests.components.data_gate import tables


@decorators.component
def FakeGen(
    examples: annotations.OutputArtifact[standard_artifacts.Examples],
    content: annotations.Parameter[str],
):
    """Writes the settings from which the table's statistics are made."""
    examples.split_names = artifact_utils.encode_split_names(["all"])
    (pathlib.Path(examples.uri) / "content.json").write_text(content)


@decorators.component
def FakeStatistics(
    examples: annotations.InputArtifact[standard_artifacts.Examples],
    statistics: annotations.OutputArtifact[standard_artifacts.ExampleStatistics],
):
    """Writes TFDV's statistics of a generated log."""
    statistics.split_names = artifact_utils.encode_split_names(["all"])
    content = json.loads((pathlib.Path(examples.uri) / "content.json").read_text())
    folder = pathlib.Path(statistics.uri) / "Split-all"
    folder.mkdir()
    (folder / "FeatureStats.pb").write_bytes(tables.statistics(tables.log(**content)).SerializeToString())


@decorators.component
def FakeValidator(
    statistics: annotations.InputArtifact[standard_artifacts.ExampleStatistics],
    anomalies: annotations.OutputArtifact[standard_artifacts.ExampleAnomalies],
):
    """Reports no anomalies."""
    anomalies.split_names = artifact_utils.encode_split_names(["all"])
    folder = pathlib.Path(anomalies.uri) / "Split-all"
    folder.mkdir()
    (folder / "SchemaDiff.pb").write_bytes(anomalies_pb2.Anomalies().SerializeToString())


@decorators.component
def FakeWindows(
    interactions: annotations.InputArtifact[standard_artifacts.Examples],
    candidates: annotations.InputArtifact[standard_artifacts.Examples],
    gate: annotations.InputArtifact[standard_artifacts.ExampleAnomalies],
    examples: annotations.OutputArtifact[standard_artifacts.Examples],
):
    """Stands in for Windows."""


@decorators.component
def FakeTrainer(
    examples: annotations.InputArtifact[standard_artifacts.Examples],
    model: annotations.OutputArtifact[standard_artifacts.Model],
    seed: annotations.Parameter[int],
):
    """Stands in for the Trainer."""


@decorators.component
def FakeEvaluator(
    model: annotations.InputArtifact[standard_artifacts.Model],
    blessing: annotations.OutputArtifact[standard_artifacts.ModelBlessing],
    blessed: annotations.Parameter[int],
):
    """Blesses the model if its parameter is 1."""
    blessing.set_int_custom_property("blessed", blessed)
    blessing.set_int_custom_property("current_model_id", model.id)
