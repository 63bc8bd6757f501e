"""Measures `shortlist serve` with wrk: server and client on one core each, 10,000 different bodies, no cached answers.

    python -m benchmarks.serving.run --model SERVING_DIR [--large SERVING_DIR] [--seconds 600] [--output FILE]

wrk is a package of Debian and Ubuntu (`apt install wrk`). The scenarios are those of docs/figures.md: throughput with
16 clients and memory over time, the same while a version is swapped every five seconds, one client beside the signature
in process, and the time from start to ready.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

from shortlist.serving import versions

ROOT = pathlib.Path(__file__).parents[2]
PORT = 18_599
_BODIES = 10_000
_HISTORY = 50
_SCRIPT = """
local bodies = {}
for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end
local number = 0
request = function()
  number = number % #bodies + 1
  return wrk.format("POST", "/v1/recommend", {["content-type"] = "application/json"}, bodies[number])
end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'JSON {"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "max_ms": %f, "lost": %d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


class Server:
    """A server on core 0."""

    def __init__(self, model: pathlib.Path) -> None:
        start = time.perf_counter()
        command = [sys.executable, "-m", "shortlist", "serve", "--model", str(model), "--port", str(PORT)]
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
def served(model: pathlib.Path) -> Iterator[Server]:
    """Yields a server of a folder of versions."""
    server = Server(model)
    try:
        yield server
    finally:
        server.close()


def write_bodies(model: pathlib.Path, path: pathlib.Path, exclusions: int) -> list[dict[str, Any]]:
    """Writes bodies with random histories, one per line, and returns them."""
    from shortlist.serving.client import Recommender

    newest = model / str(versions.served_version(model))
    recommender = Recommender(newest)
    ids = [item.decode() for item in recommender._model.trained.candidate_ids.numpy()]
    generator = random.Random(1)  # noqa: S311  Not for secrets.
    bodies = []
    for _ in range(_BODIES):
        chosen = generator.sample(ids, _HISTORY + exclusions)
        history = [{"id": item, "time": 891_000_000 + 60 * row} for row, item in enumerate(chosen[:_HISTORY])]
        bodies.append({"history": history, "exclude": chosen[_HISTORY:], "k": 10, "at": 891_100_000})
    path.write_text("".join(json.dumps(body) + "\n" for body in bodies), encoding="utf-8")
    return bodies


