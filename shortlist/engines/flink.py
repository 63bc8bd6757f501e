"""Beam's job server for Flink, for as long as a run needs it."""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Iterator

from shortlist.config import engines
from shortlist.errors import BadInputError
from shortlist.process import endpoints

_START_SECONDS = 120.0
_STOP_SECONDS = 20.0
# What Flink's own scripts open to it on Java 17.
_OPENED = ("lang", "lang.reflect", "net", "io", "nio", "text", "time", "util", "util.concurrent")


@contextlib.contextmanager
def job_server(beam: engines.FlinkBeam, log: pathlib.Path) -> Iterator[None]:
    """Runs the job server until the block is left; with master [local], the cluster is in it.

    Args:
      beam: A checked engine.
      log: What it says goes there.

    Raises:
      BadInputError: It did not come up.
    """
    with tempfile.TemporaryDirectory(prefix="shortlist-flink-") as staged, log.open("ab") as out:
        server = subprocess.Popen(command(beam, staged), stdin=subprocess.DEVNULL, stdout=out, stderr=out)
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


def command(beam: engines.FlinkBeam, staged: str) -> list[str]:
    """Returns what is run; `staged` is a folder for what Beam stages."""
    return [
        beam.java,
        *(f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _OPENED),
        "-jar",
        beam.job_server_jar,
        f"--flink-master={beam.master}",
        "--job-host=localhost",
        f"--job-port={beam.job_port}",
        "--artifact-port=0",
        "--expansion-port=0",
        f"--artifacts-dir={staged}",
    ]


def _wait(server: subprocess.Popen[bytes], port: int, log: pathlib.Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while not endpoints.is_taken(port):
        if server.poll() is not None or time.monotonic() > until:
            *_, last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
            how = "was ended" if server.poll() is not None else f"did not listen within {_START_SECONDS:g} s"
            raise BadInputError(f"beam: expected Flink's job server to come up, it {how}: {last[:300]}; its log: {log}")
        time.sleep(0.1)
