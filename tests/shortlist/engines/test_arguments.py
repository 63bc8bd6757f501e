"""Beam's arguments per engine, parsed by Beam's own options."""

from __future__ import annotations

import pytest
from apache_beam.options import pipeline_options

from shortlist.config import engines
from shortlist.config.load import parse_config
from shortlist.engines.arguments import beam_args
from shortlist.errors import ConfigError
from tests.shortlist.config.test_load import MINIMAL

_DATAFLOW = {
    "engine": "dataflow",
    "project": "p-1",
    "region": "europe-west1",
    "temp_location": "gs://bucket/tmp",
    "sdk_container_image": "registry.example/shortlist:1",
}


def _options(**beam):
    parsed = parse_config({**MINIMAL, "beam": beam}, "x.yaml").beam
    options = pipeline_options.PipelineOptions(beam_args(parsed))
    return options.get_all_options(drop_default=True)


def test_direct_is_the_default():
    assert isinstance(parse_config(MINIMAL, "x.yaml").beam, engines.DirectBeam)
    assert _options(running_mode="multi_processing", num_workers=2) == {
        "direct_running_mode": "multi_processing",
        "direct_num_workers": 2,
        "sdk_container_image": "unused",
    }


def test_portable_waits_longer_than_a_minute_for_an_answer():
    assert _options(engine="portable", job_endpoint="jobs:8099", worker_endpoint="10.0.0.1:50000", parallelism=4) == {
        "runner": "PortableRunner",
        "job_endpoint": "jobs:8099",
        "job_server_timeout": 3600,
        "environment_type": "EXTERNAL",
        "environment_config": "10.0.0.1:50000",
        "parallelism": 4,
        "sdk_container_image": "unused",
    }


def test_flink_goes_through_a_job_server_here():
    options = _options(engine="flink", job_port=9000)
    assert options["runner"] == "PortableRunner"
    assert options["job_endpoint"] == "localhost:9000"
    assert options["environment_type"] == "LOOPBACK"
    assert options["parallelism"] == 2


def test_workers_of_a_pool_can_be_several_processes():
    endpoints = {"engine": "portable", "job_endpoint": "jobs:8099", "worker_endpoint": "10.0.0.1:50000"}
    assert _options(**endpoints, sdk_worker_parallelism=4)["sdk_worker_parallelism"] == "4"
    assert "sdk_worker_parallelism" not in _options(**endpoints)


def test_dataflow():
    options = _options(**_DATAFLOW, max_num_workers=8, use_public_ips=False)
    assert options["runner"] == "DataflowRunner"
    assert options["sdk_container_image"] == "registry.example/shortlist:1"
    assert options["sdk_location"] == "container"
    assert options["temp_location"] == "gs://bucket/tmp"
    assert options["max_num_workers"] == 8
    assert options["use_public_ips"] is False


@pytest.mark.parametrize(
    ("beam", "sentence"),
    [
        (
            {"engine": "dask"},
            "beam: engine dask is not supported: Beam's Dask runner silently loses data",
        ),
        ({"engine": "spark"}, "beam: engine spark is not supported: it is not tested"),
        ({"engine": "flnk"}, "beam.engine: 'flnk' is not one of dataflow, direct, flink, portable"),
        ({"engine": "direct", "job_endpoint": "h:1"}, "unknown key 'beam.job_endpoint'"),
        ({"num_workers": 4}, "num_workers=4 has no effect with running_mode in_memory"),
        ({"engine": "portable", "job_endpoint": "h:1"}, "the key 'beam.worker_endpoint' is required"),
        ({"engine": "portable", "job_endpoint": "http://h:1", "worker_endpoint": "h:2"}, "job_endpoint: expected HOST"),
        ({"engine": "portable", "job_endpoint": "h", "worker_endpoint": "h:2"}, "job_endpoint: expected HOST:PORT"),
        ({"engine": "portable", "job_endpoint": "h:1", "worker_endpoint": "u:p@h:2"}, "worker_endpoint: expected HOST"),
        (
            {"engine": "flink", "master": "h:8081"},
            "the cluster at h:8081 cannot use the threads",
        ),
        ({"engine": "flink", "sdk_worker_parallelism": 2}, "no effect without worker_endpoint"),
        ({**_DATAFLOW, "temp_location": "s3://bucket"}, "beam.temp_location: expected a text that matches ^gs://"),
    ],
)
def test_unsupported_options_are_refused(beam, sentence):
    with pytest.raises(ConfigError) as error:
        parse_config({**MINIMAL, "beam": beam}, "x.yaml")
    assert sentence in str(error.value)
