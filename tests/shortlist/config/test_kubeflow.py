from __future__ import annotations

import pydantic
import pytest

from shortlist.config.kubeflow import Kubeflow, Task, quantity


@pytest.mark.parametrize(
    ("text", "number"), [("500m", 0.5), ("4", 4.0), ("8Gi", 8 * 2**30), ("512M", 512e6), ("1.5Gi", 1.5 * 2**30)]
)
def test_a_quantity_is_that_of_kubernetes(text, number):
    assert quantity(text) == number


@pytest.mark.parametrize("text", ["", "0", "8GB", "-1", "8 Gi", "1e3"])
def test_invalid_quantities_are_refused(text):
    with pytest.raises(ValueError, match="Kubernetes quantity"):
        quantity(text)


def test_a_task_overrides_the_defaults():
    defaults = Task(cpu=2, memory="4Gi", env={"A": "1", "B": "1"})
    task = Task(memory="16Gi", env={"B": "2"}).over(defaults)
    assert (task.cpu, task.memory, task.env) == ("2", "16Gi", {"A": "1", "B": "2"})


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"pipeline_root": "/srv/artifacts"}, "a bucket that KFP's launcher can open"),
        ({"pipeline_root": "oci://registry/x"}, "a bucket that KFP's launcher can open"),
        ({"pipeline_root": "gs://bucket/a[1]"}, "a path that TFX cannot take for a pattern"),
        ({"pipeline_root": "s3://key:secret@bucket"}, "an address without credentials"),
        ({"pipeline_root": "s3://bucket", "storage": "direct"}, "direct needs a pipeline_root in gs://"),
        ({"serving_dir": "models"}, "an absolute path below /"),
        ({"serving_dir": "/models/../etc"}, "an absolute path below /"),
        ({"volumes": [{"claim": "Data_Claim", "path": "/data"}]}, "a Kubernetes name"),
        ({"namespace": "two.parts"}, "a Kubernetes namespace"),
        ({"defaults": {"env": {"DB_PASSWORD": "x"}}}, "secret_env"),
        ({"defaults": {"env": {"DB": "postgres://me:pw@host/db"}}}, "secret_env"),
        ({"defaults": {"node_selector": {"bad key": "x"}}}, "label's key"),
        ({"tasks": {"Trainer": {"memory": "8 gigs"}}}, "a Kubernetes quantity"),
        ({"image": "with space"}, "an image such as"),
        ({"imag": "x"}, "Extra inputs"),
    ],
)
def test_values_that_a_cluster_would_refuse_are_refused(section, said):
    with pytest.raises(pydantic.ValidationError, match=said):
        Kubeflow.model_validate({"image": "registry.example.com/shortlist:1", **section})


def test_a_volume_may_be_named_with_a_slash_at_its_end():
    section = Kubeflow(image="x", serving_dir="/models/", data_root="/data/")
    assert (section.serving_dir, section.data_root) == ("/models", "/data")
