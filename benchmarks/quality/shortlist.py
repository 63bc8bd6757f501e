"""Shortlist as a contender: the product's own pipeline, from the files to its Trainer, in a separate workspace.

No code of the product is reimplemented here. The pipeline makes its own split, whose rows are compared with the
benchmark's row by row. The trained model ranks them with its `evaluation` signature, which the product's Evaluator
reports and gates on.
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
"""Outputs of the run that are read: node id to the output's key."""
_BATCH = 256


def main() -> None:
    """Trains and ranks. The arguments are those of a peer; the result has ranks instead of scores."""
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
    arrays = {f"{exchange.RANKS}.{phase}": ranks(model, windows, phase, split, *ids) for phase in ("eval", "test")}
    exchange.write(args.out / "000", arrays, facts)


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
            """Runs the Trainer without the cache, so that the seconds of training are measured in this run."""

            def run_with_ir(self, pipeline: Any, run_options: Any = None) -> None:
                for node in (node.pipeline_node for node in pipeline.nodes):
                    if node.node_info.id == LAST_NODE:
                        node.execution_options.caching_options.enable_cache = False
                super().run_with_ir(pipeline, run_options)

        with contextlib.suppress(_Done):
            runner = Runner(run_id, _StoppingListener(LAST_NODE), metadata.connection())
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
    rows = match(serialized, phase, split, query_ids, candidate_ids)
    evaluate = tf.saved_model.load(str(model / "Format-Serving")).signatures["evaluation"]
    batches = [serialized[start : start + _BATCH] for start in range(0, len(serialized), _BATCH)]
    in_file_order = np.concatenate([evaluate(examples=tf.constant(batch))[keys.RANK].numpy() for batch in batches])
    in_split_order = np.empty_like(in_file_order)
    in_split_order[rows] = in_file_order
    return in_split_order


def match(
    serialized: list[bytes], phase: str, split: exchange.Split, query_ids: np.ndarray, candidate_ids: np.ndarray
) -> np.ndarray:
    """Returns the row of the split for each window, int [n].

    Raises:
      ValueError: They differ in a query, a target, the seen items or the order of the history.
    """
    rows = getattr(split, phase)
    query_number = {name.encode(): number for number, name in enumerate(query_ids)}
    candidate_number = {name.encode(): number for number, name in enumerate(candidate_ids)}
    history = split.history(phase)
    pasts = collections.defaultdict(list)
    for query, candidate in zip(history.query, history.candidate, strict=True):
        pasts[query].append(candidate)
    row_numbers: dict[tuple[int, int], list[int]] = collections.defaultdict(list)
    for number, pair in enumerate(zip(rows.query, rows.candidate, strict=True)):
        row_numbers[pair].append(number)
    matches = []
    for query_id, target_id, seen_ids, history_ids in _parse(serialized):
        pair = (query_number[query_id], candidate_number[target_id])
        seen, latest = ([candidate_number[name] for name in ids] for ids in (seen_ids, history_ids))
        past = pasts[pair[0]]
        is_past = set(seen) == set(past) and latest == past[len(past) - len(latest) :] and bool(latest) == bool(past)
        if not row_numbers[pair] or not is_past:
            raise ValueError(
                f"the pipeline's {phase} row of query {query_id!r}, target {target_id!r} is not in the split"
            )
        matches.append(row_numbers[pair].pop(0))
    if len(matches) != len(rows.query):
        raise ValueError(f"the pipeline has {len(matches):,} {phase} rows, the split {len(rows.query):,}")
    return np.array(matches, np.int64)


def _parse(serialized: list[bytes]) -> Iterator[tuple[bytes, bytes, list[bytes], list[bytes]]]:
    import tensorflow as tf

    for record in serialized:
        feature = tf.train.Example.FromString(record).features.feature
        names = (keys.QUERY_ID, keys.TARGET_IDS, keys.SEEN_IDS, keys.HISTORY_IDS)
        [query_id], [target_id], seen_ids, history_ids = (list(feature[name].bytes_list.value) for name in names)
        yield query_id, target_id, seen_ids, history_ids


class _Done(Exception):
    """Stops a run after its last node of interest."""


class _StoppingListener:
    """Prints the seconds of each node and stops the run after the last node of interest."""

    def __init__(self, last_node: str) -> None:
        self._last_node = last_node

    def node_started(self, node_id: str, index: int, total: int) -> None:
        """Does nothing: the end of a node is printed."""

    def node_finished(self, result: Any) -> None:
        """Prints the node's seconds."""
        duration = "cached" if result.cached else f"{result.seconds:.1f} s"
        print(f"{result.node_id}: {duration}", flush=True)
        if result.node_id == self._last_node:
            raise _Done

    def node_failed(self, node_id: str, seconds: float) -> None:
        """Does nothing: the failure ends the process."""


if __name__ == "__main__":
    main()
