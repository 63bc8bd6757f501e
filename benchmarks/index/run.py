"""Measures all engines on the same vectors, and writes benchmarks/results/index.{json,md,svg}.

    make bench-index                                         # 1,682, 50,000 and 200,000 candidates; 20 minutes
    make bench-index BENCH_ARGS="--sizes 1000000"            # adds a size to the results; an hour, 8 GB
    make bench-index BENCH_ARGS="--engines 'shortlist scann' 'scann binding' --sizes 200000"
    make bench-index BENCH_ARGS="--minutes 10"               # as many cells as fit into 10 minutes

An engine at a size is a cell. Each cell runs in a process of its own, with all cores, one after the other: at each size
those whose ratios have a bar, then the peers at each size. Finished cells are not measured again while their code is
the same, so an interrupted benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.index import bars, data, table
from benchmarks.quality import contenders, environments
from shortlist import fingerprints

RESULTS = pathlib.Path("benchmarks/results")
VECTORS = pathlib.Path("workspaces/bench-index")
PEERS = "bench-index"
_MODULES = {
    "shortlist scann": "product",
    "shortlist scann, 3 searchers": "product",
    "shortlist exact": "product",
    "shortlist exact layer": "product",
    "empty signature": "product",
    "tfrs scann": "product",
    "tfrs brute force": "product",
    "scann binding": "product",
    "scann newest": "peers",
    "faiss flat": "peers",
    "faiss ivf flat": "peers",
    "usearch": "peers",
    "hnswlib": "peers",
}
_DEFAULT_SIZES = (1_682, 50_000, 200_000)
_TIMEOUT_SECONDS = 1_800
_SOURCES = {
    "product": ("data", "engine", "filtered", "peers", "product"),
    "peers": ("data", "engine", "filtered", "peers"),
}
_PRODUCT_CODE = (
    "components.indexer.export",
    "components.indexer.tuning",
    "shortlist.serving.input_tensors",
    "shortlist.serving.served_model",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the engines, writes the results and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=list(_DEFAULT_SIZES))
    parser.add_argument("--engines", nargs="+", choices=list(_MODULES), default=list(_MODULES))
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--minutes", type=float, help="end after this time; a cell that is running then is lost")
    parser.add_argument("--fresh", action="store_true", help="measure finished cells again")
    args = parser.parse_args(argv)
    end = time.monotonic() + 60 * args.minutes if args.minutes else None
    path = args.results / "index.json"
    failed: list[str] = []
    left: list[str] = []
    for engine, size in cells(args.engines, args.sizes):
        if not args.fresh and is_finished(path, engine, size):
            continue
        seconds = _TIMEOUT_SECONDS if end is None else min(_TIMEOUT_SECONDS, end - time.monotonic())
        records = run_engine(engine, data.write(VECTORS, size), seconds) if seconds > 0 else None
        if records is None:
            is_late = end is not None and time.monotonic() >= end
            (left if is_late else failed).append(f"{engine} at {size:,}")
            continue
        # After each cell: an interrupted run keeps its results.
        add(path, [record | {"code_sha256": code_sha256(engine)} for record in records])
        _write_documents(args.results)
    _write_documents(args.results)
    print((args.results / "index.md").read_text())
    for title, names in (("Left for another time", left), ("Failed", failed)):
        if names:
            print(f"{title}: {'; '.join(names)}", file=sys.stderr)
    return int(bool(failed))


def cells(engines: Sequence[str], sizes: Sequence[int]) -> list[tuple[str, int]]:
    """Returns engine and size of each cell in the order of their measurement."""
    found = [(engine, size) for size in sizes for engine in engines]
    return sorted(found, key=lambda cell: _MODULES[cell[0]] == "peers")


def is_finished(path: pathlib.Path, engine: str, size: int) -> bool:
    """Returns whether the results have an engine at a size, measured with today's code."""
    if not path.exists():
        return False
    records = json.loads(path.read_text())["records"]
    found = [it for it in records if (it["engine"], it["candidates"]) == (engine, size)]
    return bool(found) and all(it.get("code_sha256") == code_sha256(engine) for it in found)


def code_sha256(engine: str) -> str:
    """Returns the SHA-256 of the code and the locked versions that an engine's records depend on."""
    module = _MODULES[engine]
    files = [environments.ROOT / "benchmarks" / "index" / f"{name}.py" for name in _SOURCES[module]]
    if module == "peers":
        files.append(environments.ROOT / "requirements" / f"{PEERS}.txt")
    is_served = engine.startswith("shortlist") or engine == "empty signature"
    if is_served:
        files.append(environments.ROOT / "benchmarks" / "index" / "exports.py")
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files))
    if is_served:
        digest.update(fingerprints.code_sha256(*_PRODUCT_CODE).encode())
    return digest.hexdigest()[:16]


def _write_documents(results: pathlib.Path) -> None:
    records = json.loads((results / "index.json").read_text())["records"]
    (results / "index.md").write_text("\n".join([table.document(records), bars.document(records)]))
    _plot(results)


def run_engine(engine: str, vectors: data.Vectors, seconds: float) -> list[dict[str, Any]] | None:
    """Returns an engine's records, measured in a process of its own, or None if it failed or took too long."""
    module = _MODULES[engine]
    python = environments.python_of(PEERS if module == "peers" else contenders.PRODUCT)
    print(f"{engine}, {vectors.folder.name} ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder) / "records.json"
        command = [str(python), "-m", f"benchmarks.index.{module}", engine, str(vectors.folder), str(output)]
        environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        try:
            subprocess.run(command, check=True, timeout=seconds, env=environment, cwd=environments.ROOT)
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
