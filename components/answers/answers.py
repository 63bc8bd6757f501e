"""Asks a trained model a sample of the test queries and returns what is worth looking at as plain data.

What stands in `answers.json`:

    queries, places     queries asked (distinct, at most 2,000) and answers given, 10 a query
    broken              queries whose embedding is not finite, which were not asked
    corpus_size         candidates that could be answered
    coverage_at_10      see `components.indexer.variety`, as of `overlap_at_10`
    overlap_at_10_with_seen
                        the same of the answers before seen items are removed: 1 where there is one list for all
    never               candidates in no answer
    popularity          bucket (head, middle ...) to how many candidates, train targets, test targets and answers it has
    mean_train_count    how often an average answer, and an average test target, is a train target
    concentration       share of all places that the most recommended share of the candidates takes
    most, least         candidates in most and fewest answers, the latter by how popular they are in train
    examples            single queries with history, target, its rank and the answers; absent where they may not be told

Answers are those of exact search, seen items excluded, as they would be served, but where it says otherwise.
"""

from __future__ import annotations

import collections
import glob
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components.answers.exact import search
from components.evaluator.slices import POPULARITIES
from components.indexer import queries, variety
from components.indexer.recall import MAX_QUERIES
from components.indexer.retrieval import NO_ROW
from shortlist import keys
from shortlist.config.report import ReportSection

FILE = "answers.json"
WIDTH = 10
_EXAMPLES = 5
_HISTORY_SHOWN = 10
_LISTED = 10
_CURVE_POINTS = 51
_BATCH = 4096


def describe(trained_dir: str, test_dir: str, candidates_dir: str, title: str, report: ReportSection) -> dict[str, Any]:
    """Returns what the module's docstring lists.

    Args:
      trained_dir: The Trainer's SavedModel.
      test_dir: gz TFRecords of the test windows.
      candidates_dir: gz TFRecords of the catalogue's flat examples.
      title: The feature that people know a candidate by; empty where it has none.
      report: What of single queries may be told.
    """
    model = tf.saved_model.load(trained_dir)
    windows, parsed = _one_a_query(queries.sample_windows(test_dir, MAX_QUERIES))
    embeddings = queries.embed(model.signatures["query_embedding"], parsed)
    sound = np.flatnonzero(np.isfinite(embeddings).all(axis=1))
    asked = [parsed[place] for place in sound]
    ids = model.candidate_ids.numpy()
    rows = {candidate: row for row, candidate in enumerate(ids)}
    excluded = [np.array([rows[item] for item in queries.seen_ids(row) if item in rows], np.int64) for row in asked]
    candidates = model.candidate_embeddings.numpy()
    answers, scores = search(embeddings[sound], candidates, excluded, WIDTH)
    with_seen, _ = search(embeddings[sound], candidates, [np.array([], np.int64)] * len(sound), WIDTH)
    targets = np.array([rows[item] for row in asked for item in row[keys.TARGET_IDS][:1] if item in rows], np.int64)
    counts, buckets = model.candidate_counts.numpy(), model.popularity.numpy()
    shown = np.bincount(answers[answers != NO_ROW], minlength=len(ids))
    found = _overall(answers, shown, targets, counts, buckets) | {
        "overlap_at_10_with_seen": variety.overlap(with_seen),
        "broken": len(parsed) - len(sound),
    }
    lists = _most_and_least(shown, counts)
    examples = []
    if report.examples:
        chosen = sound[:_EXAMPLES]
        ranks = _ranks(model, [windows[place] for place in chosen])
        examples = [
            _example(parsed[place], ids[answers[row][answers[row] != NO_ROW]], scores[row], ranks[row], report)
            for row, place in enumerate(chosen)
        ]
    named = {*(ids[row] for row in np.concatenate(list(lists.values()))), *_ids_in(examples)}
    titles = _titles(candidates_dir, title, named) if title else {}
    told = {
        name: [
            _candidate(ids[row], titles) | {"answers": int(shown[row]), "train_count": int(counts[row])}
            for row in listed
        ]
        for name, listed in lists.items()
    }
    found |= told
    if report.examples:
        found["examples"] = [_with_titles(example, titles) for example in examples]
    return found


def _one_a_query(windows: Sequence[bytes]) -> tuple[list[bytes], list[dict[str, Any]]]:
    """Returns the first window of each query: a basket's rows are one query, asked many times."""
    first: dict[bytes, tuple[bytes, dict[str, Any]]] = {}
    for window in windows:
        row = queries.parse_window(window)
        first.setdefault(row[keys.QUERY_ID][0], (window, row))
    return [window for window, _ in first.values()], [row for _, row in first.values()]


