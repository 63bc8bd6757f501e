"""Benchmark of Beam's engines on one machine: seconds, CPU seconds and peak memory of each step.

    python -m benchmarks.engines --interactions 300000

The data is that of `benchmarks.direct_runner`, and so are the steps: ingestion, statistics and windows. Each engine
runs in its own process:

- `direct`: one worker in the run's own process, the default.
- `processes`: the direct runner with two worker processes (`running_mode: multi_processing`).
- `portable`: Beam's own job server and `shortlist worker`. That server gives each job to one worker, whatever the
  options say.

CPU seconds and memory are those of the run with its job server and workers. The sum of the processes' memory counts
shared libraries more than once. The figures are written to `benchmarks/results/engines.json` and `.md`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks import direct_runner
from components.trainer import cluster
from shortlist import datasets
from shortlist.process import endpoints

ENGINES = ("direct", "processes", "portable")
_STEPS = {"Ingestion": "Gen", "Statistics": "Statistics", "Windows": "Windows"}
"""Names of the steps, and the ends of the names of their nodes."""

_SAMPLE_SECONDS = 0.1
_START_SECONDS = 300.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main(argv: Sequence[str] | None = None) -> None:
    """Measures each engine and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=int, default=3 * direct_runner.COPY_ROWS)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--results", type=pathlib.Path, default=direct_runner.RESULTS, help="folder of the figures")
    parser.add_argument("--measure", type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.measure:
        (args.measure / "measured.json").write_text(json.dumps(measure(args.measure, args.engines[0])))
        return
    copies, rest = divmod(args.interactions, direct_runner.COPY_ROWS)
    if rest or not copies:
        parser.error(f"--interactions: expected a multiple of {direct_runner.COPY_ROWS:,}, got {args.interactions:,}")
    data = datasets.fetch("movielens-100k", datasets.default_data_dir()).path
    runs = {}
    for engine in args.engines:
        with tempfile.TemporaryDirectory() as folder:
            direct_runner.replicate(data, pathlib.Path(folder, "movielens-100k"), copies)
            runs[engine] = _run_alone(pathlib.Path(folder), engine)
        print(table({engine: runs[engine]}), flush=True)
    args.results.mkdir(parents=True, exist_ok=True)
    results = {"interactions": args.interactions, "machine": direct_runner.machine(), "runs": runs}
    (args.results / "engines.json").write_text(json.dumps(results, indent=2) + "\n")
    (args.results / "engines.md").write_text(f"{args.interactions:,} interactions.\n\n{table(runs)}\n")


def measure(folder: pathlib.Path, engine: str) -> dict[str, dict[str, float]]:
    """Runs the steps by an engine; returns seconds, CPU seconds and peak memory (MiB) of each node."""
    listener = _TreeListener()
    with _settings(folder, engine) as beam:
        direct_runner.run_pipeline(folder, beam, listener)
    return listener.nodes


def table(runs: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the figures as a Markdown table with a line per engine."""
    names = " | ".join(_STEPS)
    lines = [f"| engine | {names} | all |", f"|---|{'---:|' * (len(_STEPS) + 1)}"]
    for engine, nodes in runs.items():
        if "failed" in nodes:
            lines.append(f"| `{engine}` | {nodes['failed']} |")
            continue
        groups = [[node for name, node in nodes.items() if name.endswith(end)] for end in _STEPS.values()]
        cells = [_cell(group) for group in [*groups, list(nodes.values())]]
        lines.append(f"| `{engine}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(nodes: Sequence[Mapping[str, float]]) -> str:
    seconds, cpu = (sum(node[name] for node in nodes) for name in ("seconds", "cpu_seconds"))
    return f"{seconds:.0f} s, CPU {cpu:.0f} s, {max(node['peak_mb'] for node in nodes):,.0f} MB"


def _run_alone(folder: pathlib.Path, engine: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.engines", "--engines", engine, "--measure", str(folder)]
    with (folder / "log").open("w") as log:
        code = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
    if code:
        return {"failed": f"exit code {code}", "log": (folder / "log").read_text(errors="replace")[-2000:]}
    return dict(json.loads((folder / "measured.json").read_text()))


@contextlib.contextmanager
def _settings(folder: pathlib.Path, engine: str) -> Iterator[dict[str, object]]:
    """Runs the servers of an engine within its body; yields the settings of the section `beam`, by dotted name."""
    if engine == "direct":
        yield {}
    elif engine == "processes":
        yield {"beam.running_mode": "multi_processing", "beam.num_workers": 2}
    else:
        free = cluster.loopback(2)
        jobs, workers = (free.address(number)[1] for number in range(2))
        module = "apache_beam.runners.portability.local_job_service_main"
        server = [sys.executable, "-m", module, f"--job_port={jobs}", f"--staging_dir={folder / 'staging'}"]
        pool = [sys.executable, "-m", "shortlist", "worker", "--port", str(workers)]
        with _server(server, jobs), _server(pool, workers):
            endpoints = {"beam.job_endpoint": f"localhost:{jobs}", "beam.worker_endpoint": f"localhost:{workers}"}
            yield {"beam.engine": "portable", **endpoints}


@contextlib.contextmanager
def _server(command: Sequence[str], port: int) -> Iterator[None]:
    """Runs a server within its body, and its children."""
    process = subprocess.Popen(command, start_new_session=True)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not endpoints.is_taken(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[2]} does not listen")
            time.sleep(_SAMPLE_SECONDS)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class _TreeListener:
    """Records seconds, CPU seconds and peak memory of each node, of this process and of all that it has started."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, float]] = {}
        self._before = 0.0
        self._peak = 0.0
        self._ended = threading.Event()
        self._sampler: threading.Thread | None = None

    def node_started(self, node_id: str, index: int, total: int) -> None:
        """Begins the measurement."""
        self._before, self._peak = tree_usage()
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()

    def node_finished(self, result: Any) -> None:
        """Ends the measurement, and stops the run after the last measured node."""
        self._ended.set()
        if self._sampler is not None:
            self._sampler.join()
        cpu = tree_usage()[0] - self._before
        self.nodes[result.node_id] = {"seconds": result.seconds, "cpu_seconds": cpu, "peak_mb": self._peak}
        if result.node_id == direct_runner.LAST_NODE:
            raise direct_runner.Done

    def node_failed(self, node_id: str, seconds: float) -> None:
        """Does nothing: the failure ends the process."""

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            self._peak = max(self._peak, tree_usage()[1])


def tree_usage() -> tuple[float, float]:
    """Returns CPU seconds and resident memory (MiB) of this process and its descendants, ended ones included."""
    # proc(5): after the command's closing parenthesis, field 1 is the parent, 11 to 14 the times, 21 the pages.
    stats: dict[int, list[str]] = {}
    for entry in pathlib.Path("/proc").iterdir():
        # A process can end meanwhile.
        with contextlib.suppress(OSError, ValueError):
            stats[int(entry.name)] = (entry / "stat").read_text().rpartition(")")[2].split()
    tree, added = {os.getpid()}, True
    while added:
        found = {process for process, fields in stats.items() if int(fields[1]) in tree}
        added = not found <= tree
        tree |= found
    mine = [stats[process] for process in tree if process in stats]
    ticks = sum(int(field) for fields in mine for field in fields[11:15])
    return ticks / _TICKS, sum(int(fields[21]) for fields in mine) * _PAGE / 2**20


if __name__ == "__main__":
    main()
