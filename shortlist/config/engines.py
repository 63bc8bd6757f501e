"""The section `beam`: what runs the Beam steps."""

from __future__ import annotations

from typing import Annotated, Literal, Union

import pydantic

from shortlist.config.section import HOST, Section

LOCAL_FLINK = "[local]"
"""Flink within its job server."""


def _endpoint(address: str) -> str:
    """Returns an address of a host and a port."""
    host, _, port = address.rpartition(":")
    if not HOST.fullmatch(host.strip("[]")) or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError("expected HOST:PORT, without a scheme, a user or a path")
    return address


class DirectBeam(Section):
    """Beam's own runner, in this process: the fastest as long as the data fits one machine."""

    engine: Literal["direct"] = "direct"

    running_mode: Literal["in_memory", "multi_threading", "multi_processing"] = "in_memory"
    """in_memory is the fastest for small data. The other two open ports without a password on all of the machine's
    interfaces while they run: not for a machine that others can reach."""

    num_workers: int = pydantic.Field(1, ge=0)
    """Workers of the other two modes; 0 is one a core."""

    @pydantic.model_validator(mode="after")
    def _workers_work(self) -> DirectBeam:
        if self.running_mode == "in_memory" and self.num_workers != 1:
            raise ValueError(
                f"num_workers={self.num_workers} does nothing with running_mode in_memory, which has one; "
                "set running_mode to multi_processing or multi_threading, or remove num_workers"
            )
        return self


class PortableBeam(Section):
    """A Beam job server that is at work already, and workers that it does not start."""

    engine: Literal["portable"] = "portable"

    job_endpoint: str
    """HOST:PORT of the job server."""

    worker_endpoint: str
    """HOST:PORT, as the engine sees it, of a worker pool: `shortlist worker` where this package and all folders are."""

    parallelism: int | None = pydantic.Field(None, ge=1)
    """Into how many parts the engine divides a step; its own default unless told."""

    job_server_timeout_seconds: int = pydantic.Field(3600, ge=1)
    """Longest wait for one answer of the job server. Beam's 60 seconds end runs that are well."""

    @pydantic.field_validator("job_endpoint", "worker_endpoint")
    @classmethod
    def _endpoints(cls, address: str) -> str:
        return _endpoint(address)


class FlinkBeam(Section):
    """Flink, by Beam's job server for it, which is started for the run and stopped after it; needs Java."""

    engine: Literal["flink"] = "flink"

    job_server_jar: str
    """Beam's Flink job server for the Beam version of this package: a file."""

    master: str = "[local]"
    """HOST:PORT of a Flink cluster's REST interface; [local] is a cluster within the job server, for the run."""

    parallelism: int = pydantic.Field(2, ge=1)
    """Task slots that a step may take; [local] has as many."""

    worker_endpoint: str | None = None
    """As for portable; without one, the work in Python is done in threads of the run's own process."""

    job_port: int = pydantic.Field(8099, ge=1, le=65535)
    """Port of this machine at which the job server listens."""

    java: str = "java"
    """The Java program, version 11 or 17."""

    job_server_timeout_seconds: int = pydantic.Field(3600, ge=1)
    """As for portable."""

    @pydantic.field_validator("master", "worker_endpoint")
    @classmethod
    def _endpoints(cls, address: str | None) -> str | None:
        return address if address is None or address == LOCAL_FLINK else _endpoint(address)

    @pydantic.model_validator(mode="after")
    def _cluster_reaches_workers(self) -> FlinkBeam:
        if self.master != LOCAL_FLINK and self.worker_endpoint is None:
            raise ValueError(
                f"the cluster at {self.master} cannot reach into this process; start `shortlist worker` where the "
                "cluster reaches it and name it in worker_endpoint"
            )
        return self


class DataflowBeam(Section):
    """Google Cloud Dataflow. Its workers see no folder of yours: for pipelines whose root is in Cloud Storage."""

    engine: Literal["dataflow"] = "dataflow"

    project: str = pydantic.Field(pattern=r"^[a-z0-9:.-]+$")
    """The Google Cloud project."""

    region: str = pydantic.Field(pattern=r"^[a-z0-9-]+$")

    temp_location: str = pydantic.Field(pattern=r"^gs://[^/@?#]+(/[^@?#]*)?$")
    """Folder in Cloud Storage for what lives as long as a job."""

    sdk_container_image: str = pydantic.Field(pattern=r"^[^\s@]+(@sha256:[0-9a-f]{64})?$")
    """The image that workers start from: deploy/Dockerfile's, which has this package and the locked stack."""

    num_workers: int | None = pydantic.Field(None, ge=1)
    """Workers to begin with."""

    max_num_workers: int | None = pydantic.Field(None, ge=1)
    """Most workers."""

    machine_type: str | None = pydantic.Field(None, pattern=r"^[a-z0-9-]+$")

    service_account_email: str | None = pydantic.Field(None, pattern=r"^[^@\s]+@[^@\s]+$")

    subnetwork: str | None = None

    use_public_ips: bool = True
    """Whether workers have addresses on the internet."""


Beam = Annotated[Union[DirectBeam, PortableBeam, FlinkBeam, DataflowBeam], pydantic.Field(discriminator="engine")]

NO_ENGINE = {
    "dask": "Beam's Dask runner is silently wrong: of two sinks one runs, and what finish_bundle emits is lost",
    "prism": "it is not tested; start it yourself and use portable, at your own risk",
    "spark": "it is not tested; start Beam's Spark job server yourself and use portable, at your own risk",
}
