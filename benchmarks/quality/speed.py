"""Training speed of Shortlist and of RecTools' SASRec with equal settings; writes benchmarks/results/speed.{json,md}.

    python -m benchmarks.quality.speed     # half an hour at most, on a quiet machine

Both learn from ids alone: the latest 101 train interactions of each query of MovieLens 100K, 64 dimensions, 2 blocks of
1 head and a feed-forward layer as wide as the embedding, dropout 0.2, batches of 64 queries, softmax over the whole
catalogue, the same number of epochs. The files are cut to these rows, so that both read the same. Each trial runs in
its own process as in `make bench-quality`; docs/benchmarks.md explains how it is measured.
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
# SASRec's session is one longer than its history, and the last two interactions are those of eval and test.
LATEST = MAX_HISTORY + 3
_NO_FEATURES = {keys.QUERY_ID, keys.CANDIDATE_ID, keys.TIMESTAMP, keys.SOURCE_PATH, keys.SOURCE_ROW}


def main() -> int:
    """Runs both with each seed, prints the table and returns the exit code."""
    data_dir = datasets.default_data_dir()
    datasets.fetch(DATA, data_dir)
    bench = prepare(data_dir, run.CACHE / NAME)
    records, rank_arrays = [], {}
    # The models alternate: the machine's speed varies over the half hour, and both should get the same share of it.
    for seed in SEEDS:
        for model in MODELS:
            record, test_ranks = trials.find(bench, model, seed) or trials.run(bench, model, seed)
            records.append(record)
            rank_arrays[ranks.TrialKey.of(record)] = test_ranks
            print(table(records[-1:]), flush=True)
    run.RESULTS.mkdir(parents=True, exist_ok=True)
    differences = lead.differences(records, rank_arrays, bench.labelled.split.test.query)
    results = {"records": records, "times": times_as_fast(records), "differences": differences}
    (run.RESULTS / "speed.json").write_text(json.dumps(results, indent=1) + "\n")
    text = f"<!-- Written by `python -m benchmarks.quality.speed`, which explains it. -->\n\n{document(results)}"
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
    """Returns a preset with SASRec's input and size and without early stopping; writes its schemas."""
    _write_schemas(pathlib.Path(config.data.schemas), schemas)
    plain = config.model_dump(mode="json")
    plain["data"].update(source=None, queries=None, schemas=str(schemas))
    plain["data"]["interactions"]["features"] = {}
    plain["data"]["candidates"].update(title=None, features={})
    plain["evaluate"]["slices"] = []
    plain["index"]["filters"] = []
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
        columns = [feature for feature in schema.feature if feature.name in _NO_FEATURES]
        del schema.feature[:]
        schema.feature.extend(columns)
        (folder / name).write_text(text_format.MessageToString(schema))


def cut_tables(data: Data, data_dir: pathlib.Path) -> dict[str, pd.DataFrame]:
    """Returns, by path, each query's latest interactions in the file's order, and the catalogue."""
    interactions = data.interactions
    log = pd.read_csv(data_dir / interactions.path, dtype=str)
    order = log.assign(at=pd.to_numeric(log[interactions.timestamp])).sort_values("at", kind="stable")
    latest = order.groupby(interactions.query_id).tail(LATEST).index.sort_values()
    return {
        interactions.path: log.loc[latest],
        data.candidates.path: pd.read_csv(data_dir / data.candidates.path, dtype=str),
    }


def times_as_fast(records: Sequence[dict[str, Any]]) -> float:
    """Returns the ratio of Shortlist's targets per second to SASRec's, of the means over the seeds."""
    ours, theirs = (
        statistics.mean(record["targets_per_second"] for record in records if record["model"] == model)
        for model in MODELS
    )
    return ours / theirs


def document(results: dict[str, Any]) -> str:
    """Returns the table, and the ratio and differences below it."""
    differences = ", ".join(
        f"{entry['metric']} {entry['mean']:+.4f} ({entry['low']:+.4f} to {entry['high']:+.4f})"
        for entry in results["differences"]
    )
    return (
        f"{table(results['records'])}\n"
        f"Means over the seeds: Shortlist trains {results['times']:.2f} times as fast. Shortlist minus SASRec: "
        f"{differences};\n95% intervals over rows and seeds.\n"
    )


def table(records: Sequence[dict[str, Any]]) -> str:
    """Returns a table with a line per trial."""
    head = "| | seed | epochs | training s | targets per second | top_10 | top_100 |"
    lines = [head, "|---|---|---|---|---|---|---|"]
    for record in records:
        seconds = f"{record['train_seconds']:,.1f}"
        if record["machine"]["busy"]:
            seconds += " (busy)"
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
