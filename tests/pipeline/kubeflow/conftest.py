"""A pipeline that kfp's own compiler made: what it writes, the backend takes."""

# No annotations from __future__: kfp looks at those of components as they are.
import copy

import pytest

from pipeline.kubeflow.package import Package


@pytest.fixture(scope="session")
def kfp_yaml(tmp_path_factory) -> str:
    """Containers, an importer, a loop, a condition, a nested pipeline, an exit handler, resources and retries."""
    from kfp import compiler, dsl

    @dsl.container_component
    def make(text: str, times: int, out: dsl.Output[dsl.Dataset], note: dsl.OutputPath(str)):  # type: ignore[valid-type]
        return dsl.ContainerSpec(image="busybox", command=["make", text], args=[times, out.path, out.uri, note])

    @dsl.container_component
    def use(data: dsl.Input[dsl.Dataset], text: str = "default"):
        return dsl.ContainerSpec(image="busybox", command=["use", data.uri, data.path, text])

    @dsl.container_component
    def clean_up():
        return dsl.ContainerSpec(image="busybox", command=["true"])

    @dsl.pipeline
    def inner(data: dsl.Input[dsl.Dataset], word: str):
        use(data=data, text=word)

    @dsl.pipeline(name="made-by-kfp")
    def outer(word: str, model: str, count: int = 3):
        with dsl.ExitHandler(clean_up()):
            made = make(text=word, times=count).set_retry(2).set_memory_limit("4Gi").set_cpu_limit("2")
            made.set_env_variable("MODE", "fast")
            brought = dsl.importer(artifact_uri=model, artifact_class=dsl.Dataset, reimport=False)
            inner(data=brought.output, word=made.outputs["note"])
            with dsl.If(made.outputs["note"] == "go"):
                use(data=made.outputs["out"])
            with dsl.ParallelFor(["a", "b"]) as item:
                use(data=made.outputs["out"], text=item)

    path = tmp_path_factory.mktemp("kfp") / "made.yaml"
    compiler.Compiler().compile(outer, str(path))
    return path.read_text(encoding="utf-8")


@pytest.fixture
def made_by_kfp(kfp_yaml) -> Package:
    """A copy to break."""
    return copy.deepcopy(Package.from_yaml(kfp_yaml, "made.yaml"))