def _overall(
    answers: np.ndarray, shown: np.ndarray, targets: np.ndarray, counts: np.ndarray, buckets: np.ndarray
) -> dict[str, Any]:
    places = int(shown.sum())

    def by_bucket(weights: np.ndarray) -> list[int]:
        return [int(weights[buckets == bucket].sum()) for bucket in range(len(POPULARITIES))]

    of_targets = np.bincount(targets, minlength=len(counts))
    columns = zip(
        POPULARITIES,
        *(by_bucket(weights) for weights in (np.ones_like(counts), counts, of_targets, shown)),
        strict=True,
    )
    return {
        "queries": len(answers),
        "width": WIDTH,
        "places": places,
        "corpus_size": len(counts),
        "coverage_at_10": variety.coverage(answers, len(counts)),
        "overlap_at_10": variety.overlap(answers),
        "never": int((shown == 0).sum()),
        "popularity": [
            dict(zip(("bucket", "candidates", "train", "targets", "answers"), column, strict=True))
            for column in columns
        ],
        "mean_train_count": {
            "answers": float((shown * counts).sum() / max(places, 1)),
            "targets": float(counts[targets].mean()) if len(targets) else 0.0,
        },
        "concentration": {"answers": _concentration(shown), "train": _concentration(counts)},
    }


def _concentration(counts: np.ndarray) -> list[float]:
    """Returns the share of all that the most frequent 0%, 2% ... 100% of the candidates have."""
    total = np.concatenate([[0.0], np.cumsum(np.sort(counts)[::-1], dtype=np.float64)])
    at = np.linspace(0, len(counts), _CURVE_POINTS)
    return [round(float(share), 5) for share in np.interp(at, np.arange(len(total)), total) / max(total[-1], 1.0)]


def _most_and_least(shown: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Returns rows: the most recommended, and of the least recommended those that train knows best."""
    most = np.argsort(-shown, kind="stable")[:_LISTED]
    # lexsort's last key counts most.
    least = np.lexsort((-counts, shown))[:_LISTED]
    return {"most": most[shown[most] > 0], "least": least}


def _ranks(model: Any, windows: Sequence[bytes]) -> list[dict[str, int]]:
    if not windows:
        return []
    found = model.signatures["evaluation"](examples=tf.constant(windows))
    names = (keys.RANK, keys.POPULARITY_RANK)
    return [{name: int(found[name][row]) for name in names} for row in range(len(windows))]


def _example(
    row: dict[str, Any], answers: Sequence[bytes], scores: np.ndarray, ranks: dict[str, int], report: ReportSection
) -> dict[str, Any]:
    """Returns one query; candidates are still ids."""
    history = row.get(keys.HISTORY_IDS, [])
    return {
        "query": row[keys.QUERY_ID][0].decode("utf-8", "replace") if report.query_ids else None,
        "history_length": len(history),
        "history": history[-_HISTORY_SHOWN:],
        "target": row[keys.TARGET_IDS][0],
        **ranks,
        "answers": list(answers),
        "scores": [float(score) for score in scores[: len(answers)]],
    }


def _ids_in(examples: Sequence[dict[str, Any]]) -> set[bytes]:
    return {item for example in examples for item in (*example["history"], example["target"], *example["answers"])}


def _with_titles(example: dict[str, Any], titles: dict[bytes, str]) -> dict[str, Any]:
    return {
        **example,
        "history": [_candidate(item, titles) for item in example["history"]],
        "target": _candidate(example["target"], titles),
        "answers": [_candidate(item, titles) for item in example["answers"]],
    }


def _candidate(candidate: bytes, titles: dict[bytes, str]) -> dict[str, Any]:
    return {"id": candidate.decode("utf-8", "replace"), "title": titles.get(candidate)}


def _titles(candidates_dir: str, title: str, wanted: set[bytes]) -> dict[bytes, str]:
    """Returns the titles of some candidates; one batch of the catalogue is in memory at a time."""
    files = sorted(glob.glob(os.path.join(candidates_dir, "*.gz")))
    spec = {name: tf.io.VarLenFeature(tf.string) for name in (keys.CANDIDATE_ID, title)}
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(_BATCH)
    found: dict[bytes, list[str]] = collections.defaultdict(list)
    for batch in records.map(lambda serialized: tf.io.parse_example(serialized, spec)):
        ids = tf.sparse.to_dense(batch[keys.CANDIDATE_ID])[:, 0].numpy()
        for (row, _), value in zip(batch[title].indices.numpy(), batch[title].values.numpy(), strict=True):
            if ids[row] in wanted:
                found[ids[row]].append(value.decode("utf-8", "replace"))
    return {candidate: " ".join(values) for candidate, values in found.items()}
