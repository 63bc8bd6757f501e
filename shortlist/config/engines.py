"""The section `beam`: the engine for the Beam steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union

import pydantic

from shortlist.config.section import HOST, Line, Section, Whole

LOCAL_FLINK = "[local]"
"""The `master` of a Flink cluster inside of the job server."""

JAVA_VARIABLE = "SHORTLIST_JAVA"
"""Environment variable with the Java program, version 11 or 17; `java` by default."""

JAR_VARIABLE = "SHORTLIST_FLINK_JAR"
"""Environment variable with the JAR file of Beam's Flink job server, for the Beam version of this package."""

_PROGRAMS = {"java": JAVA_VARIABLE, "job_server_jar": JAR_VARIABLE}


def _check_endpoint(address: str) -> str:
    """Returns an address of a host and a port unchanged; refuses others."""
    host, _, port = address.rpartition(":")
    if not HOST.fullmatch(host.strip("[]")) or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError("expected HOST:PORT, without a scheme, a user or a path")
    return address


class DirectBeam(Section):
    """Beam's direct runner, in this process: the fastest engine while the data fits one machine."""

    engine: Literal["direct"] = "direct"
    """Beam's direct runner."""

    # 200,000 rows on 2 cores: 63 s in memory; 80 s and twice the CPU time with multi_processing.
    running_mode: Literal["in_memory", "multi_threading", "multi_processing"] = "in_memory"
    """`in_memory` is the fastest for small data. The other modes open ports without a password on all network
    interfaces. Do not use them on a machine that others can reach."""

    num_workers: Whole = pydantic.Field(1, ge=0, le=1_000)
    """Number of workers in the modes multi_threading and multi_processing; 0 is one per core."""

    @pydantic.model_validator(mode="after")
    def _check_workers(self) -> DirectBeam:
        if self.running_mode == "in_memory" and self.num_workers != 1:
            raise ValueError(
                f"num_workers={self.num_workers} has no effect with running_mode in_memory, which has one worker; "
                "set running_mode to multi_processing or multi_threading, or remove num_workers"
            )
        return self


class PortableBeam(Section):
    """A running Beam job server with external workers."""

    engine: Literal["portable"] = "portable"
    """A Beam job server."""

    job_endpoint: str
    """HOST:PORT of the job server."""

    worker_endpoint: str
    """HOST:PORT of a worker pool, as seen by the engine. Start the pool with `shortlist worker` on a machine that has
    this package and all folders of the pipeline."""

    parallelism: Whole | None = pydantic.Field(None, ge=1, le=32_768)
    """Number of parts that the engine divides a step into. By default, the engine decides."""

    sdk_worker_parallelism: Whole = pydantic.Field(1, ge=0, le=1_000)
    """Number of worker processes per machine of the engine; 0 lets the engine decide. All task slots of a machine share
    one process by default, and Python code of one process uses one core."""

    # With Beam's 60 seconds, a run ends with DEADLINE_EXCEEDED while its job continues.
    job_server_timeout_seconds: Whole = pydantic.Field(3600, ge=1, le=2_592_000)
    """Longest wait for one answer of the job server. It limits each Beam step, as the last answer comes at its end.
    Beam's default of 60 seconds stops healthy runs."""

    @pydantic.field_validator("job_endpoint", "worker_endpoint")
    @classmethod
    def _check_endpoints(cls, address: str) -> str:
        return _check_endpoint(address)


