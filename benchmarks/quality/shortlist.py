"""Shortlist's towers by the product's own pipeline: from the files through its Trainer, in a workspace of its own.

Nothing of the product is written again here. The pipeline makes its own split; its test rows are held against the
benchmark's row for row, and the trained model ranks them by its `evaluation` signature, which is what the product's
Evaluator reports and gates on.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime
import json
import pathlib
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import numpy as np

from benchmarks.quality import exchange
from shortlist import environment, keys

LAST_NODE = "Trainer"
OUTPUTS = {LAST_NODE: "model", "Windows": "examples"}
"""What is read of a run: a node and the name of its output."""
_BATCH = 256


def main() -> None:
    """Trains and ranks; called as a peer is, with ranks instead of scores in the answer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("split", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--grid", type=json.loads, required=True, help="one whole config")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--data-dir", type=pathlib.Path, required=True)
    parser.add_argument("--workspace", type=pathlib.Path, required=True)
    args = parser.parse_args()
    environment.prepare()
    from shortlist.config.config import Config

    [config] = args.grid
    config["train"]["seed"] = args.seed
    model, windows = train(Config.model_validate(config), args.data_dir, args.workspace)
    trained = json.loads((model / "Format-Serving/assets.extra/shortlist.json").read_text())["train"]
    split = exchange.read_split(args.split)
    targets = len(split.train.query) * trained["epochs"]
    facts = {
        "setting": {"epochs": trained["epochs"], "best_epoch": trained["best_epoch"]},
        "seconds": trained["seconds"],
        "targets": targets,
        "versions": {name: metadata.version(name) for name in ("tensorflow", "tensorflow-recommenders", "tfx")},
        "log": trained["log"],
    }
    ids = [np.array((args.split / f"{name}_ids.txt").read_text().split("\n")) for name in ("query", "candidate")]
    found = {phase: ranks(model, windows, phase, split, *ids) for phase in ("eval", "test")}
    exchange.write(args.out / "000", {f"{exchange.RANKS}.{phase}": value for phase, value in found.items()}, facts)


def train(config: Any, data_dir: pathlib.Path, root: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Runs the pipeline up to its Trainer and returns the folders of the model and of the windows."""
    from pipeline.create_pipeline import create_pipeline
    from pipeline.local_runner import LocalRunner
    from pipeline.run import pinned_sources
    from shortlist.lineage.database import database
    from shortlist.lineage.store import Store
    from shortlist.tables import preflight
    from shortlist.workspace import Workspace

    unit = preflight.check(config, data_dir).timestamp_unit
    workspace = Workspace(root.absolute(), config.name)
    with workspace.reserve("bench-quality"):
        metadata = database(workspace)
        sources = pinned_sources(config, workspace, data_dir.absolute(), unit)
        run_id = workspace.start_run(datetime.datetime.now(datetime.timezone.utc))
        metadata.begin_run(run_id)

        class Runner(LocalRunner):
            """Trains whether or not the same was trained before: its seconds are to be those of now."""

            def run_with_ir(self, pipeline: Any, run_options: Any = None) -> None:
                for node in (node.pipeline_node for node in pipeline.nodes):
                    if node.node_info.id == LAST_NODE:
                        node.execution_options.caching_options.enable_cache = False
                super().run_with_ir(pipeline, run_options)

        with contextlib.suppress(_Done):
            runner = Runner(run_id, _Until(LAST_NODE), metadata.connection())
            runner.run(create_pipeline(config, sources, workspace))
        nodes = {execution.node: execution for execution in Store.of(workspace).run_executions(run_id)}
    model, windows = (nodes[node].output(name) for node, name in OUTPUTS.items())
    assert model is not None
    assert windows is not None
    return pathlib.Path(model.uri), pathlib.Path(windows.uri)


def ranks(
    model: pathlib.Path,
    windows: pathlib.Path,
    phase: str,
    split: exchange.Split,
    query_ids: np.ndarray,
    candidate_ids: np.ndarray,
) -> np.ndarray:
    """Returns the rank of each of the split's targets, in the split's order, int64 [n].

    Raises:
      ValueError: The pipeline's windows are not the benchmark's rows.
    """
    import tensorflow as tf

    files = sorted(str(path) for path in (windows / f"Split-{phase}").iterdir())
    serialized = list(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())
    places = match(serialized, phase, split, query_ids, candidate_ids)
    evaluate = tf.saved_model.load(str(model / "Format-Serving")).signatures["evaluation"]
    batches = [serialized[start : start + _BATCH] for start in range(0, len(serialized), _BATCH)]
    found = np.concatenate([evaluate(examples=tf.constant(batch))[keys.RANK].numpy() for batch in batches])
    ordered = np.empty_like(found)
    ordered[places] = found
    return ordered


def match(
    serialized: list[bytes], phase: str, split: exchange.Split, query_ids: np.ndarray, candidate_ids: np.ndarray
) -> np.ndarray:
    """Returns which of the split's rows each window is, int [n].

    Raises:
      ValueError: They differ in a query, a target, what was seen before, or the history's order.
    """
    rows = getattr(split, phase)
    query_number = {name.encode(): number for number, name in enumerate(query_ids)}
    candidate_number = {name.encode(): number for number, name in enumerate(candidate_ids)}
    history = split.history(phase)
    pasts = collections.defaultdict(list)
    for query, candidate in zip(history.query, history.candidate, strict=True):
        pasts[query].append(candidate)
    place_of: dict[tuple[int, int], list[int]] = collections.defaultdict(list)
    for place, row in enumerate(zip(rows.query, rows.candidate, strict=True)):
        place_of[row].append(place)
    places = []
    for query_id, target_id, seen_ids, history_ids in _parsed(serialized):
        row = (query_number[query_id], candidate_number[target_id])
        seen, latest = ([candidate_number[name] for name in ids] for ids in (seen_ids, history_ids))
        past = pasts[row[0]]
        is_past = set(seen) == set(past) and latest == past[len(past) - len(latest) :] and bool(latest) == bool(past)
        if not place_of[row] or not is_past:
            raise ValueError(
                f"the pipeline's {phase} row of query {query_id!r}, target {target_id!r} is not the split's"
            )
        places.append(place_of[row].pop(0))
    if len(places) != len(rows.query):
        raise ValueError(f"the pipeline has {len(places):,} {phase} rows, the split {len(rows.query):,}")
    return np.array(places, np.int64)


def _parsed(serialized: list[bytes]) -> Iterator[tuple[bytes, bytes, list[bytes], list[bytes]]]:
    import tensorflow as tf

    for record in serialized:
        feature = tf.train.Example.FromString(record).features.feature
        names = (keys.QUERY_ID, keys.TARGET_IDS, keys.SEEN_IDS, keys.HISTORY_IDS)
        [query_id], [target_id], seen_ids, history_ids = (list(feature[name].bytes_list.value) for name in names)
        yield query_id, target_id, seen_ids, history_ids


class _Done(Exception):
    """All nodes that are wanted have run."""


class _Until:
    """Says which node runs and ends the run after the last one that is wanted."""

    def __init__(self, last_node: str) -> None:
        self._last_node = last_node

    def node_started(self, node_id: str, index: int, total: int) -> None:
        """Nothing: its end is told."""

    def node_finished(self, result: Any) -> None:
        """Prints the node's seconds."""
        print(f"{result.node_id}: {'cached' if result.cached else f'{result.seconds:.1f} s'}", flush=True)
        if result.node_id == self._last_node:
            raise _Done

    def node_failed(self, node_id: str, seconds: float) -> None:
        """Nothing: the failure ends the process."""


if __name__ == "__main__":
    main()
