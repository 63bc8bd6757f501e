"""Replays Online Retail II in spans of time, with training from scratch and with a warm start.

    SHORTLIST_DATA_DIR=... python -m benchmarks.warm_start.run [--spans 4] [--seeds 3] [--customers 1.0] [--set K=V]

Each cell is one run of the real pipeline (`shortlist run`) on the log and the catalogue up to the end of a span. There
are two workspaces per seed: in one each span is trained from scratch, in the other each span begins from the blessed
model of the span before. A cell that has a result is not run again. One that was interrupted goes on from its cached
nodes and its last checkpoint, so that the command can be stopped and started at any time. `--minutes` stops it itself.

Times are the seconds of training with its evaluations, as the Trainer measures them: wall-clock seconds and, because a
busy machine stretches these, the epochs.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from benchmarks.warm_start import table
from shortlist.summary import read_summary

_ROOT = pathlib.Path(__file__).parents[2]
CONFIG = _ROOT / "configs" / "online_retail.yaml"
_QUARTER = 91 * 86_400
CHAINS = ("scratch", "warm")


def main() -> None:
    """Runs the cells that have no result, and prints the table of all results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=4, help="number of spans; each adds a quarter of a year")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--customers", type=float, default=1.0, help="share of the customers, by a hash of their id")
    parser.add_argument("--folder", type=pathlib.Path, default=_ROOT / "workspaces" / "bench-warm-start")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="stop after so many minutes, to go on later"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="settings of all cells")
    options = parser.parse_args()
    end = time.monotonic() + options.minutes * 60.0
    for seed in range(1, options.seeds + 1):
        for span in range(1, options.spans + 1):
            for chain in CHAINS:
                cell = options.folder / f"{chain}-{seed}"
                data = prepare(options.folder / f"span-{span}-of-{options.spans}", span, options)
                if not _finish(cell, span, data, seed, chain, options.set, end - time.monotonic()):
                    print("stopped; the same command goes on")
                    return
    results = [json.loads(path.read_text()) for path in sorted(options.folder.glob("*/span-*.json"))]
    print(table.markdown(results))


def prepare(folder: pathlib.Path, span: int, options: argparse.Namespace) -> pathlib.Path:
    """Writes log, catalogue and customers as they were at the end of a span, once."""
    if (folder / "users.parquet").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    source = pathlib.Path(os.environ["SHORTLIST_DATA_DIR"]) / "online-retail-ii"
    log = pq.read_table(source / "interactions.parquet")
    last = pc.max(log["timestamp"]).as_py() - (options.spans - span) * _QUARTER
    # Multiplication by a large odd number is a hash that spreads neighbouring ids.
    hashed = pc.bit_wise_and(pc.multiply(log["user_id"].cast("int64"), 2_654_435_761), 1_023)
    log = log.filter(pc.and_(pc.less_equal(log["timestamp"], last), pc.less(hashed, options.customers * 1_024)))
    pq.write_table(log, folder / "interactions.parquet")
    for name, key in (("items", "item_id"), ("users", "user_id")):
        rows = pq.read_table(source / f"{name}.parquet")
        known = pc.is_in(rows[key], value_set=pc.unique(log[key]))
        pq.write_table(rows.filter(known), folder / f"{name}.parquet")
    return folder


def _finish(
    cell: pathlib.Path, span: int, data: pathlib.Path, seed: int, chain: str, settings: list[str], seconds: float
) -> bool:
    """Runs a cell if it has no result; returns False if the time is over."""
    result = cell / f"span-{span}.json"
    if result.exists():
        return True
    cell.mkdir(parents=True, exist_ok=True)
    config = cell / f"span-{span}.yaml"
    config.write_text(yaml.safe_dump(_config(cell, data, seed, chain)))
    command = [sys.executable, str(_ROOT / "pipeline_runner.py"), "run", "--config", str(config)]
    command += [part for setting in settings for part in ("--set", setting)]
    with (cell / f"span-{span}.log").open("a") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            code = process.wait(timeout=max(seconds, 1.0) if seconds < 1e9 else None)
        except subprocess.TimeoutExpired:
            # The run closes its executions; its checkpoints stay.
            process.send_signal(signal.SIGINT)
            process.wait()
            return False
    # 3: not pushed. Its metrics count all the same, and the next span begins from the blessed model before it.
    if code not in (0, 3):
        raise SystemExit(f"{config}: exit code {code}, see the log beside it")
    latest = cell / "workspace" / "runs" / "latest" / "summary.json"
    result.write_text(json.dumps(_facts(latest, seed, span, chain), indent=1) + "\n")
    return True


def _config(cell: pathlib.Path, data: pathlib.Path, seed: int, chain: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    config["workspace"] = str(cell / "workspace")
    config["data"]["schemas"] = str(_ROOT / config["data"]["schemas"])
    del config["data"]["source"]
    for section, name in (("interactions", "interactions"), ("candidates", "items"), ("queries", "users")):
        config["data"][section]["path"] = str((data / f"{name}.parquet").resolve())
    config["train"]["seed"] = seed
    if chain == "warm":
        config["train"]["warm_start"] = "latest_blessed"
    return config


def _facts(path: pathlib.Path, seed: int, span: int, chain: str) -> dict[str, Any]:
    summary = read_summary(path)
    assert summary.metrics is not None
    start = summary.warm_start
    return {
        "seed": seed,
        "span": span,
        "chain": chain,
        "began_from": None if start is None or start.reason else start.run_of,
        "new_candidates": None if start is None or start.reason else start.new_candidates,
        "status": summary.status.value,
        "metrics": summary.metrics.overall,
        "training": summary.training,
        "train_rows": summary.data.rows["train"] if summary.data else None,
    }


if __name__ == "__main__":
    main()
