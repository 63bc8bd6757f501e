"""Beam's command-line arguments per engine."""

from __future__ import annotations

from shortlist.config import engines

# Without an argument for the workers' package, TFX packages itself for each step, which takes 1.4 CPU seconds. These
# workers already have the package. Only Dataflow uses the name of the image.
_SKIP_PACKAGING = "--sdk_container_image=unused"


def beam_args(beam: engines.Beam) -> list[str]:
    """Returns Beam's arguments. They contain no secret and no local path."""
    if isinstance(beam, engines.DirectBeam):
        return [
            f"--direct_running_mode={beam.running_mode}",
            f"--direct_num_workers={beam.num_workers}",
            _SKIP_PACKAGING,
        ]
    if isinstance(beam, engines.PortableBeam):
        return _portable(beam, beam.job_endpoint)
    if isinstance(beam, engines.FlinkBeam):
        return _portable(beam, f"localhost:{beam.job_port}")
    return _dataflow(beam)


def _portable(beam: engines.PortableBeam | engines.FlinkBeam, job_endpoint: str) -> list[str]:
    workers = ["--environment_type=LOOPBACK"]
    if beam.worker_endpoint is not None:
        workers = ["--environment_type=EXTERNAL", f"--environment_config={beam.worker_endpoint}"]
        # Absent at its default, so that a config without the key keeps its cache.
        if beam.sdk_worker_parallelism != 1:
            workers.append(f"--sdk_worker_parallelism={beam.sdk_worker_parallelism}")
    args = [
        "--runner=PortableRunner",
        f"--job_endpoint={job_endpoint}",
        f"--job_server_timeout={beam.job_server_timeout_seconds}",
        *workers,
    ]
    if beam.parallelism is not None:
        args.append(f"--parallelism={beam.parallelism}")
    return [*args, _SKIP_PACKAGING]


def _dataflow(beam: engines.DataflowBeam) -> list[str]:
    optional = {
        "num_workers": beam.num_workers,
        "max_num_workers": beam.max_num_workers,
        "machine_type": beam.machine_type,
        "service_account_email": beam.service_account_email,
        "subnetwork": beam.subnetwork,
    }
    args = [
        "--runner=DataflowRunner",
        f"--project={beam.project}",
        f"--region={beam.region}",
        f"--temp_location={beam.temp_location}",
        f"--sdk_container_image={beam.sdk_container_image}",
        # Without it, each worker looks for the package elsewhere, although the image has it.
        "--sdk_location=container",
        *(f"--{name}={value}" for name, value in optional.items() if value is not None),
    ]
    if not beam.use_public_ips:
        args.append("--no_use_public_ips")
    return args
