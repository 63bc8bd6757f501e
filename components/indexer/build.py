"""Builds the served index and its exact copy from a trained model, and measures both."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components.indexer import export, queries, timing, tuning, variety
from components.indexer.exact import ExactIndex
from components.indexer.filters import AttributeFilters
from components.indexer.recall import MAX_QUERIES, ExactAnswers, latency_ms
from components.indexer.scann_index import MIN_CANDIDATES, ScannIndex
from shortlist import keys
from shortlist.config.serving import Index
from shortlist.model_files import HISTORIES_FILE
from shortlist.serving.catalogue import Catalogue
from shortlist.serving.client import load_served, signature_inputs
from shortlist.serving.measured_histories import MeasuredHistories

# Up to this number of candidates times dimensions, exact search takes no longer than ScaNN: measured on single queries,
# whose times cross at 8,000 candidates of 64 dimensions and of 32. A constant: the same data gives the same kind.
MAX_AUTO_EXACT_CELLS = 500_000
_BATCH = 64
_LATENCY_QUERIES = 50


@dataclasses.dataclass(frozen=True)
class IndexBuild:
    """The result of a build; the index may be served only if there are no reasons against it."""

    reasons: list[str]
    """Reasons to reject the index."""
    index: dict[str, Any] | None = None
    """`kind`, `k`, `recall_at_k`, `p50_ms`, `p99_ms`, `reason`, `params`...; None if no index could be built."""


class _RejectedError(Exception):
    """No index can be built or measured; the message is the reason."""


@dataclasses.dataclass(frozen=True)
class _Trained:
    """The Trainer's model, its candidate embeddings, and the row of each candidate id."""

    model: Any
    directory: str
    embeddings: np.ndarray
    rows: dict[bytes, int]
    exclude_seen: bool
    filters: AttributeFilters = dataclasses.field(default_factory=AttributeFilters)

    @classmethod
    def load(cls, directory: str, exclude_seen: bool) -> _Trained:
        model = tf.saved_model.load(directory)
        rows = {candidate: row for row, candidate in enumerate(model.candidate_ids.numpy())}
        return cls(model, directory, model.candidate_embeddings.numpy(), rows, exclude_seen)

    def served(self, index: ExactIndex | ScannIndex, settings: Index) -> export.ServedModel:
        """Returns the model with an index and the filters."""
        return export.ServedModel(self.model, index, settings.k, settings.pool, self.filters)

    def answers(self, windows: Sequence[bytes], k: int) -> ExactAnswers:
        """Returns the exact answers to windows, without seen candidates if `exclude_seen` is set.

        Raises:
          _RejectedError: A query's embedding is not finite. ScaNN refuses such a query; exact search returns a random
            order.
        """
        parsed = [queries.parse_window(window) for window in windows]
        embeddings = queries.embed(self.model.signatures["query_embedding"], parsed)
        broken = int((~np.isfinite(embeddings).all(axis=1)).sum())
        if broken:
            raise _RejectedError(f"{broken} of {len(parsed)} sampled queries have an embedding that is not finite")
        excluded = [self.rows_of(self.excluded_ids(row)) for row in parsed]
        return ExactAnswers.find(embeddings, self.embeddings, excluded, k)

    def excluded_ids(self, row: dict[str, Any]) -> list[bytes]:
        """Returns the ids that a window's query must not be answered with."""
        return queries.seen_ids(row) if self.exclude_seen else []

    def rows_of(self, ids: Sequence[bytes]) -> np.ndarray:
        """Returns the rows of those ids that are in the corpus."""
        return np.array([self.rows[item] for item in ids if item in self.rows], np.int32)


def build(
    windows_dir: str,
    trained_dir: str,
    settings: Index,
    model_dir: str,
    exact_dir: str,
    exclude_seen: bool = True,
    catalogue: Catalogue | None = None,
) -> IndexBuild:
    """Builds, exports and measures an index and its exact copy.

    Parameters are tuned on eval queries, or on train queries if there are none. The gate uses the recall of the
    exported signature on up to 2,000 test queries, without their seen items if `exclude_seen` is set.

    Args:
      windows_dir: Folder of the windows' splits.
      trained_dir: The Trainer's SavedModel.
      settings: The config's index section.
      model_dir: Where the served model goes.
      exact_dir: Where the exact copy goes.
      exclude_seen: Whether answers exclude seen items, as they do where the gates use plain metrics.
      catalogue: The model's candidates with the attributes of `settings.filters`; without it there are no filters.
    """
    trained = _Trained.load(trained_dir, exclude_seen)
    if catalogue is not None:
        trained = dataclasses.replace(trained, filters=AttributeFilters.of(catalogue, settings.filters))
    test = queries.sample_windows(os.path.join(windows_dir, "Split-test"), MAX_QUERIES)
    problem = _problem(trained, test, settings)
    if problem:
        return IndexBuild([problem])
    try:
        index = _export(trained, windows_dir, settings, test, model_dir, exact_dir)
    except _RejectedError as reason:
        return IndexBuild([str(reason)])
    histories = MeasuredHistories.of_windows([queries.parse_window(window) for window in test])
    for folder in (model_dir, exact_dir):
        if histories is not None:
            export.write_text_file(folder, HISTORIES_FILE, histories.to_json())
    return IndexBuild(_shortfalls(index, settings.min_recall), index)


