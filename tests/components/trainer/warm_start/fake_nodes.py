"""Stand-ins for the nodes around a warm start. Annotations are not postponed, because TFX reads them."""

from tfx import types
from tfx.dsl.component.experimental import annotations, decorators
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import component_spec, standard_artifacts


@decorators.component
def FakeGen(
    examples: annotations.OutputArtifact[standard_artifacts.Examples],
    content: annotations.Parameter[str],
):
    """Stands in for a node that reads a table."""


@decorators.component
def FakeWindows(
    interactions: annotations.InputArtifact[standard_artifacts.Examples],
    examples: annotations.OutputArtifact[standard_artifacts.Examples],
    setting: annotations.Parameter[int],
):
    """Stands in for Windows."""


class _Train(base_executor.BaseExecutor):
    def Do(self, input_dict, output_dict, exec_properties):
        """Records the id of the model that it begins from; 0 without one."""
        [model] = output_dict["model"]
        model.set_int_custom_property("source", sum(source.id for source in input_dict.get("source_model", [])))


class _FakeTrainerSpec(component_spec.ComponentSpec):
    PARAMETERS = {"seed": component_spec.ExecutionParameter(type=int)}
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "source_model": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {"model": component_spec.ChannelParameter(type=standard_artifacts.Model)}


class FakeTrainer(base_component.BaseComponent):
    """Stands in for the Trainer. A component that is made from a function has no optional inputs."""

    SPEC_CLASS = _FakeTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(_Train)

    def __init__(self, examples, source_model, seed):
        model = types.Channel(type=standard_artifacts.Model)
        super().__init__(_FakeTrainerSpec(examples=examples, source_model=source_model, seed=seed, model=model))


@decorators.component
def FakeEvaluator(
    model: annotations.InputArtifact[standard_artifacts.Model],
    blessing: annotations.OutputArtifact[standard_artifacts.ModelBlessing],
    blessed: annotations.Parameter[int],
):
    """Blesses the model or not."""
    blessing.set_int_custom_property("current_model_id", model.id)
    blessing.set_int_custom_property("blessed", blessed)
