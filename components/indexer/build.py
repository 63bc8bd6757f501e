"""Builds the served index and its exact copy from a trained model, and measures both."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components.indexer import export, queries, timing, tuning
from components.indexer.exact import ExactIndex
from components.indexer.filters import AttributeFilters
from components.indexer.measure import measure
from components.indexer.recall import MAX_QUERIES, ExactAnswers
from components.indexer.scann_index import MIN_CANDIDATES
from components.indexer.source_model import RejectedIndexError, SourceModel
from shortlist import keys
from shortlist.config.serving import Index
from shortlist.model_files import HISTORIES_FILE
from shortlist.serving.catalogue import Catalogue
from shortlist.serving.measured_histories import MeasuredHistories

# Up to this number of candidates times dimensions, exact search takes no longer than ScaNN: measured on single queries,
# whose times cross at 8,000 candidates of 64 dimensions and of 32. A constant: the same data gives the same kind.
MAX_AUTO_EXACT_CELLS = 500_000


@dataclasses.dataclass(frozen=True)
class IndexBuild:
    """The result of a build; the index may be served only if there are no reasons against it."""

    reasons: list[str]
    """Reasons to reject the index."""
    index: dict[str, Any] | None = None
    """`kind`, `k`, `recall_at_k`, `p50_ms`, `p99_ms`, `reason`, `params`...; None if no index could be built."""


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
    trained = SourceModel.load(trained_dir, exclude_seen)
    if catalogue is not None:
        trained = dataclasses.replace(trained, filters=AttributeFilters.of(catalogue, settings.filters))
    test = queries.sample_windows(os.path.join(windows_dir, "Split-test"), MAX_QUERIES)
    problem = _problem(trained, test, settings)
    if problem:
        return IndexBuild([problem])
    try:
        index = _export(trained, windows_dir, settings, test, model_dir, exact_dir)
    except RejectedIndexError as reason:
        return IndexBuild([str(reason)])
    histories = MeasuredHistories.of_windows([queries.parse_window(window) for window in test])
    for folder in (model_dir, exact_dir):
        if histories is not None:
            export.write_text_file(folder, HISTORIES_FILE, histories.to_json())
    return IndexBuild(_shortfalls(index, settings.min_recall), index)


def _export(
    trained: SourceModel,
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
    exact = measure(_described("brute_force", settings), exact_dir, trained, test, answers)
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


def _problem(trained: SourceModel, test: Sequence[bytes], settings: Index) -> str | None:
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
    trained: SourceModel,
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
    index = measure(description, model_dir, trained, test, answers)
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


def _shortfalls(index: dict[str, Any], min_recall: float) -> list[str]:
    if index["recall_at_k"] >= min_recall:
        return []
    return [
        f"recall@{index['k']} of the {index['kind']} index on {index['test_queries']} test queries is "
        f"{index['recall_at_k']:.4f}, below index.min_recall={min_recall}"
    ]
