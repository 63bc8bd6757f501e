"""How fast Shortlist trains beside RecTools' SASRec, all things equal; writes benchmarks/results/speed.{json,md}.

    python -m benchmarks.quality.speed     # half an hour at most, on a quiet machine

Both learn from ids alone: the latest 101 train interactions of each query of MovieLens 100K, 64 dimensions, 2 blocks of
1 head and a feed-forward layer as wide as the embedding, dropout 0.2, batches of 64 queries, softmax over the whole
catalogue, the same number of epochs. The rows are cut in the files, so that neither has any to look at that the other
has not. Each is run as in `make bench-quality`, in a process of its own; what is counted is explained there.
"""

from __future__ import annotations

import json
import pathlib
import statistics
import sys
from collections.abc import Sequence
from typing import Any

import pandas as pd
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from benchmarks.quality import contenders, lead, ranks, run, split, trials
from shortlist import datasets, keys
from shortlist.config.config import Config
from shortlist.config.data import Data
from shortlist.config.load import load_config

DATA = "movielens-100k"
NAME = f"{DATA}-equal"
SASREC = "sasrec"
MODELS = (contenders.SHORTLIST, SASREC)
SEEDS = (1, 2, 3)
EPOCHS = 30
BATCH = 64
MAX_HISTORY = 100
# SASRec's session is one longer than what it looks back on; the last two are the eval and the test item.
LATEST = MAX_HISTORY + 3
_NO_FEATURES = {keys.QUERY_ID, keys.CANDIDATE_ID, keys.TIMESTAMP, keys.SOURCE_PATH, keys.SOURCE_ROW}


def main() -> int:
    """Runs both with each seed, prints the table and returns the exit code."""
    data_dir = datasets.default_data_dir()
    datasets.fetch(DATA, data_dir)
    bench = prepare(data_dir, run.CACHE / NAME)
    records, found = [], {}
    # One after the other with each seed: the machine's speed changes, and both are to have had the same.
    for seed in SEEDS:
        for model in MODELS:
            record, of_rows = trials.find(bench, model, seed) or trials.run(bench, model, seed)
            records.append(record)
            found[ranks.TrialKey.of(record)] = of_rows
            print(table(records[-1:]), flush=True)
    run.RESULTS.mkdir(parents=True, exist_ok=True)
    differences = lead.differences(records, found, bench.labelled.split.test.query)
    said = {"records": records, "times": times_as_fast(records), "differences": differences}
    (run.RESULTS / "speed.json").write_text(json.dumps(said, indent=1) + "\n")
    text = f"<!-- Written by `python -m benchmarks.quality.speed`, which says what it means. -->\n\n{document(said)}"
    (run.RESULTS / "speed.md").write_text(text)
    print(f"\n{text}")
    return 0


def prepare(data_dir: pathlib.Path, folder: pathlib.Path) -> trials.Bench:
    """Writes the cut tables and returns them as a data set of the benchmark."""
    config = equal_config(load_config(split.RECIPES[DATA].config), folder / "schemas")
    for path, table in cut_tables(config.data, data_dir).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(folder / path, index=False)
    sasrec = {**contenders.CONTENDERS[SASREC].grid(config)[0], "batch_size": BATCH, "stop_after": [EPOCHS]}
    labelled = split.split_tables(config.data, folder)
    return trials.Bench(NAME, config, folder, labelled, folder / "cells", grids={SASREC: [sasrec]})


def equal_config(config: Config, schemas: pathlib.Path) -> Config:
    """Returns a preset with SASRec's input and size, and nothing that ends the training early; writes its schemas."""
    _write_schemas(pathlib.Path(config.data.schemas), schemas)
    plain = config.model_dump(mode="json")
    plain["data"].update(source=None, queries=None, schemas=str(schemas))
    plain["data"]["interactions"]["features"] = {}
    plain["data"]["candidates"].update(title=None, features={})
    plain["data"]["windows"] = {"max_history": MAX_HISTORY, "max_targets": MAX_HISTORY + 1}
    plain["model"]["query_tower"].update(
        feed_forward_factor=1, position_bias=False, time_intervals=False, cold_start_fraction=0.0
    )
    plain["train"].update(
        loss={"kind": "corpus", "mask_other_targets": False},
        shuffle_ties=False,
        batch_size=BATCH,
        epochs=EPOCHS,
        eval_every_epochs=EPOCHS,
    )
    return Config.model_validate(plain)


def _write_schemas(full: pathlib.Path, folder: pathlib.Path) -> None:
    """Writes the schemas of a preset without its features."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("interactions.pbtxt", "candidates.pbtxt"):
        schema = text_format.Parse((full / name).read_text(), schema_pb2.Schema())
        kept = [feature for feature in schema.feature if feature.name in _NO_FEATURES]
        del schema.feature[:]
        schema.feature.extend(kept)
        (folder / name).write_text(text_format.MessageToString(schema))


def cut_tables(data: Data, data_dir: pathlib.Path) -> dict[str, pd.DataFrame]:
    """Returns path to table: each query's latest interactions, in the file's order, and the catalogue."""
    interactions = data.interactions
    log = pd.read_csv(data_dir / interactions.path, dtype=str)
    order = log.assign(at=pd.to_numeric(log[interactions.timestamp])).sort_values("at", kind="stable")
    latest = order.groupby(interactions.query_id).tail(LATEST).index.sort_values()
    return {
        interactions.path: log.loc[latest],
        data.candidates.path: pd.read_csv(data_dir / data.candidates.path, dtype=str),
    }


def times_as_fast(records: Sequence[dict[str, Any]]) -> float:
    """Returns Shortlist's targets a second by SASRec's, each the mean of its seeds."""
    ours, theirs = (
        statistics.mean(record["targets_per_second"] for record in records if record["model"] == model)
        for model in MODELS
    )
    return ours / theirs


def document(said: dict[str, Any]) -> str:
    """Returns the table and what it comes to."""
    ahead = ", ".join(
        f"{found['metric']} {found['mean']:+.4f} ({found['low']:+.4f} to {found['high']:+.4f})"
        for found in said["differences"]
    )
    return (
        f"{table(said['records'])}\n"
        f"Means of the seeds: Shortlist trains {said['times']:.2f} times as fast. Shortlist less SASRec: {ahead};\n"
        f"95% intervals, of rows and of seeds.\n"
    )


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
