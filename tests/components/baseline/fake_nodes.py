"""Stand-ins for Windows and the Trainer. Annotations are not postponed, because TFX reads them."""

import pathlib

from tfx.dsl.component.experimental import annotations, decorators
from tfx.types import artifact_utils, standard_artifacts

from tests.components.evaluator import fakes


@decorators.component
def FakeWindows(
    examples: annotations.OutputArtifact[standard_artifacts.Examples],
    schema: annotations.OutputArtifact[standard_artifacts.Schema],
):
    """Writes 50 test windows: ranks 1 to 50; ranks by popularity 6 to 55."""
    examples.split_names = artifact_utils.encode_split_names(["train", "test"])
    windows = [fakes.window(f"q{i}", [i + 1, i + 1, i + 6, i + 6]) for i in range(50)]
    fakes.write_windows(windows, pathlib.Path(examples.uri) / "Split-test" / "windows.gz")
    # Nobody may look at train: its ranks are no ranks.
    fakes.write_windows([fakes.window("q", [0, 0, 0, 0])], pathlib.Path(examples.uri) / "Split-train" / "windows.gz")
    (pathlib.Path(schema.uri) / "schema.pbtxt").write_text(str(fakes.SCHEMA))


@decorators.component
def FakeCatalogue(examples: annotations.OutputArtifact[standard_artifacts.Examples]):
    """Writes a catalogue without candidates, which a fake model does not read."""
    examples.split_names = artifact_utils.encode_split_names(["all"])
    fakes.write_windows([], pathlib.Path(examples.uri) / "Split-all" / "candidates.gz")


@decorators.component
def FakeTrainer(
    examples: annotations.InputArtifact[standard_artifacts.Examples],
    model: annotations.OutputArtifact[standard_artifacts.Model],
    shift: annotations.Parameter[int],
    catalogue: annotations.Parameter[str],
):
    """Writes a model whose ranks are worse by `shift` than the windows'."""
    fakes.save_model(model.uri, shift, catalogue_sha256=catalogue)
