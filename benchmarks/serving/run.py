"""Measures `shortlist serve` with wrk: server and client on one core each, 10,000 different bodies, no cached answers.

    python -m benchmarks.serving.run --model SERVING_DIR --large SERVING_DIR [--seconds 600] [--only CELL ...]

wrk is a package of Debian and Ubuntu (`apt install wrk`); `python -m benchmarks.serving.model` makes the large model.
Each cell is recorded with its seconds in `benchmarks/results/serving.json` as soon as it is measured, and a later run
goes on with the others. The cells are those of docs/figures.md:

    large      the large model: one client with 50 exclusions, start to ready, and the signature called in process
    one        the same with the other model and 10 exclusions
    clients    16 clients: requests per second, latency, memory over time
    overload   requests at the rate that 16 clients reach, and at twice that rate, whatever the server does
    swaps      16 clients, and then 500 requests per second, while a version arrives every five seconds
    reloads    memory of the server while `--reloads` versions take over
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from typing import Any

from benchmarks.serving.cells import Cells
from benchmarks.serving.server import PORT, ROOT, Pusher, Server, loaded_versions, served
from shortlist.serving import versions
from shortlist.serving.catalogue import Catalogue

_BODIES = 10_000
_HISTORY = 50
_CELLS = ("large", "one", "clients", "overload", "swaps", "reloads")
_EXCLUSIONS, _EXCLUSIONS_OF_LARGE = 10, 50
_PARTS = 4
RESULTS = ROOT / "benchmarks" / "results" / "serving.json"
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


def write_bodies(model: pathlib.Path, path: pathlib.Path, exclusions: int) -> list[dict[str, Any]]:
    """Writes bodies with random histories, one per line, and returns them."""
    catalogue = Catalogue.of_version(model / str(versions.served_version(model)))
    if catalogue is None:
        raise SystemExit(f"{model} has a version without a catalogue; run the pipeline again")
    ids = catalogue.ids.to_pylist()
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
        # wrk refuses fractions of a second.
        f"-d{max(round(seconds), 1)}s",
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


def measure_load(server: Server, folder: pathlib.Path, clients: int, seconds: float) -> dict[str, Any]:
    """Returns throughput, latency, CPU time per request and memory, in four parts; `p99_ms` is the worst part's."""
    wrk(folder, clients, 2)
    start = server.cpu_seconds
    parts, memory = [], []
    for _ in range(_PARTS):
        parts.append(wrk(folder, clients, seconds / _PARTS))
        memory.append(round(server.memory_mb, 1))
    requests = sum(part["requests"] for part in parts)
    return {
        "requests_per_second": round(requests / sum(part["seconds"] for part in parts), 1),
        "p50_ms": round(statistics.median(part["p50_ms"] for part in parts), 3),
        "p99_ms": round(max(part["p99_ms"] for part in parts), 3),
        "max_ms": round(max(part["max_ms"] for part in parts), 3),
        "lost": sum(part["lost"] for part in parts),
        "cpu_ms_per_request": round((server.cpu_seconds - start) * 1e3 / requests, 3),
        "memory_mb": memory,
    }


