"""A Beam job server and a worker pool, as separate processes on loopback."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

from shortlist.config.engines import PortableBeam
from tests.servers import free_port, listens

ROOT = pathlib.Path(__file__).parents[3]
_START_SECONDS = 600


@contextlib.contextmanager
def job_server(folder: pathlib.Path) -> Iterator[str]:
    """Runs Beam's own job server for Python; yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main"]
    with _process([*command, f"--job_port={port}", f"--staging_dir={folder}"], port, folder / "jobs.log"):
        yield f"localhost:{port}"


@contextlib.contextmanager
def worker_pool(folder: pathlib.Path) -> Iterator[str]:
    """Runs `shortlist worker`; yields its address."""
    port = free_port()
    command = [sys.executable, "-c", "from cli import main; main()", "worker", "--port", str(port)]
    with _process(command, port, folder / "workers.log", PYTHONPATH=str(ROOT)):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def beams_own_pool(folder: pathlib.Path, python_path: pathlib.Path) -> Iterator[str]:
    """Runs the pool that comes with Beam, whose workers find packages in a folder before any other place."""
    port = free_port()
    command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with _process(command, port, folder / "workers.log", PYTHONPATH=str(python_path), PATH=path):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def portable(folder: pathlib.Path) -> Iterator[PortableBeam]:
    """Runs both; yields the engine."""
    with job_server(folder) as jobs, worker_pool(folder) as workers:
        yield PortableBeam(job_endpoint=jobs, worker_endpoint=workers)


@contextlib.contextmanager
def _process(command: list[str], port: int, log: pathlib.Path, **environment: str) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, cwd=log.parent, env={**os.environ, **environment}, start_new_session=True
        )
    try:
        until = time.monotonic() + _START_SECONDS
        while not listens(port):
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < until, log.read_text()[-2000:]
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # Beam's pool leaves its workers behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
