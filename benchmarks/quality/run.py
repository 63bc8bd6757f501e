"""Trains and ranks every contender; writes benchmarks/results/quality.{json,md,svg} and quality_ranks.parquet.

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
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.quality import contenders, environments, lead, ranks, split, table, trials
from shortlist import datasets
from shortlist.config.config import Config
from shortlist.config.load import load_config
from shortlist.errors import DataError
from shortlist.tables import content, inputs

RESULTS = pathlib.Path("benchmarks/results")
CACHE = pathlib.Path("workspaces/bench-quality")
DEFAULT_SEEDS = (1,)
FULL_SEEDS = (1, 2, 3)
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
            if not bench.grid(model):
                print(f"{name} {model}: does not apply", flush=True)
                continue
            for seed in args.seeds if contenders.CONTENDERS[model].has_seed else DEFAULT_SEEDS:
                cell = _cell(bench, model, seed, args.fresh)
                if cell is None:
                    failed.append(f"{name} {model} seed {seed}")
                    continue
                # After each cell, so that an interrupted run leaves what it had, and another one what it has meanwhile.
                add(args.results, bench, *cell)
        compare(args.results, bench)
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


def prepare(name: str, cache: pathlib.Path) -> trials.Bench | None:
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
    return trials.Bench(name, config, data_dir, labelled, cache / name, inputs_sha256(config, data_dir))


def inputs_sha256(config: Config, data_dir: pathlib.Path) -> dict[str, str]:
    """Returns the fingerprints of all that the product reads of a data set."""
    schemas = content.files_sha256(inputs.find("*.pbtxt", config.data.schemas))
    return {**content.tables_sha256(config.data.tables, data_dir), "schemas": schemas}


def _cell(bench: trials.Bench, model: str, seed: int, fresh: bool) -> tuple[dict[str, Any], np.ndarray] | None:
    """Returns a cell's record and ranks, None where it failed; says how it went."""
    what = f"{bench.name} {model} seed {seed}"
    try:
        found = None if fresh else trials.find(bench, model, seed)
        if not found:
            print(f"{what} ...", flush=True)
        record, of_rows = found or trials.run(bench, model, seed)
    except (trials.TrialFailedError, subprocess.CalledProcessError) as error:
        print(f"{what}: failed: {error}", file=sys.stderr, flush=True)
        return None
    how = "cached" if found else f"training {record['train_seconds']:.1f} s"
    print(f"{what}: top_10 {record['top_10']:.4f}, top_100 {record['top_100']:.4f}, {how}", flush=True)
    return record, of_rows


def read(folder: pathlib.Path) -> Results:
    """Returns the results so far."""
    path = folder / "quality.json"
    return json.loads(path.read_text()) if path.exists() else {"records": [], "differences": []}


def add(folder: pathlib.Path, bench: trials.Bench, record: dict[str, Any], of_rows: np.ndarray) -> None:
    """Adds a record and the ranks of its test rows to the results."""
    results = read(folder)
    drop_other_rows(results, bench)
    put(results, record)
    write(folder, results, {**ranks.read(folder), ranks.TrialKey.of(record): of_rows})


def compare(folder: pathlib.Path, bench: trials.Bench) -> None:
    """Tells anew how far Shortlist is ahead on a data set, by the ranks that the results hold."""
    results, found = read(folder), ranks.read(folder)
    records = [record for record in results["records"] if record["data"] == bench.name]
    others = [difference for difference in results["differences"] if difference["data"] != bench.name]
    results["differences"] = [*others, *lead.differences(records, found, bench.labelled.split.test.query)]
    write(folder, results, found)
    lost = sorted({record["model"] for record in records if ranks.TrialKey.of(record) not in found})
    if lost:
        print(f"{bench.name}: not compared, for want of ranks: {', '.join(lost)}", flush=True)


def drop_other_rows(results: Results, bench: trials.Bench) -> None:
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


def write(folder: pathlib.Path, results: Results, found: Mapping[ranks.TrialKey, np.ndarray]) -> None:
    """Writes quality.json, quality.md and the ranks."""
    folder.mkdir(parents=True, exist_ok=True)
    ranks.write(folder, found, results["records"])
    (folder / "quality.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "quality.md").write_text(table.document(results))


def plot(folder: pathlib.Path) -> None:
    """Writes quality.svg."""
    script = environments.ROOT / "benchmarks/quality/plot.py"
    python = environments.python_of("bench-plot")
    subprocess.run([python, script, folder / "quality.json", folder / "quality.svg"], check=True)


if __name__ == "__main__":
    sys.exit(main())
