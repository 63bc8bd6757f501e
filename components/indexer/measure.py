"""Recall, variety and latency of an exported model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.indexer import export, queries, variety
from components.indexer.recall import ExactAnswers, latency_ms
from components.indexer.source_model import SourceModel
from shortlist import keys
from shortlist.serving.input_tensors import signature_inputs
from shortlist.serving.served_model import load_served

_BATCH = 64
_LATENCY_QUERIES = 50


def measure(
    description: dict[str, Any], directory: str, trained: SourceModel, test: Sequence[bytes], answers: ExactAnswers
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


def _served(signature: Any, trained: SourceModel, parsed: Sequence[dict[str, Any]]) -> np.ndarray:
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
