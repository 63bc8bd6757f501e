"""Beam's job server for Flink, for the duration of a run."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Iterator

from shortlist.config import engines
from shortlist.engines import buffers, programs
from shortlist.errors import BadInputError
from shortlist.process import endpoints

_START_SECONDS = 120.0
_STOP_SECONDS = 20.0
# The packages that Flink's own scripts open on Java 17.
_OPEN_PACKAGES = ("lang", "lang.reflect", "net", "io", "nio", "text", "time", "util", "util.concurrent")
# A log that is larger when a run starts is renamed; two older ones are kept.
_LOG_BYTES = 16_000_000
_OLD_LOGS = 2


@contextlib.contextmanager
def job_server(beam: engines.FlinkBeam, log: pathlib.Path) -> Iterator[int]:
    """Runs the job server within its body. With master [local], it includes the Flink cluster.

    Args:
      beam: A checked engine.
      log: File for the server's output.

    Yields:
      The id of the server's process.

    Raises:
      BadInputError: The server did not start, or the environment does not name it.
    """
    _rotate(log)
    with tempfile.TemporaryDirectory(prefix="shortlist-flink-") as folder, log.open("ab") as out:
        start = log.stat().st_size
        environment = {**os.environ, **_write_configuration(beam, pathlib.Path(folder))}
        server = subprocess.Popen(
            command(beam, folder), stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment
        )
        try:
            _wait(server, beam.job_port, log, start)
            yield server.pid
        finally:
            server.terminate()
            try:
                server.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def command(beam: engines.FlinkBeam, artifacts_dir: str) -> list[str]:
    """Returns the command line of the job server; Beam stages its files in `artifacts_dir`."""
    memory = []
    if beam.master == engines.LOCAL_FLINK:
        # Network buffers are direct memory, whose limit is that of the heap by default.
        memory = [f"-XX:MaxDirectMemorySize={buffers.local_mb(beam.parallelism) + 2048}m"]
    return [
        programs.java(),
        *(f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _OPEN_PACKAGES),
        *memory,
        "-jar",
        programs.job_server_jar(),
        f"--flink-master={beam.master}",
        "--job-host=localhost",
        f"--job-port={beam.job_port}",
        # 0 is any free port: only the job port is known to Beam's client.
        "--artifact-port=0",
        "--expansion-port=0",
        f"--artifacts-dir={artifacts_dir}",
    ]


def _write_configuration(beam: engines.FlinkBeam, folder: pathlib.Path) -> dict[str, str]:
    """Writes the configuration of a `[local]` cluster, and returns the environment variable that names its folder."""
    if beam.master != engines.LOCAL_FLINK:
        return {}
    size = f"{buffers.local_mb(beam.parallelism)}m"
    path = folder / "conf" / "flink-conf.yaml"
    path.parent.mkdir()
    # A local cluster accepts only equal values.
    path.write_text(f"taskmanager.memory.network.min: {size}\ntaskmanager.memory.network.max: {size}\n")
    return {"FLINK_CONF_DIR": str(path.parent)}


def _rotate(log: pathlib.Path) -> None:
    if not log.exists() or log.stat().st_size <= _LOG_BYTES:
        return
    for number in range(_OLD_LOGS, 1, -1):
        older = log.with_name(f"{log.name}.{number - 1}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))
    log.replace(log.with_name(f"{log.name}.1"))


def _wait(server: subprocess.Popen[bytes], port: int, log: pathlib.Path, start: int) -> None:
    """Waits until the server listens. Its output begins at byte `start` of the log."""
    deadline = time.monotonic() + _START_SECONDS
    while not endpoints.is_taken(port):
        if server.poll() is not None or time.monotonic() > deadline:
            text = log.read_bytes()[start:].decode(errors="replace")
            *_, last = text.strip().splitlines() or ["no output"]
            end = "it ended" if server.poll() is not None else f"it did not listen within {_START_SECONDS:g} s"
            raise BadInputError(f"beam: expected Flink's job server to start, {end}: {last[:300]}; its log: {log}")
        time.sleep(0.1)