def wrk(folder: pathlib.Path, clients: int, seconds: float) -> dict[str, float]:
    """Returns what wrk measures with clients on core 1."""
    script = folder / "wrk.lua"
    script.write_text(_SCRIPT, encoding="utf-8")
    command = [
        str(shutil.which("taskset")),
        "--cpu-list",
        "1",
        "wrk",
        "-t1",
        f"-c{clients}",
        f"-d{seconds:g}s",
        "--timeout",
        "10s",
    ]
    done = subprocess.run(
        [*command, "-s", str(script), f"http://127.0.0.1:{PORT}"],
        env={**os.environ, "BODIES": str(folder / "bodies")},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(re.findall(r"^JSON (.*)$", done.stdout, re.MULTILINE)[0])
    return found


def measure_load(server: Server, folder: pathlib.Path, clients: int, seconds: float) -> dict[str, float]:
    """Returns throughput, latency, CPU time per request and memory."""
    wrk(folder, clients, 2)
    minute = min(60.0, seconds / 2)
    start = server.cpu_seconds
    first = wrk(folder, clients, minute)
    memory = server.memory_mb
    rest = wrk(folder, clients, seconds - minute)
    requests = first["requests"] + rest["requests"]
    return {
        **{name: round(value, 3) for name, value in rest.items()},
        "requests_per_second": round(requests / (first["seconds"] + rest["seconds"]), 1),
        "cpu_ms_per_request": round((server.cpu_seconds - start) * 1e3 / requests, 3),
        "memory_first_mb": round(memory, 1),
        "memory_last_mb": round(server.memory_mb, 1),
    }


def measure_swaps(serving_dir: pathlib.Path, folder: pathlib.Path, seconds: float) -> dict[str, float]:
    """Returns the same while a version arrives every five seconds."""
    copy = folder / "swapped" / serving_dir.name
    source = serving_dir / str(versions.served_version(serving_dir))
    shutil.copytree(source, copy / "1")
    is_over = threading.Event()
    pushed = 1

    def push() -> None:
        nonlocal pushed
        while not is_over.wait(5):
            pushed += 1
            shutil.copytree(source, copy / f".staging-{pushed}")
            (copy / f".staging-{pushed}").rename(copy / str(pushed))
            # As a push does with `push.keep_versions: 3`.
            shutil.rmtree(copy / str(pushed - 3), ignore_errors=True)

    with served(copy) as server:
        thread = threading.Thread(target=push)
        thread.start()
        try:
            found = measure_load(server, folder, 16, seconds)
        finally:
            is_over.set()
            thread.join()
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics") as answer:
            loaded = re.findall(rb"^shortlist_loaded_versions_total (\S+)", answer.read(), re.MULTILINE)
    return found | {"versions": pushed, "versions_that_took_traffic": float(loaded[0])}


def measure_in_process(serving_dir: pathlib.Path, bodies: list[dict[str, Any]], calls: int = 500) -> dict[str, float]:
    """Returns the latency of the signature alone, called in this process on core 0."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    from shortlist.serving.client import load_served, signature_inputs

    signature = load_served(serving_dir / str(versions.served_version(serving_dir))).signatures["recommend"]
    specs = signature.structured_input_signature[1]
    times = []
    for body in bodies[:calls]:
        ids = [event["id"] for event in body["history"]]
        row = {
            "history_ids": ids,
            "history_times": [event["time"] for event in body["history"]],
            "query_time": body["at"],
            "k": 10,
            "exclude": ids + body["exclude"],
        }
        inputs = signature_inputs(specs, [row])
        start = time.perf_counter()
        signature(**inputs)["ids"].numpy()
        times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    os.sched_setaffinity(0, cores)
    return {"p50_ms": round(times[len(times) // 2], 3), "p99_ms": round(times[len(times) * 99 // 100], 3)}


def main(arguments: list[str]) -> int:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, required=True, help="folder of versions")
    parser.add_argument("--large", type=pathlib.Path, help="folder of versions of a model with 200,000 candidates")
    parser.add_argument("--seconds", type=float, default=600, help="length of each measurement")
    parser.add_argument("--output", type=pathlib.Path, help="file for the figures")
    options = parser.parse_args(arguments)
    for program in ("wrk", "taskset"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is not on PATH; on Debian and Ubuntu: apt install wrk util-linux")
    figures: dict[str, Any] = {"load_average_before": os.getloadavg()[0]}
    print(__doc__.splitlines()[0], file=sys.stderr)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        bodies = write_bodies(options.model, folder / "bodies", 10)
        with served(options.model) as server:
            figures["ready_seconds"] = round(server.ready_seconds, 1)
            figures["16_clients"] = measure_load(server, folder, 16, options.seconds)
            figures["1_client"] = measure_load(server, folder, 1, min(options.seconds, 60))
            figures["32_clients"] = measure_load(server, folder, 32, min(options.seconds, 60))
        figures["in_process"] = measure_in_process(options.model, bodies)
        figures["swaps"] = measure_swaps(options.model, folder, options.seconds)
        if options.large is not None:
            large = write_bodies(options.large, folder / "bodies", 50)
            with served(options.large) as server:
                figures["large_ready_seconds"] = round(server.ready_seconds, 1)
                figures["large_1_client"] = measure_load(server, folder, 1, min(options.seconds, 60))
            figures["large_in_process"] = measure_in_process(options.large, large)
    text = json.dumps(figures, indent=2)
    print(text)
    if options.output is not None:
        options.output.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