class FlinkBeam(Section):
    """Flink through Beam's Flink job server, which runs for the length of a pipeline run.

    The environment variable SHORTLIST_FLINK_JAR names its JAR file, and SHORTLIST_JAVA the Java program (by default
    `java`, version 11 or 17).
    """

    engine: Literal["flink"] = "flink"
    """A Flink cluster. While a run lasts, Beam's job server accepts connections on every network interface, without a
    password. Run it only where a firewall blocks its ports."""

    master: str = "[local]"
    """HOST:PORT of a Flink cluster's REST interface. `[local]` starts a cluster inside of the job server."""

    parallelism: Whole = pydantic.Field(2, ge=1, le=32_768)
    """Maximum number of task slots per step, and number of slots of a `[local]` cluster. The need for network buffers
    grows with its square. A `[local]` cluster gets them; for others, see taskmanager.memory.network in Flink."""

    worker_endpoint: str | None = None
    """HOST:PORT of a worker pool, as for `portable`. Each TaskManager opens this address itself: with localhost, each
    machine of the cluster needs a pool. Without one, Python code runs in threads of the run's own process."""

    sdk_worker_parallelism: Whole = pydantic.Field(1, ge=0, le=1_000)
    """Number of worker processes per TaskManager, as for `portable`. Set it to the task slots of a TaskManager, so that
    each slot can use a core."""

    job_port: Whole = pydantic.Field(8099, ge=1, le=65535)
    """Port of the job server on this machine."""

    job_server_timeout_seconds: Whole = pydantic.Field(3600, ge=1, le=2_592_000)
    """Longest wait for one answer of the job server, which limits each Beam step, as for `portable`."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _refuse_programs(cls, raw: Any) -> Any:
        for key, variable in _PROGRAMS.items():
            if isinstance(raw, Mapping) and key in raw:
                raise ValueError(
                    f"expected no key {key!r}, because a config may not name a program to run; remove the key and set "
                    f"the environment variable {variable}"
                )
        return raw

    @pydantic.field_validator("master", "worker_endpoint")
    @classmethod
    def _check_endpoints(cls, address: str | None) -> str | None:
        if address is None or address == LOCAL_FLINK:
            return address
        return _check_endpoint(address)

    @pydantic.model_validator(mode="after")
    def _check_cluster_has_workers(self) -> FlinkBeam:
        if self.master != LOCAL_FLINK and self.worker_endpoint is None:
            raise ValueError(
                f"the cluster at {self.master} cannot use the threads of this process; start `shortlist worker` where "
                "the cluster can reach it, and set worker_endpoint to its address"
            )
        if self.worker_endpoint is None and self.sdk_worker_parallelism != 1:
            raise ValueError(
                f"sdk_worker_parallelism={self.sdk_worker_parallelism} has no effect without worker_endpoint, because "
                "Python code then runs in threads of this process; start `shortlist worker` and set worker_endpoint"
            )
        return self


class DataflowBeam(Section):
    """Google Cloud Dataflow, for pipelines with a root in Cloud Storage. Its workers cannot read local folders."""

    engine: Literal["dataflow"] = "dataflow"
    """Google Cloud Dataflow."""

    project: str = pydantic.Field(pattern=r"^[a-z0-9:.-]+$")
    """The Google Cloud project."""

    region: str = pydantic.Field(pattern=r"^[a-z0-9-]+$")
    """Region of the job, such as europe-west1."""

    temp_location: str = pydantic.Field(pattern=r"^gs://[^/@?#]+(/[^@?#]*)?$")
    """Folder in Cloud Storage for temporary files of a job."""

    sdk_container_image: str = pydantic.Field(pattern=r"^[^\s@]+(@sha256:[0-9a-f]{64})?$")
    """Container image of the workers, built from deploy/Dockerfile with this package and the locked dependencies."""

    num_workers: Whole | None = pydantic.Field(None, ge=1, le=4_000)
    """Initial number of workers."""

    max_num_workers: Whole | None = pydantic.Field(None, ge=1, le=4_000)
    """Maximum number of workers."""

    machine_type: str | None = pydantic.Field(None, pattern=r"^[a-z0-9-]+$")
    """Machine type of the workers."""

    service_account_email: str | None = pydantic.Field(None, pattern=r"^[^@\s]+@[^@\s]+$")
    """Service account of the workers."""

    subnetwork: Line | None = None
    """Subnetwork of the workers."""

    use_public_ips: bool = True
    """Give the workers public IP addresses."""


Beam = Annotated[Union[DirectBeam, PortableBeam, FlinkBeam, DataflowBeam], pydantic.Field(discriminator="engine")]

# Engines that exist, with the reason for the refusal.
NO_ENGINE = {
    "dask": "Beam's Dask runner silently loses data: it runs one of two sinks, and drops what finish_bundle emits",
    "prism": "it is not tested; start it yourself and use portable, at your own risk",
    "spark": "it is not tested; start Beam's Spark job server yourself and use portable, at your own risk",
}