def open_loop(folder: pathlib.Path, rate: float, seconds: float) -> dict[str, Any]:
    """Returns what a client on core 1 measures that sends requests at a rate, whatever the server does."""
    command = [str(shutil.which("taskset")), "--cpu-list", "1", sys.executable, "-m", "benchmarks.serving.open_loop"]
    options = ["--port", PORT, "--bodies", folder / "bodies", "--rate", rate, "--seconds", seconds]
    done = subprocess.run([*command, *map(str, options)], cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure_overload(model: pathlib.Path, folder: pathlib.Path, seconds: float) -> dict[str, Any]:
    """Returns answers per second at the rate that 16 clients reach, and at twice that rate."""
    with served(model) as server:
        wrk(folder, 16, 2)
        found = wrk(folder, 16, min(10.0, seconds))
        best = found["requests"] / found["seconds"]
        once, twice = (open_loop(folder, round(best * factor), seconds) for factor in (1, 2))
        memory = server.memory_mb
    share = twice["goodput"] / max(best, once["goodput"])
    return {"closed_loop": round(best, 1), "once": once, "twice": twice, "share": round(share, 3), "memory_mb": memory}


def measure_swaps(serving_dir: pathlib.Path, folder: pathlib.Path, seconds: float) -> dict[str, Any]:
    """Returns throughput and latency while a version arrives every five seconds."""
    figures: dict[str, Any] = {}
    for name in ("16_clients", "500_per_second"):
        pusher = Pusher(serving_dir, folder)
        with served(pusher.path), pusher.every(5):
            if name == "16_clients":
                wrk(folder, 16, 2)
                found: dict[str, Any] = wrk(folder, 16, seconds)
            else:
                found = open_loop(folder, 500, seconds)
            loaded = loaded_versions()
        figures[name] = found | {"versions": pusher.pushed, "versions_that_took_traffic": loaded}
    return figures


def measure_reloads(serving_dir: pathlib.Path, folder: pathlib.Path, count: int) -> dict[str, Any]:
    """Returns the memory after each of some versions that take over one after the other, with requests to each."""
    pusher = Pusher(serving_dir, folder)
    settings = folder / "serve.yaml"
    settings.write_text("poll_seconds: 0.1\n")
    body = (folder / "bodies").read_bytes().splitlines()[0]
    memory = []
    with served(pusher.path, settings) as server:
        for _ in range(count):
            pusher.push()
            while loaded_versions() < pusher.pushed:
                time.sleep(0.05)
            for _ in range(20):
                url = f"http://127.0.0.1:{PORT}/v1/recommend"
                with urllib.request.urlopen(urllib.request.Request(url, body, method="POST")) as answer:
                    answer.read()
            # The process of the version before ends meanwhile.
            time.sleep(0.3)
            memory.append(round(server.memory_mb, 1))
    return {"versions": count, "first_mb": memory[0], "last_mb": memory[-1], "most_mb": max(memory)}


def measure_in_process(serving_dir: pathlib.Path, bodies: list[dict[str, Any]], calls: int = 500) -> dict[str, float]:
    """Returns the latency of the signature alone, called in this process on core 0."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    from shortlist.serving.input_tensors import signature_inputs
    from shortlist.serving.served_model import load_served

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


def measure_one(model: pathlib.Path, folder: pathlib.Path, bodies: list[dict[str, Any]], seconds: float) -> Any:
    """Returns the latency of one client, the seconds from start to ready, and the latency of the signature alone."""
    for path in (model / str(versions.served_version(model))).rglob("*"):
        if path.is_file():
            # From now on the page cache has it, as on a server that restarts.
            path.read_bytes()
    with served(model) as server:
        found = {"ready_seconds": round(server.ready_seconds, 1), **measure_load(server, folder, 1, seconds)}
    return {**found, "in_process": measure_in_process(model, bodies)}


def measure_clients(model: pathlib.Path, folder: pathlib.Path, seconds: float) -> dict[str, Any]:
    """Returns throughput, latency and memory with 16 clients."""
    with served(model) as server:
        return measure_load(server, folder, 16, seconds)


def main(arguments: list[str]) -> int:
    """Measures what is not recorded, and prints each cell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, help="folder of versions, for all cells but `large`")
    parser.add_argument("--large", type=pathlib.Path, help="folder of versions with many candidates, for `large`")
    parser.add_argument("--seconds", type=float, default=600, help="length of each measurement")
    parser.add_argument("--reloads", type=int, default=50, help="number of versions for `reloads`")
    parser.add_argument("--only", nargs="+", choices=_CELLS, default=_CELLS, metavar="CELL")
    parser.add_argument("--again", action="store_true", help="measure cells again that are recorded")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS, help="file of the cells")
    options = parser.parse_args(arguments)
    for program in ("wrk", "taskset"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is not on PATH; on Debian and Ubuntu: apt install wrk util-linux")
    cells = Cells(options.results)
    for name in options.only:
        model = options.large if name == "large" else options.model
        if model is None:
            continue
        exclusions = _EXCLUSIONS_OF_LARGE if name == "large" else _EXCLUSIONS
        settings = {"seconds": options.seconds, "exclusions": exclusions, "history": _HISTORY}
        run = functools.partial(measure, name, model, exclusions, options.seconds, options.reloads)
        print(json.dumps({name: cells.measure(name, settings, run, options.again)}, indent=2), flush=True)
    return 0


def measure(name: str, model: pathlib.Path, exclusions: int, seconds: float, reloads: int) -> dict[str, Any]:
    """Returns the figures of a cell, see the module."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        bodies = write_bodies(model, folder / "bodies", exclusions)
        if name in ("large", "one"):
            return dict(measure_one(model, folder, bodies, seconds))
        if name == "clients":
            return measure_clients(model, folder, seconds)
        if name == "overload":
            return measure_overload(model, folder, seconds)
        if name == "swaps":
            return measure_swaps(model, folder, seconds)
        return measure_reloads(model, folder, reloads)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
