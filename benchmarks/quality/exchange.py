"""Files between the benchmark and a peer: arrays in a folder, with the rows and the peer's scores. Needs numpy alone.

A peer is a module with a generator `fit(split, grid, seed)` that ends in `exchange.main(fit)`. It trains on
`split.train` alone. It yields one `Fitted` per setting of its grid, or per number of epochs of one training. The
benchmark chooses among them on eval; a peer never uses eval or test targets. `fit` of a peer with long trainings also
takes a folder, in which it finds the checkpoints of an interrupted trial.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

Setting = Mapping[str, Any]
RANKS = "ranks"
"""Prefix of arrays with ranks instead of scores."""
LOWEST = float(np.finfo(np.float32).min)
"""Score of a candidate that a peer cannot score; a score that is not finite would rank before the others."""


class Rows(NamedTuple):
    """Interactions, grouped by query, and oldest first within a query."""

    query: np.ndarray
    """int32 [n], number of the query."""
    candidate: np.ndarray
    """int32 [n], number of the candidate in the corpus."""
    time: np.ndarray
    """int64 [n]."""


class Split(NamedTuple):
    """The rows for a contender."""

    num_queries: int
    num_candidates: int
    train: Rows
    eval: Rows
    test: Rows

    def history(self, phase: str) -> Rows:
        """Returns the query-side inputs of a phase: train rows for eval, train and eval rows for test."""
        if phase == "eval":
            return self.train
        both = Rows(*(np.concatenate(columns) for columns in zip(self.train, self.eval, strict=True)))
        # Eval rows are later than all train rows of their query.
        order = np.argsort(both.query, kind="stable")
        return Rows(*(column[order] for column in both))

    def queries(self, phase: str) -> np.ndarray:
        """Returns the queries with a target in a phase, ascending."""
        return np.unique(getattr(self, phase).query)


class Fitted(NamedTuple):
    """A trained model."""

    setting: Setting
    """The model's settings, for the results."""
    seconds: float
    """Seconds of training, without imports and scoring."""
    score: Callable[[str], np.ndarray]
    """Function of a phase that returns float [len(split.queries(phase)), num_candidates]."""
    targets: int | None = None
    """Number of targets in training, repeated ones included; None if the training is not a pass over targets."""


def main(fit: Callable[..., Iterator[Fitted]], *packages: str, resumes: bool = False) -> None:
    """Reads a split, fits a peer and writes the scores of each of its models, or with `--ranks` their ranks.

    Args:
      fit: The peer's generator of models.
      packages: Packages whose versions are part of the results.
      resumes: Whether `fit` takes the folder of its checkpoints.
    """
    from importlib import metadata

    parser = argparse.ArgumentParser()
    parser.add_argument("split", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--grid", type=json.loads, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--checkpoints", type=pathlib.Path, help="folder to go on from; default: OUT.checkpoints")
    # Scores of Amazon Beauty take 2 GB per model.
    parser.add_argument("--ranks", action="store_true", help="write the ranks of the targets instead of all scores")
    args = parser.parse_args()
    split = read_split(args.split)
    folders = [args.checkpoints or args.out.with_name(f"{args.out.name}.checkpoints")] if resumes else []
    for number, fitted in enumerate(fit(split, args.grid, args.seed, *folders)):
        folder = args.out / f"{number:03}"
        start = time.monotonic()
        arrays = {phase: np.asarray(fitted.score(phase), np.float32) for phase in ("eval", "test")}
        if args.ranks:
            # Here, since it imports this module, and Shortlist's environment is not the peer's.
            from benchmarks.quality import evaluate

            arrays = {f"{RANKS}.{phase}": evaluate.split_ranks(arrays[phase], split, phase) for phase in arrays}
        facts = {
            "setting": fitted.setting,
            "seconds": fitted.seconds,
            "targets": fitted.targets,
            "score_seconds": time.monotonic() - start,
            "versions": {package: metadata.version(package) for package in packages},
        }
        write(folder, arrays, facts)
        print(f"{json.dumps(fitted.setting)}: {fitted.seconds:.1f} s", flush=True)


def write_split(folder: pathlib.Path, split: Split) -> None:
    """Writes a split for `read_split`."""
    arrays = {
        f"{phase}.{name}": column
        for phase in ("train", "eval", "test")
        for name, column in getattr(split, phase)._asdict().items()
    }
    write(folder, arrays, {"num_queries": split.num_queries, "num_candidates": split.num_candidates})


def read_split(folder: pathlib.Path) -> Split:
    """Returns what `write_split` wrote."""
    arrays, facts = read(folder)
    rows = {
        phase: Rows(*(np.array(arrays[f"{phase}.{name}"]) for name in Rows._fields))
        for phase in ("train", "eval", "test")
    }
    return Split(facts["num_queries"], facts["num_candidates"], **rows)


def write(folder: pathlib.Path, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """Writes arrays as raw bytes, and their types, shapes and the facts as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    # The JSON goes first and comes last: an interrupted write must not leave new arrays with old facts.
    (folder / "facts.json").unlink(missing_ok=True)
    described = {}
    for name, array in arrays.items():
        np.ascontiguousarray(array).tofile(folder / f"{name}.bin")
        described[name] = [array.dtype.str, array.shape]
    part = folder / ".facts.part"
    part.write_text(json.dumps({"arrays": described, "facts": facts}, indent=1))
    part.replace(folder / "facts.json")


def read(folder: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Returns the (arrays, facts) of `write`; arrays are memory-mapped."""
    written = json.loads((folder / "facts.json").read_text())
    arrays: dict[str, np.ndarray] = {}
    for name, (kind, shape) in written["arrays"].items():
        # An empty file cannot be memory-mapped.
        if 0 in shape:
            arrays[name] = np.zeros(shape, kind)
        else:
            arrays[name] = np.memmap(folder / f"{name}.bin", kind, mode="r", shape=tuple(shape))
    return arrays, written["facts"]
