"""The server that is measured, on core 0, and the pushes to it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator

from shortlist.serving import versions

ROOT = pathlib.Path(__file__).parents[2]
PORT = 18_599


class Server:
    """A server on core 0."""

    def __init__(self, model: pathlib.Path, settings: pathlib.Path | None = None) -> None:
        start = time.perf_counter()
        command = [sys.executable, "-m", "shortlist", "serve", "--model", str(model), "--port", str(PORT)]
        if settings is not None:
            command += ["--settings", str(settings)]
        self._process = subprocess.Popen(
            [str(shutil.which("taskset")), "--cpu-list", "0", *command, "--grpc-port", "0"],
            cwd=ROOT,
            stderr=subprocess.PIPE,
        )
        assert self._process.stderr is not None
        # Read to the end, else the pipe fills up.
        threading.Thread(target=self._process.stderr.read, daemon=True).start()
        while not self._is_ready():
            if self._process.poll() is not None:
                raise SystemExit("the server ended; start it by hand to see why")
            time.sleep(0.02)
        self.ready_seconds = time.perf_counter() - start

    @staticmethod
    def _is_ready() -> bool:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=5) as answer,
        ):
            return bool(answer.status == 200)
        return False

    @property
    def cpu_seconds(self) -> float:
        """Seconds of CPU so far, of all processes that run."""
        ticks = 0
        for pid in self._pids():
            with contextlib.suppress(OSError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    @property
    def memory_mb(self) -> float:
        """Resident memory of all processes; what they share counts once."""
        found = 0
        for pid in self._pids():
            with contextlib.suppress(OSError):
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                found += int(re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)[0])
        return found / 1024

    def _pids(self) -> list[int]:
        """Returns the processes of the server: its own, the loader's, and one per version."""
        parents: dict[int, list[int]] = {}
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = path.read_text().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
        found = [self._process.pid]
        for pid in found:
            found.extend(parents.get(pid, ()))
        return found

    def close(self) -> None:
        """Ends the server at once."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=60)


@contextlib.contextmanager
def served(model: pathlib.Path, settings: pathlib.Path | None = None) -> Iterator[Server]:
    """Yields a server of a folder of versions."""
    server = Server(model, settings)
    try:
        yield server
    finally:
        server.close()


class Pusher:
    """Copies a version again and again into a serving folder of its own, as a push does."""

    def __init__(self, serving_dir: pathlib.Path, folder: pathlib.Path) -> None:
        self.path = folder / "swapped" / serving_dir.name
        self._source = serving_dir / str(versions.served_version(serving_dir))
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(self._source, self.path / "1")
        self.pushed = 1

    def push(self) -> None:
        """Adds a version; with `push.keep_versions: 3` the oldest one goes."""
        self.pushed += 1
        staged = self.path / f".staging-{self.pushed}"
        shutil.copytree(self._source, staged)
        staged.rename(self.path / str(self.pushed))
        shutil.rmtree(self.path / str(self.pushed - 3), ignore_errors=True)

    @contextlib.contextmanager
    def every(self, seconds: float) -> Iterator[None]:
        """Adds versions in a thread within the body."""
        is_over = threading.Event()

        def run() -> None:
            while not is_over.wait(seconds):
                self.push()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


def loaded_versions() -> float:
    """Returns the number of versions that took traffic since the server's start."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics") as answer:
        return float(re.findall(rb"^shortlist_loaded_versions_total (\S+)", answer.read(), re.MULTILINE)[0])
