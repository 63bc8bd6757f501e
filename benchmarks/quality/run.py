"""Trains and ranks all contenders, and writes benchmarks/results/quality.{json,md,svg} and quality_ranks.parquet.

    make bench-quality                                          # MovieLens 100K, one seed
    make bench-quality BENCH_ARGS=--full                        # all data sets, 3 seeds; hours
    make bench-quality BENCH_ARGS="--full --models shortlist"   # after a change of Shortlist's presets or code

Trials that ran before come from the cache, so that the command can be interrupted and started again. Data sets other
than MovieLens 100K are read from SHORTLIST_DATA_DIR. A data set that is neither there nor can be fetched is skipped.
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
    """Runs the trials of the given data sets, models and seeds, writes the results and returns the exit code."""
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
                trial = _run_trial(bench, model, seed, args.fresh)
                if trial is None:
                    failed.append(f"{name} {model} seed {seed}")
                    continue
                # After each trial: an interrupted run keeps its results, and two runs at once see each other's.
                add(args.results, bench, *trial)
        compare(args.results, bench)
    results = read(args.results)
    print(f"\n{table.document(results)}")
    if results["records"]:
        plot(args.results)
    if failed:
        print(f"Not in the table: {'; '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="all data sets, 3 seeds")
    parser.add_argument("--data", nargs="+", choices=list(split.RECIPES), help=f"default: {contenders.DEFAULT_DATA}")
    parser.add_argument("--models", nargs="+", choices=list(contenders.CONTENDERS), default=list(contenders.CONTENDERS))
    parser.add_argument("--seeds", nargs="+", type=int, help="default: 1")
    parser.add_argument("--fresh", action="store_true", help="run trials again that are in the cache")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    parser.add_argument("--cache", type=pathlib.Path, default=CACHE)
    args = parser.parse_args(argv)
    data, seeds = [contenders.DEFAULT_DATA], list(DEFAULT_SEEDS)
    if args.full:
        data, seeds = list(split.RECIPES), list(FULL_SEEDS)
    args.data = args.data or data
    args.seeds = args.seeds or seeds
    return args


def prepare(name: str, cache: pathlib.Path) -> trials.Bench | None:
    """Returns a data set with its split. Prints a message and returns None if its files cannot be fetched."""
    config = load_config(split.RECIPES[name].config)
    # SHORTLIST_DATA_DIR may have some of the data sets only; the others are in `data`.
    folders = (datasets.default_data_dir(), pathlib.Path("data"))
    data_dir = next((folder for folder in folders if (folder / config.data.interactions.path).exists()), folders[-1])
    caveat = None
    try:
        if config.data.source:
            caveat = datasets.fetch(config.data.source, data_dir).caveat
        elif not (data_dir / config.data.interactions.path).exists():
            raise DataError(
                f"expected {config.data.interactions.path} in SHORTLIST_DATA_DIR; `data fetch` has no source"
            )
    except DataError as error:
        print(f"{name}: skipped, {error}", file=sys.stderr, flush=True)
        return None
    labelled = split.make(name, data_dir)
    hashes = inputs_sha256(config, data_dir)
    return trials.Bench(name, config, data_dir, labelled, cache / name, hashes, caveat)


def inputs_sha256(config: Config, data_dir: pathlib.Path) -> dict[str, str]:
    """Returns the fingerprints of a data set's tables and schemas, the inputs of the product."""
    schemas = content.files_sha256(inputs.find("*.pbtxt", config.data.schemas))
    return {**content.tables_sha256(config.data.tables, data_dir), "schemas": schemas}


def _run_trial(bench: trials.Bench, model: str, seed: int, fresh: bool) -> tuple[dict[str, Any], np.ndarray] | None:
    """Returns a trial's record and test ranks, None if it failed. Prints its progress and result."""
    label = f"{bench.name} {model} seed {seed}"
    try:
        cached = None if fresh else trials.find(bench, model, seed)
        if not cached:
            print(f"{label} ...", flush=True)
        record, test_ranks = cached or trials.run(bench, model, seed)
    except (trials.TrialFailedError, subprocess.CalledProcessError) as error:
        print(f"{label}: failed: {error}", file=sys.stderr, flush=True)
        return None
    duration = "cached" if cached else f"training {record['train_seconds']:.1f} s"
    print(f"{label}: top_10 {record['top_10']:.4f}, top_100 {record['top_100']:.4f}, {duration}", flush=True)
    return record, test_ranks


def read(folder: pathlib.Path) -> Results:
    """Returns the results so far."""
    path = folder / "quality.json"
    if not path.exists():
        return {"records": [], "differences": []}
    return json.loads(path.read_text())


def add(folder: pathlib.Path, bench: trials.Bench, record: dict[str, Any], test_ranks: np.ndarray) -> None:
    """Adds a record and the ranks of its test rows to the results."""
    results = read(folder)
    drop_other_rows(results, bench)
    put(results, record)
    write(folder, results, {**ranks.read(folder), ranks.TrialKey.of(record): test_ranks})


def compare(folder: pathlib.Path, bench: trials.Bench) -> None:
    """Computes the differences on a data set from the ranks in the results, and writes them."""
    results, rank_arrays = read(folder), ranks.read(folder)
    records = [record for record in results["records"] if record["data"] == bench.name]
    others = [difference for difference in results["differences"] if difference["data"] != bench.name]
    results["differences"] = [*others, *lead.differences(records, rank_arrays, bench.labelled.split.test.query)]
    write(folder, results, rank_arrays)
    missing = sorted({record["model"] for record in records if ranks.TrialKey.of(record) not in rank_arrays})
    if missing:
        print(f"{bench.name}: not compared, since ranks are missing: {', '.join(missing)}", flush=True)


def drop_other_rows(results: Results, bench: trials.Bench) -> None:
    """Removes the data set's records of other rows than the present ones."""
    results["records"] = [
        record
        for record in results["records"]
        if record["data"] != bench.name or record["rows_sha256"] == bench.labelled.rows_sha256
    ]


def put(results: Results, record: dict[str, Any]) -> None:
    """Adds a record, in order. Replaces the record of the same seed, and those of all seeds by another recipe."""
    others = [
        old
        for old in results["records"]
        if (old["data"], old["model"]) != (record["data"], record["model"])
        or (old["seed"] != record["seed"] and old["recipe_sha256"] == record["recipe_sha256"])
    ]
    data_order, model_order = list(split.RECIPES), list(contenders.CONTENDERS)
    results["records"] = sorted(
        [*others, record],
        key=lambda one: (data_order.index(one["data"]), model_order.index(one["model"]), one["seed"]),
    )


def write(folder: pathlib.Path, results: Results, rank_arrays: Mapping[ranks.TrialKey, np.ndarray]) -> None:
    """Writes quality.json, quality.md and the ranks."""
    folder.mkdir(parents=True, exist_ok=True)
    ranks.write(folder, rank_arrays, results["records"])
    (folder / "quality.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "quality.md").write_text(table.document(results))


def plot(folder: pathlib.Path) -> None:
    """Writes quality.svg."""
    script = environments.ROOT / "benchmarks/quality/plot.py"
    python = environments.python_of("bench-plot")
    subprocess.run([python, script, folder / "quality.json", folder / "quality.svg"], check=True)


if __name__ == "__main__":
    sys.exit(main())
