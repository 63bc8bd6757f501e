"""Measures all engines on the same vectors, and writes benchmarks/results/index.{json,md,svg}.

    make bench-index                                         # 1,682, 50,000 and 200,000 candidates; 20 minutes
    make bench-index BENCH_ARGS="--sizes 1000000"            # adds a size to the results; an hour, 8 GB
    make bench-index BENCH_ARGS="--engines 'shortlist scann' 'scann binding' --sizes 200000"

Each engine of each size runs in a process of its own, with all cores, one after the other. Results of other sizes and
engines stay in the file.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from benchmarks.index import data, table
from benchmarks.quality import contenders, environments

RESULTS = pathlib.Path("benchmarks/results")
VECTORS = pathlib.Path("workspaces/bench-index")
PEERS = "bench-index"
_MODULES = {
    "shortlist scann": "product",
    "shortlist exact": "product",
    "empty signature": "product",
    "tfrs scann": "product",
    "tfrs brute force": "product",
    "scann binding": "product",
    "scann newest": "peers",
    "hnswlib": "peers",
    "usearch": "peers",
    "faiss ivf flat": "peers",
    "faiss flat": "peers",
}
_DEFAULT_SIZES = (1_682, 50_000, 200_000)
_TIMEOUT_SECONDS = 1_800


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the engines, writes the results and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=list(_DEFAULT_SIZES))
    parser.add_argument("--engines", nargs="+", choices=list(_MODULES), default=list(_MODULES))
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args(argv)
    failed = []
    for size in args.sizes:
        vectors = data.write(VECTORS, size)
        for engine in args.engines:
            records = run_engine(engine, vectors)
            if records is None:
                failed.append(f"{engine} at {size:,}")
                continue
            # After each engine: an interrupted run keeps its results.
            add(args.results / "index.json", records)
    results = json.loads((args.results / "index.json").read_text())
    (args.results / "index.md").write_text(table.document(results["records"]))
    _plot(args.results)
    print(table.document(results["records"]))
    if failed:
        print(f"Failed: {'; '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def run_engine(engine: str, vectors: data.Vectors) -> list[dict[str, Any]] | None:
    """Returns an engine's records, measured in a process of its own, or None if it failed."""
    module = _MODULES[engine]
    python = environments.python_of(PEERS if module == "peers" else contenders.PRODUCT)
    print(f"{engine}, {vectors.folder.name} ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder) / "records.json"
        command = [str(python), "-m", f"benchmarks.index.{module}", engine, str(vectors.folder), str(output)]
        environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        try:
            subprocess.run(command, check=True, timeout=_TIMEOUT_SECONDS, env=environment, cwd=environments.ROOT)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"{engine}: {error}", file=sys.stderr)
            return None
        return list(json.loads(output.read_text()))


def add(path: pathlib.Path, records: Sequence[dict[str, Any]]) -> None:
    """Writes the records into the results; they replace those of the same engine and size."""
    results: dict[str, Any] = {"records": []}
    if path.exists():
        results = json.loads(path.read_text())
    replaced = {(record["engine"], record["candidates"]) for record in records}
    others = [it for it in results["records"] if (it["engine"], it["candidates"]) not in replaced]
    order = {engine: number for number, engine in enumerate(_MODULES)}
    results["records"] = sorted([*others, *records], key=lambda it: (it["candidates"], order[it["engine"]]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def _plot(results: pathlib.Path) -> None:
    python = environments.python_of("bench-plot")
    source, target = results / "index.json", results / "index.svg"
    subprocess.run([str(python), "benchmarks/index/plot.py", str(source), str(target)], check=True)


if __name__ == "__main__":
    sys.exit(main())
