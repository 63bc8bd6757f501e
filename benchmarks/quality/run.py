"""Trains and ranks every contender and writes benchmarks/results/quality.{json,md,svg}.

    make bench-quality                                          # MovieLens 100K, one seed
    make bench-quality BENCH_ARGS=--full                        # all data sets, 3 seeds; hours
    make bench-quality BENCH_ARGS="--full --models shortlist"   # after a change of Shortlist's presets or code

What was run before comes from the cache; interrupt it and start it again as you like. Data sets other than MovieLens
100K are read from SHORTLIST_DATA_DIR, and skipped where they are not and cannot be fetched.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.quality import cells, contenders, environments, split, table
from shortlist import bootstrap, datasets
from shortlist.config import load_config
from shortlist.errors import DataError

RESULTS = pathlib.Path("benchmarks/results")
CACHE = pathlib.Path("workspaces/bench-quality")
DEFAULT_SEEDS = (1,)
FULL_SEEDS = (1, 2, 3)
DIFFERENCE_KS = (10, 100)
Results = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the cells that are asked for, writes the results and returns the exit code."""
    args = _arguments(argv)
    failed = []
    for name in args.data:
        bench = prepare(name, args.cache)
        if bench is None:
            failed.append(name)
            continue
        for model in args.models:
            for seed in args.seeds if contenders.CONTENDERS[model].has_seed else DEFAULT_SEEDS:
                record = _cell(bench, model, seed, args.fresh)
                if record is None:
                    failed.append(f"{name} {model} seed {seed}")
                    continue
                # After each cell, so that an interrupted run leaves what it had, and another one what it has meanwhile.
                update(args.results, bench, record)
        update(args.results, bench)
    results = read(args.results)
    print(f"\n{table.document(results)}")
    if results["records"]:
        plot(args.results)
    if failed:
        print(f"Not in the table: {'; '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="all data sets, 3 seeds")
    parser.add_argument("--data", nargs="+", choices=list(split.RECIPES), help=f"default: {contenders.DEFAULT_DATA}")
    parser.add_argument("--models", nargs="+", choices=list(contenders.CONTENDERS), default=list(contenders.CONTENDERS))
    parser.add_argument("--seeds", nargs="+", type=int, help="default: 1")
    parser.add_argument("--fresh", action="store_true", help="run the cells that are asked for again")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--cache", type=pathlib.Path, default=CACHE)
    args = parser.parse_args(argv)
    args.data = args.data or (list(split.RECIPES) if args.full else [contenders.DEFAULT_DATA])
    args.seeds = args.seeds or (FULL_SEEDS if args.full else DEFAULT_SEEDS)
    return args


def prepare(name: str, cache: pathlib.Path) -> cells.Bench | None:
    """Returns a data set with its split; None, with a message, where its files are not to be had."""
    config = load_config(split.RECIPES[name].config)
    # Where SHORTLIST_DATA_DIR has some of the data sets only, `data` has the others.
    for data_dir in (datasets.default_data_dir(), pathlib.Path("data")):
        if (data_dir / config.data.interactions.path).exists():
            break
    else:
        try:
            print(f"{name}: fetching ...", flush=True)
            datasets.fetch(config.data.source or name, data_dir)
        except DataError as error:
            print(f"{name}: skipped, {error}", file=sys.stderr, flush=True)
            return None
    labelled = split.make(name, data_dir)
    return cells.Bench(name, config, data_dir, labelled, cache / name)


def _cell(bench: cells.Bench, model: str, seed: int, fresh: bool) -> dict[str, Any] | None:
    """Returns a cell's record, None where it failed; says how it went."""
    what = f"{bench.name} {model} seed {seed}"
    try:
        found = None if fresh else cells.find(bench, model, seed)
        if not found:
            print(f"{what} ...", flush=True)
        record, _ = found or cells.run(bench, model, seed)
    except (cells.CellFailedError, subprocess.CalledProcessError) as error:
        print(f"{what}: failed: {error}", file=sys.stderr, flush=True)
        return None
    how = "cached" if found else f"training {record['train_seconds']:.1f} s"
    print(f"{what}: top_10 {record['top_10']:.4f}, top_100 {record['top_100']:.4f}, {how}", flush=True)
    return record


def read(folder: pathlib.Path) -> Results:
    """Returns the results so far."""
    path = folder / "quality.json"
    return json.loads(path.read_text()) if path.exists() else {"records": [], "differences": []}


def update(folder: pathlib.Path, bench: cells.Bench, record: dict[str, Any] | None = None) -> None:
    """Adds a record to the results, or without one tells how far Shortlist is ahead."""
    results = read(folder)
    drop_other_rows(results, bench)
    if record:
        put(results, record)
    else:
        others = [found for found in results["differences"] if found["data"] != bench.name]
        results["differences"] = [*others, *differences(results, bench)]
    write(folder, results)


def drop_other_rows(results: Results, bench: cells.Bench) -> None:
    """Forgets records of a data set whose rows were others."""
    results["records"] = [
        record
        for record in results["records"]
        if record["data"] != bench.name or record["rows_sha256"] == bench.labelled.rows_sha256
    ]


def put(results: Results, record: dict[str, Any]) -> None:
    """Adds a record in place of its predecessor and of other seeds' that another recipe gave; keeps them in order."""
    kept = [
        old
        for old in results["records"]
        if (old["data"], old["model"]) != (record["data"], record["model"])
        or (old["seed"] != record["seed"] and old["recipe_sha256"] == record["recipe_sha256"])
    ]
    places = (list(split.RECIPES), list(contenders.CONTENDERS))
    results["records"] = sorted(
        [*kept, record],
        key=lambda one: (places[0].index(one["data"]), places[1].index(one["model"]), one["seed"]),
    )


def differences(results: Results, bench: cells.Bench) -> list[dict[str, Any]]:
    """Returns how far Shortlist is ahead of each peer whose ranks are in the cache."""
    ranks: dict[str, list[np.ndarray]] = {}
    for record in results["records"]:
        if record["data"] == bench.name and (found := cells.find(bench, record["model"], record["seed"])):
            ranks.setdefault(record["model"], []).append(found[1])
    ours = ranks.pop(contenders.SHORTLIST, None)
    if ours is None:
        return []
    queries = bench.labelled.split.test.query
    return [
        {"data": bench.name, "against": model, "metric": f"top_{k}", "level": bootstrap.LEVEL}
        | bootstrap.difference_of_top_k(ours, theirs, queries, k)._asdict()
        for model, theirs in ranks.items()
        for k in DIFFERENCE_KS
    ]


def write(folder: pathlib.Path, results: Results) -> None:
    """Writes quality.json and quality.md."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "quality.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "quality.md").write_text(table.document(results))


def plot(folder: pathlib.Path) -> None:
    """Writes quality.svg."""
    script = environments.ROOT / "benchmarks/quality/plot.py"
    python = environments.python_of("bench-plot")
    subprocess.run([python, script, folder / "quality.json", folder / "quality.svg"], check=True)


if __name__ == "__main__":
    sys.exit(main())
