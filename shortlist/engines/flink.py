"""Beam's job server for Flink, for the duration of a run."""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Iterator

from shortlist.config import engines
from shortlist.engines import programs
from shortlist.errors import BadInputError
from shortlist.process import endpoints

_START_SECONDS = 120.0
_STOP_SECONDS = 20.0
# The packages that Flink's own scripts open on Java 17.
_OPEN_PACKAGES = ("lang", "lang.reflect", "net", "io", "nio", "text", "time", "util", "util.concurrent")


@contextlib.contextmanager
def job_server(beam: engines.FlinkBeam, log: pathlib.Path) -> Iterator[None]:
    """Runs the job server within its body. With master [local], it includes the Flink cluster.

    Args:
      beam: A checked engine.
      log: File for the server's output.

    Raises:
      BadInputError: The server did not start, or the environment does not name it.
    """
    with tempfile.TemporaryDirectory(prefix="shortlist-flink-") as folder, log.open("ab") as out:
        server = subprocess.Popen(command(beam, folder), stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            _wait(server, beam.job_port, log)
            yield
        finally:
            server.terminate()
            try:
                server.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def command(beam: engines.FlinkBeam, artifacts_dir: str) -> list[str]:
    """Returns the command line of the job server; Beam stages its files in `artifacts_dir`."""
    return [
        programs.java(),
        *(f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _OPEN_PACKAGES),
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


def _wait(server: subprocess.Popen[bytes], port: int, log: pathlib.Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not endpoints.is_taken(port):
        if server.poll() is not None or time.monotonic() > deadline:
            *_, last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no output"]
            end = "it ended" if server.poll() is not None else f"it did not listen within {_START_SECONDS:g} s"
            raise BadInputError(f"beam: expected Flink's job server to start, {end}: {last[:300]}; its log: {log}")
        time.sleep(0.1)