def _export(
    trained: _Trained,
    windows_dir: str,
    settings: Index,
    test: Sequence[bytes],
    model_dir: str,
    exact_dir: str,
) -> dict[str, Any]:
    """Exports both models and returns the measurements of the model to serve."""
    answers = trained.answers(test, settings.k)
    exact_index = ExactIndex(k=settings.k).index(trained.model.candidate_embeddings)
    export.save(trained.served(exact_index, settings), trained.directory, exact_dir)
    exact = _measure(_described("brute_force", settings), exact_dir, trained, test, answers)
    index, reason = _scann(trained, windows_dir, settings, test, answers, model_dir)
    if index is None:
        # Both folders then hold the same model, so that clients find the same layout for every kind of index.
        _copy_folder(exact_dir, model_dir)
        index = exact | {"reason": reason}
        export.write_index_file(model_dir, index)
    return index


def _described(kind: str, settings: Index) -> dict[str, Any]:
    """Returns the part of the index file that clients read before a request."""
    return {
        "kind": kind,
        "k": settings.k,
        "pool": max(settings.k, settings.pool),
        "filters": list(settings.filters),
    }


def _copy_folder(source: str, destination: str) -> None:
    tf.io.gfile.makedirs(destination)
    for entry in tf.io.gfile.listdir(source):
        # Object stores list folders with a slash at the end.
        name = entry.rstrip("/")
        path, copied = os.path.join(source, name), os.path.join(destination, name)
        if tf.io.gfile.isdir(path):
            _copy_folder(path, copied)
        else:
            tf.io.gfile.copy(path, copied, overwrite=True)


def _problem(trained: _Trained, test: Sequence[bytes], settings: Index) -> str | None:
    size = len(trained.embeddings)
    if not test:
        return "the test split has no rows to measure recall on"
    if not size:
        return "the corpus has no candidates"
    needed = MIN_CANDIDATES * settings.searchers
    if settings.kind == "scann" and size < needed:
        return f"index.kind scann needs {needed} candidates or more, but the corpus has {size}; use auto or brute_force"
    # ScaNN fails on a NaN with "Element not finite", which does not name the candidate.
    broken = ~np.isfinite(trained.embeddings).all(axis=1)
    if broken.any():
        example = trained.model.candidate_ids.numpy()[int(broken.argmax())].decode(errors="replace")
        return f"{int(broken.sum())} candidates have an embedding that is not finite, {example!r} among them"
    return None


def _scann(
    trained: _Trained,
    windows_dir: str,
    settings: Index,
    test: Sequence[bytes],
    answers: ExactAnswers,
    model_dir: str,
) -> tuple[dict[str, Any] | None, str]:
    """Exports a ScaNN index and returns its measurements, or None and the reason for exact search."""
    size = len(trained.embeddings)
    if settings.kind == "brute_force":
        return None, "index.kind is brute_force"
    if settings.kind == "auto" and trained.embeddings.size <= MAX_AUTO_EXACT_CELLS:
        return None, f"exact search of {size:,} candidates is as quick as ScaNN"
    if size < MIN_CANDIDATES * settings.searchers:
        return None, f"the corpus has {size} candidates and ScaNN needs {MIN_CANDIDATES * settings.searchers}"
    tune_on = _tuning_windows(windows_dir) or list(test)
    tuning_answers = trained.answers(tune_on, settings.k)
    tuned = tuning.tune(
        trained.model.candidate_embeddings,
        tuning_answers,
        settings.k,
        settings.max_exclusions,
        settings.min_recall,
        len(test),
        settings.searchers,
    )
    # With kind scann the user chose ScaNN, so a low recall rejects the index. Only auto may use exact search instead.
    may_fall_back = settings.kind == "auto"
    if tuned.recall < settings.min_recall and may_fall_back:
        return None, f"ScaNN's recall@{settings.k} on eval queries is {tuned.recall:.4f} at best"
    export.save(trained.served(tuned.index, settings), trained.directory, model_dir)
    # After the choice, which no clock takes part in.
    trial_ms = timing.trial_ms(tuned.index, [it.params for it in tuned.trials], tuning_answers, settings.k)
    description = _described("scann", settings) | {
        "params": dataclasses.asdict(tuned.index.params) | {"searchers": settings.searchers},
        "trials": [
            {
                "leaves_to_search": it.params.leaves_to_search,
                "reorder": it.params.reorder,
                "recall": round(it.recall, 5),
                "p50_ms": round(p50_ms, 3),
            }
            for it, p50_ms in zip(tuned.trials, trial_ms, strict=True)
        ],
        "exact_p50_ms": round(timing.exact_ms(tuned.index, tuning_answers, settings.k), 3),
        "min_recall": settings.min_recall,
        "eval_recall_at_k": tuned.recall,
    }
    index = _measure(description, model_dir, trained, test, answers)
    if index["recall_at_k"] < settings.min_recall and may_fall_back:
        tf.io.gfile.rmtree(model_dir)
        return None, f"ScaNN's recall@{settings.k} on test queries is {index['recall_at_k']:.4f}"
    return index, ""


