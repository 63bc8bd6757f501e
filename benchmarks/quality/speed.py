"""How fast Shortlist trains beside RecTools' SASRec, all things equal; writes benchmarks/results/speed.{json,md}.

    python -m benchmarks.quality.speed     # half an hour at most, on a quiet machine

Both learn from ids alone: the latest 101 train interactions of each query of MovieLens 100K, 64 dimensions, 2 blocks, 1
head, dropout 0.2, batches of 64 queries, softmax over the whole catalogue, the same number of epochs. The rows are cut
in the files, so that neither has any to look at that the other has not. Each is run as in `make bench-quality`, in a
process of its own; what is counted is explained there.
"""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import pandas as pd

from benchmarks.quality import cells, contenders, split
from benchmarks.quality.run import RESULTS
from shortlist import datasets
from shortlist.config import load_config, types

DATA = "movielens-100k"
SASREC = "sasrec"
MODELS = (SASREC, contenders.SHORTLIST)
SEEDS = (1, 2, 3)
EPOCHS = 30
BATCH = 64
MAX_HISTORY = 100
# SASRec's session is one longer than what it looks back on; the last two are the eval and the test item.
LATEST = MAX_HISTORY + 3


def main() -> int:
    """Runs both with each seed, prints the table and returns the exit code."""
    data_dir = datasets.fetch(DATA, datasets.default_data_dir()).path
    with tempfile.TemporaryDirectory() as scratch:
        bench = prepare(data_dir, pathlib.Path(scratch))
        records = []
        for model in MODELS:
            for seed in SEEDS:
                records.append(cells.run(bench, model, seed)[0])
                print(table(records[-1:]), flush=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "speed.json").write_text(json.dumps({"records": records}, indent=1) + "\n")
    text = f"<!-- Written by `python -m benchmarks.quality.speed`, which says what it means. -->\n\n{table(records)}"
    (RESULTS / "speed.md").write_text(text)
    print(f"\n{text}")
    return 0


def prepare(data_dir: pathlib.Path, folder: pathlib.Path) -> cells.Bench:
    """Writes the cut tables and returns them as a data set of the benchmark."""
    config = equal_config(load_config(split.RECIPES[DATA].config))
    for path, table in cut_tables(config.data, data_dir).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(folder / path, index=False)
    sasrec = contenders.CONTENDERS[SASREC].grid(config)[0] | {"batch_size": BATCH, "stop_after": [EPOCHS]}
    labelled = split.split_tables(config.data, folder)
    return cells.Bench(f"{DATA}-equal", config, folder, labelled, folder / "cells", {SASREC: [sasrec]})


def equal_config(config: types.Config) -> types.Config:
    """Returns a preset with SASRec's input and size, and nothing that ends the training early."""
    plain = config.model_dump(mode="json")
    plain["data"].update(source=None, queries=None)
    plain["data"]["interactions"]["features"] = {}
    plain["data"]["candidates"].update(title=None, features={})
    plain["data"]["windows"] = {"max_history": MAX_HISTORY, "max_targets": MAX_HISTORY + 1}
    plain["train"].update(
        loss={"kind": "corpus", "mask_other_targets": False},
        batch_size=BATCH,
        epochs=EPOCHS,
        eval_every_epochs=EPOCHS,
    )
    return types.Config.model_validate(plain)


def cut_tables(data: types.Data, data_dir: pathlib.Path) -> dict[str, pd.DataFrame]:
    """Returns path to table: each query's latest interactions, in the file's order, and the catalogue."""
    interactions = data.interactions
    log = pd.read_csv(data_dir / interactions.path, dtype=str)
    order = log.assign(at=pd.to_numeric(log[interactions.timestamp])).sort_values("at", kind="stable")
    latest = order.groupby(interactions.query_id).tail(LATEST).index.sort_values()
    return {
        interactions.path: log.loc[latest],
        data.candidates.path: pd.read_csv(data_dir / data.candidates.path, dtype=str),
    }


def table(records: Sequence[dict[str, Any]]) -> str:
    """Returns a line a run."""
    lines = ["| | seed | epochs | training s | targets a second | top_10 | top_100 |", "|---|---|---|---|---|---|---|"]
    for record in records:
        seconds = f"{record['train_seconds']:,.1f}{' (busy)' if record['machine']['busy'] else ''}"
        values = [
            contenders.CONTENDERS[record["model"]].title,
            record["seed"],
            EPOCHS,
            seconds,
            f"{record['targets_per_second']:,}",
            f"{record['top_10']:.4f}",
            f"{record['top_100']:.4f}",
        ]
        lines.append(f"| {' | '.join(map(str, values))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
