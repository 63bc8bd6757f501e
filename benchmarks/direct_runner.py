"""Benchmark of Beam's direct runner on this machine: seconds and peak memory by number of rows.

    python -m benchmarks.direct_runner --interactions 100000 1000000 3000000

The data is MovieLens 100K, replicated with shifted query ids: each copy of a query has its own id and the same
interactions, so that the catalogue stays small. The benchmark measures ingestion, statistics and windows, whose cost
grows with the rows. `--whole` continues to the push, with one epoch of training. Each size runs in its own process. The
figures are written to `benchmarks/results/direct_runner.json` and `.md`.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shortlist import datasets, environment
from shortlist.process import memory

if TYPE_CHECKING:
    from pipeline.local_runner import RunListener

RESULTS = pathlib.Path(__file__).parent / "results"
DATA_NOTE = "MovieLens 100K, replicated with shifted query ids"
COPY_ROWS = 100_000
# The cost of later nodes depends on the model, too.
LAST_NODE = "Windows"
MB = 2**20


def main(argv: Sequence[str] | None = None) -> None:
    """Measures each size and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=int, nargs="+", default=[COPY_ROWS, 10 * COPY_ROWS, 30 * COPY_ROWS])
    parser.add_argument("--whole", action="store_true", help="continue to the push, with one epoch of training")
    parser.add_argument("--mode", default="in_memory", help="Beam's --direct_running_mode")
    parser.add_argument("--workers", type=int, default=1, help="Beam's --direct_num_workers")
    parser.add_argument("--scratch", help="folder for data and workspaces; by default the system's temporary one")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS, help="folder of the figures")
    parser.add_argument("--measure", type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.measure:
        (args.measure / "measured.json").write_text(json.dumps(measure(args.measure, args)))
        return
    data = datasets.fetch("movielens-100k", datasets.default_data_dir()).path
    runs = []
    for interactions in args.interactions:
        if interactions % COPY_ROWS:
            parser.error(f"--interactions: expected multiples of {COPY_ROWS:,}, got {interactions:,}")
        with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
            runs.append(run_alone(pathlib.Path(folder), data, interactions // COPY_ROWS, sys.argv[1:]))
        print(table(runs[-1:]), flush=True)
    write(args.results, {"data": DATA_NOTE, "machine": machine(), "beam": beam_settings(args), "runs": runs})


def replicate(source: pathlib.Path, target: pathlib.Path, copies: int) -> None:
    """Writes interactions and queries `copies` times, with query ids `<copy>-<id>`, and the catalogue once."""
    target.mkdir(parents=True)
    (target / "candidates.csv").write_bytes((source / "candidates.csv").read_bytes())
    for name in ("interactions.csv", "queries.csv"):
        with (source / name).open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        query = header.index("user_id")
        with (target / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            for copy in range(copies):
                writer.writerows([*row[:query], f"{copy}-{row[query]}", *row[query + 1 :]] for row in rows)


def run_alone(folder: pathlib.Path, data: pathlib.Path, copies: int, argv: Sequence[str]) -> dict[str, Any]:
    """Measures one size in a new process, so that its peak memory includes no earlier size."""
    replicate(data, folder / "movielens-100k", copies)
    command = [sys.executable, "-m", "benchmarks.direct_runner", *argv, "--measure", str(folder)]
    with (folder / "log").open("w") as log:
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = (folder / "log").read_text(errors="replace")[-2000:]
        return {"interactions": copies * COPY_ROWS, "failed": f"exit code {process.returncode}", "log": tail}
    measured = json.loads((folder / "measured.json").read_text())
    return measured | {
        "interactions": copies * COPY_ROWS,
        "megabytes": round((folder / "movielens-100k/interactions.csv").stat().st_size / MB, 1),
        "process_seconds": round(time.monotonic() - start, 1),
        # `ru_maxrss` covers the last node only, since each node resets the kernel's peak.
        "peak_rss_mb": max([round(usage.ru_maxrss / 1024), *measured["peak_mb"].values()]),
    }


def measure(folder: pathlib.Path, args: argparse.Namespace) -> dict[str, Any]:
    """Runs the pipeline or its first part, and returns seconds and peak memory (MiB) by node."""
    listener = _MeasuringListener(None if args.whole else LAST_NODE)
    beam = {"beam.running_mode": args.mode, "beam.num_workers": args.workers}
    fingerprints = run_pipeline(folder, beam, listener)
    return {"seconds": {"fingerprints": fingerprints} | listener.seconds, "peak_mb": listener.peak_mb}


def run_pipeline(folder: pathlib.Path, beam: Mapping[str, object], listener: RunListener) -> float:
    """Runs the MovieLens 100K preset with one epoch on the tables in `folder`, until its end or `Done`.

    Args:
      folder: Folder of the data and the workspace.
      beam: Settings of the section `beam`, by dotted name.
      listener: Called at each node's start and end; may raise `Done`.

    Returns:
      The seconds that the fingerprints of the tables took.
    """
    environment.prepare()
    from pipeline.create_pipeline import create_pipeline
    from pipeline.local_runner import LocalRunner
    from pipeline.run import pinned_sources
    from shortlist.config.load import load_config
    from shortlist.lineage.database import database
    from shortlist.workspace import Workspace

    overrides = {"workspace": str(folder / "workspace"), "train.epochs": 1, **beam}
    config = load_config(pathlib.Path("configs/movielens_100k.yaml"), overrides)
    workspace = Workspace(folder / "workspace", config.name)
    metadata = database(workspace)
    metadata.begin_run("benchmark")
    start = time.monotonic()
    sources = pinned_sources(config, workspace, folder, "seconds")
    seconds = round(time.monotonic() - start, 2)
    with contextlib.suppress(Done):
        LocalRunner("benchmark", listener, metadata.connection()).run(create_pipeline(config, sources, workspace))
    return seconds


class Done(Exception):
    """Stops a run after its last measured node."""


class _MeasuringListener:
    """Records seconds and peak memory of each node. Peak memory is that of the whole process during the node."""

    def __init__(self, last_node: str | None) -> None:
        self._last_node = last_node
        self.seconds: dict[str, float] = {}
        self.peak_mb: dict[str, int] = {}
        self._meter = memory.Meter()

    def node_started(self, node_id: str, index: int, total: int) -> None:
        """Resets the kernel's peak memory of this process."""
        self._meter.start()

    def node_finished(self, result: Any) -> None:
        """Records seconds and peak memory, and stops the run after the last measured node."""
        self.seconds[result.node_id] = round(result.seconds, 2)
        self.peak_mb[result.node_id] = int(self._meter.peak_mb() or 0)
        if result.node_id == self._last_node:
            raise Done

    def node_failed(self, node_id: str, seconds: float) -> None:
        """Does nothing: the failure ends the process."""


def beam_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Returns Beam's version and settings."""
    import apache_beam

    return {"version": apache_beam.__version__, "running_mode": args.mode, "num_workers": args.workers}


def machine() -> dict[str, Any]:
    """Returns the hardware and Python version that the figures depend on."""
    total = re.search(r"MemTotal:\s+(\d+) kB", pathlib.Path("/proc/meminfo").read_text())
    cpu = re.search(r"model name\s*: (.+)", pathlib.Path("/proc/cpuinfo").read_text())
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(int(total[1]) / 2**20, 1) if total else None,
        "cpu": cpu[1] if cpu else platform.processor(),
        "python": platform.python_version(),
    }


def table(runs: Sequence[Mapping[str, Any]]) -> str:
    """Returns the figures as a Markdown table with a line per size."""
    lines = [
        "| interactions | MB | ingestion s | statistics s | windows s | all s | peak MB: ingestion | statistics "
        "| windows | process |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for run in runs:
        if "failed" in run:
            lines.append(f"| {run['interactions']:,} | {run['failed']} |")
            continue
        seconds, peaks = run["seconds"], run["peak_mb"]
        groups = [[node for node in peaks if node.endswith(kind)] for kind in ("Gen", "Statistics", "Windows")]
        cells = [
            f"{run['interactions']:,}",
            f"{run['megabytes']:.0f}",
            *(f"{sum(seconds[node] for node in group):.0f}" for group in groups),
            f"{sum(seconds.values()):.0f}",
            *(f"{max(peaks[node] for node in group):,}" for group in groups),
            f"{run['peak_rss_mb']:,}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write(folder: pathlib.Path, results: Mapping[str, Any]) -> None:
    """Writes direct_runner.json and direct_runner.md."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "direct_runner.json").write_text(json.dumps(results, indent=2) + "\n")
    host, beam = results["machine"], results["beam"]
    text = (
        f"{results['data']}. Beam {beam['version']}, {beam['running_mode']}, {beam['num_workers']} worker(s); "
        f"{host['cores']} cores ({host['cpu']}), {host['memory_gb']} GB. Seconds are those of the nodes; `process` is "
        f"the peak of the whole process, TFX and TensorFlow included.\n\n{table(results['runs'])}\n"
    )
    (folder / "direct_runner.md").write_text(text)


if __name__ == "__main__":
    main()