def _tuning_windows(windows_dir: str) -> list[bytes]:
    """Returns windows of eval, or of train if eval is empty."""
    for split in (keys.SPLIT_EVAL, keys.SPLIT_TRAIN):
        windows = queries.sample_windows(os.path.join(windows_dir, f"Split-{split}"), tuning.MAX_QUERIES)
        if windows:
            return windows
    return []


def _measure(
    description: dict[str, Any], directory: str, trained: _Trained, test: Sequence[bytes], answers: ExactAnswers
) -> dict[str, Any]:
    """Measures an exported model, writes the index file into it, and returns its content.

    Args:
      description: Kind, width and parameters of the index.
      directory: The exported model.
      trained: The model that it was exported from.
      test: Serialized test windows.
      answers: The exact answers to them.

    Returns:
      The description with recall, variety and latency.
    """
    # `load_served` reads `kind` from this file, so a first version is written before the model is measured.
    export.write_index_file(directory, description)
    model = load_served(directory)
    parsed = [queries.parse_window(window) for window in test]
    p50_ms, p99_ms = _latency(model.signatures["serving_default"], parsed)
    served = _served(model.signatures["recommend"], trained, parsed)
    first_10 = served[_first_windows(parsed), :10]
    index = description | {
        "recall_at_k": float(answers.recall(served).mean()),
        "coverage_at_10": round(variety.coverage(first_10, len(trained.embeddings)), 4),
        "overlap_at_10": round(variety.overlap(first_10), 4),
        "p50_ms": round(p50_ms, 3),
        "p99_ms": round(p99_ms, 3),
        "corpus_size": len(trained.embeddings),
        "test_queries": len(test),
        "exclude_seen": trained.exclude_seen,
        "reason": "",
    }
    export.write_index_file(directory, index)
    return index


def _served(signature: Any, trained: _Trained, parsed: Sequence[dict[str, Any]]) -> np.ndarray:
    """Returns the corpus rows of the exported signature's answers, padded with -1."""
    specs = signature.structured_input_signature[1]
    rows = [row | {keys.EXCLUDE: trained.excluded_ids(row)} for row in parsed]
    answers = [
        signature(**signature_inputs(specs, rows[start : start + _BATCH]))[keys.IDS].numpy()
        for start in range(0, len(rows), _BATCH)
    ]
    return np.array([[trained.rows.get(item, -1) for item in line] for line in np.concatenate(answers)])


def _first_windows(parsed: Sequence[dict[str, Any]]) -> list[int]:
    """Returns the position of each query's first window; with baskets, one query has several windows."""
    positions: dict[bytes, int] = {}
    for position, row in enumerate(parsed):
        positions.setdefault(row[keys.QUERY_ID][0], position)
    return list(positions.values())


def _latency(signature: Any, parsed: Sequence[dict[str, Any]]) -> tuple[float, float]:
    specs = signature.structured_input_signature[1]
    return latency_ms(signature, [signature_inputs(specs, [row]) for row in parsed[:_LATENCY_QUERIES]])


def _shortfalls(index: dict[str, Any], min_recall: float) -> list[str]:
    if index["recall_at_k"] >= min_recall:
        return []
    return [
        f"recall@{index['k']} of the {index['kind']} index on {index['test_queries']} test queries is "
        f"{index['recall_at_k']:.4f}, below index.min_recall={min_recall}"
    ]
