"""Beam's command line for an engine."""

from __future__ import annotations

from shortlist.config import engines

# Without one of the arguments that say how workers get this package, TFX packs itself anew for each step, for workers
# that need no such package: 1.4 seconds of a processor a step. No engine but Dataflow looks at the image's name.
_PACKAGE_IS_THERE = "--sdk_container_image=unused"


def beam_args(beam: engines.Beam) -> list[str]:
    """Returns Beam's arguments; they hold no secret, and no path but those of the workers' own making."""
    if isinstance(beam, engines.DirectBeam):
        return [
            f"--direct_running_mode={beam.running_mode}",
            f"--direct_num_workers={beam.num_workers}",
            _PACKAGE_IS_THERE,
        ]
    if isinstance(beam, engines.PortableBeam):
        return _portable(beam.job_endpoint, beam.worker_endpoint, beam.parallelism, beam.job_server_timeout_seconds)
    if isinstance(beam, engines.FlinkBeam):
        endpoint = f"localhost:{beam.job_port}"
        return _portable(endpoint, beam.worker_endpoint, beam.parallelism, beam.job_server_timeout_seconds)
    return _dataflow(beam)


def _portable(job_endpoint: str, worker_endpoint: str | None, parallelism: int | None, timeout: int) -> list[str]:
    workers = ["--environment_type=LOOPBACK"]
    if worker_endpoint is not None:
        workers = ["--environment_type=EXTERNAL", f"--environment_config={worker_endpoint}"]
    return [
        "--runner=PortableRunner",
        f"--job_endpoint={job_endpoint}",
        f"--job_server_timeout={timeout}",
        *workers,
        *([f"--parallelism={parallelism}"] if parallelism is not None else []),
        _PACKAGE_IS_THERE,
    ]


def _dataflow(beam: engines.DataflowBeam) -> list[str]:
    optional = {
        "num_workers": beam.num_workers,
        "max_num_workers": beam.max_num_workers,
        "machine_type": beam.machine_type,
        "service_account_email": beam.service_account_email,
        "subnetwork": beam.subnetwork,
    }
    return [
        "--runner=DataflowRunner",
        f"--project={beam.project}",
        f"--region={beam.region}",
        f"--temp_location={beam.temp_location}",
        f"--sdk_container_image={beam.sdk_container_image}",
        # Otherwise each worker looks for the package that the image has.
        "--sdk_location=container",
        *(f"--{name}={value}" for name, value in optional.items() if value is not None),
        *([] if beam.use_public_ips else ["--no_use_public_ips"]),
    ]
