"""Answers of a trained model to a sample of the test queries, and their statistics, as plain data.

Contents of `answers.json`:

    queries             number of distinct queries that were answered, at most 2,000
    places              number of recommended candidates, 10 per query
    broken              number of queries whose embedding is not finite; they get no answer
    corpus_size         number of candidates that can be recommended
    coverage_at_10      see `components.indexer.variety`, as for `overlap_at_10`
    overlap_at_10_with_seen
                        the overlap before seen items are removed: 1 if all queries get the same list
    never               number of candidates in no answer
    popularity          per bucket (head, middle ...) its candidates, train targets, test targets and places in answers
    mean_train_count    mean train interactions of a recommended candidate, and of a test target
    concentration       share of all places that the most recommended share of the candidates takes
    most, least         candidates in most answers, and in fewest (of those, the most popular in train)
    times               hit rate at 10 by the time that a request names, see `moments`; empty if the model uses no times
    examples            single queries with history, target, ranks and answers; absent if the report may not show them.
                        `near` has, per answer, the history's item with the highest cosine; null without another item

All answers come from exact search with seen items excluded, as in serving, except for `overlap_at_10_with_seen`.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components import shards
from components.answers import moments
from components.answers.exact import search
from components.evaluator.slices import POPULARITIES
from components.indexer import queries, variety
from components.indexer.recall import MAX_QUERIES
from components.indexer.retrieval import NO_ROW
from shortlist import keys
from shortlist.config.report import ReportSection
from shortlist.model_files import uses_times
from shortlist.serving import similarity

FILE = "answers.json"
WIDTH = 10
_EXAMPLES = 5
_HISTORY_SHOWN = 10
_LISTED = 10
_CURVE_POINTS = 51
_BATCH = 4096


def describe(
    trained_dir: str,
    test_dir: str,
    candidates_dir: str,
    title: str,
    report: ReportSection,
    exclude_seen: bool = True,
) -> dict[str, Any]:
    """Returns the contents of `answers.json`, see the module's docstring.

    Args:
      trained_dir: The Trainer's SavedModel.
      test_dir: gz TFRecords of the test windows.
      candidates_dir: gz TFRecords of the catalogue's flat examples.
      title: The candidates' feature that is shown as their title; empty if there is none.
      report: Whether single queries and their ids may be shown.
      exclude_seen: Whether answers and ranks exclude seen items.
    """
    model = tf.saved_model.load(trained_dir)
    windows, parsed = _first_window_per_query(queries.sample_windows(test_dir, MAX_QUERIES))
    embeddings = queries.embed(model.signatures["query_embedding"], parsed)
    sound = np.flatnonzero(np.isfinite(embeddings).all(axis=1))
    answered = [parsed[index] for index in sound]
    ids = model.candidate_ids.numpy()
    rows = {candidate: row for row, candidate in enumerate(ids)}
    seen = [queries.seen_ids(row) if exclude_seen else [] for row in answered]
    excluded = [np.array([rows[item] for item in ids_of_row if item in rows], np.int64) for ids_of_row in seen]
    candidates = model.candidate_embeddings.numpy()
    answers, scores = search(embeddings[sound], candidates, excluded, WIDTH)
    with_seen, _ = search(embeddings[sound], candidates, [np.array([], np.int64)] * len(sound), WIDTH)
    targets = np.array([rows[item] for row in answered for item in row[keys.TARGET_IDS][:1] if item in rows], np.int64)
    counts, buckets = model.candidate_counts.numpy(), model.popularity.numpy()
    times_shown = np.bincount(answers[answers != NO_ROW], minlength=len(ids))
    result = _statistics(answers, times_shown, targets, counts, buckets) | {
        "overlap_at_10_with_seen": variety.overlap(with_seen),
        "broken": len(parsed) - len(sound),
    }
    result["times"] = []
    if uses_times(trained_dir):
        row_of = [rows.get(row[keys.TARGET_IDS][0], NO_ROW) for row in answered]
        signature = model.signatures["query_embedding"]
        result["times"] = moments.hit_rates(signature, candidates, answered, row_of, excluded, WIDTH)
    lists = _most_and_least(times_shown, counts)
    # Single queries are personal data in many logs, so that the config can leave them out.
    examples: list[dict[str, Any]] = []
    if report.examples:
        chosen = sound[:_EXAMPLES]
        ranks = _ranks(model, [windows[index] for index in chosen], exclude_seen)
        for row, index in enumerate(chosen):
            recommended = answers[row][answers[row] != NO_ROW]
            history = [rows[item] for item in parsed[index].get(keys.HISTORY_IDS, []) if item in rows]
            near = [
                None if item is None else ids[item]
                for item in similarity.nearest_of_history(
                    recommended.tolist(), history, lambda wanted: candidates[np.asarray(wanted)]
                )
            ]
            example = _example(parsed[index], ids[recommended], scores[row], ranks[row], report)
            examples.append(example | {"near": near})
    listed_ids = {*(ids[row] for row in np.concatenate(list(lists.values()))), *_ids_in(examples)}
    titles = _titles(candidates_dir, title, listed_ids)
    result |= {
        name: [
            _candidate(ids[row], titles) | {"answers": int(times_shown[row]), "train_count": int(counts[row])}
            for row in listed
        ]
        for name, listed in lists.items()
    }
    if report.examples:
        result["examples"] = [_with_titles(example, titles) for example in examples]
    return result


def _first_window_per_query(windows: Sequence[bytes]) -> tuple[list[bytes], list[dict[str, Any]]]:
    """Returns the first window of each query, serialized and parsed; all rows of a basket share one history."""
    first: dict[bytes, tuple[bytes, dict[str, Any]]] = {}
    for window in windows:
        row = queries.parse_window(window)
        first.setdefault(row[keys.QUERY_ID][0], (window, row))
    return [window for window, _ in first.values()], [row for _, row in first.values()]


def _statistics(
    answers: np.ndarray, times_shown: np.ndarray, targets: np.ndarray, counts: np.ndarray, buckets: np.ndarray
) -> dict[str, Any]:
    places = int(times_shown.sum())

    def by_bucket(weights: np.ndarray) -> list[int]:
        return [int(weights[buckets == bucket].sum()) for bucket in range(len(POPULARITIES))]

    target_counts = np.bincount(targets, minlength=len(counts))
    columns = zip(
        POPULARITIES,
        *(by_bucket(weights) for weights in (np.ones_like(counts), counts, target_counts, times_shown)),
        strict=True,
    )
    return {
        "queries": len(answers),
        "width": WIDTH,
        "places": places,
        "corpus_size": len(counts),
        "coverage_at_10": variety.coverage(answers, len(counts)),
        "overlap_at_10": variety.overlap(answers),
        "never": int((times_shown == 0).sum()),
        "popularity": [
            dict(zip(("bucket", "candidates", "train", "targets", "answers"), column, strict=True))
            for column in columns
        ],
        "mean_train_count": {
            "answers": float((times_shown * counts).sum() / max(places, 1)),
            "targets": float(counts[targets].mean()) if len(targets) else 0.0,
        },
        "concentration": {"answers": _concentration(times_shown), "train": _concentration(counts)},
    }


def _concentration(counts: np.ndarray) -> list[float]:
    """Returns the share of all counts that the most frequent 0%, 2% ... 100% of the candidates have."""
    total = np.concatenate([[0.0], np.cumsum(np.sort(counts)[::-1], dtype=np.float64)])
    points = np.linspace(0, len(counts), _CURVE_POINTS)
    return [round(float(share), 5) for share in np.interp(points, np.arange(len(total)), total) / max(total[-1], 1.0)]


def _most_and_least(times_shown: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Returns corpus rows: the most recommended, and the least recommended with the most train interactions first."""
    most = np.argsort(-times_shown, kind="stable")[:_LISTED]
    # np.lexsort sorts by its last key first.
    least = np.lexsort((-counts, times_shown))[:_LISTED]
    return {"most": most[times_shown[most] > 0], "least": least}


def _ranks(model: Any, windows: Sequence[bytes], exclude_seen: bool) -> list[dict[str, int]]:
    if not windows:
        return []
    outputs = model.signatures["evaluation"](examples=tf.constant(windows))
    names = {keys.RANK: keys.RANK_WITH_SEEN, keys.POPULARITY_RANK: keys.POPULARITY_RANK_WITH_SEEN}
    if exclude_seen:
        names = {name: name for name in names}
    return [{name: int(outputs[output][row]) for name, output in names.items()} for row in range(len(windows))]


def _example(
    row: dict[str, Any], answers: Sequence[bytes], scores: np.ndarray, ranks: dict[str, int], report: ReportSection
) -> dict[str, Any]:
    """Returns one query; its candidates are still plain ids."""
    history = row.get(keys.HISTORY_IDS, [])
    query_id = row[keys.QUERY_ID][0].decode("utf-8", "replace")
    return {
        "query": query_id if report.query_ids else None,
        "history_length": len(history),
        "history": history[-_HISTORY_SHOWN:],
        "target": row[keys.TARGET_IDS][0],
        **ranks,
        "answers": list(answers),
        "scores": [float(score) for score in scores[: len(answers)]],
    }


def _ids_in(examples: Sequence[dict[str, Any]]) -> set[bytes]:
    columns = ("history", "answers", "near")
    listed = {item for example in examples for column in columns for item in example[column] if item is not None}
    return listed | {example["target"] for example in examples}


def _with_titles(example: dict[str, Any], titles: dict[bytes, str]) -> dict[str, Any]:
    return {
        **example,
        "history": [_candidate(item, titles) for item in example["history"]],
        "target": _candidate(example["target"], titles),
        "answers": [_candidate(item, titles) for item in example["answers"]],
        "near": [None if item is None else _candidate(item, titles) for item in example["near"]],
    }


def _candidate(candidate: bytes, titles: dict[bytes, str]) -> dict[str, Any]:
    return {"id": candidate.decode("utf-8", "replace"), "title": titles.get(candidate)}


def _titles(candidates_dir: str, title: str, wanted: set[bytes]) -> dict[bytes, str]:
    """Returns the titles of the `wanted` candidates, none without a title feature; memory holds one batch at a time."""
    if not title:
        return {}
    files = shards.list_files(candidates_dir)
    spec = {name: tf.io.VarLenFeature(tf.string) for name in (keys.CANDIDATE_ID, title)}
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(_BATCH)
    found: dict[bytes, list[str]] = collections.defaultdict(list)
    for batch in records.map(lambda serialized: tf.io.parse_example(serialized, spec)):
        ids = tf.sparse.to_dense(batch[keys.CANDIDATE_ID])[:, 0].numpy()
        for (row, _), value in zip(batch[title].indices.numpy(), batch[title].values.numpy(), strict=True):
            if ids[row] in wanted:
                found[ids[row]].append(value.decode("utf-8", "replace"))
    return {candidate: " ".join(values) for candidate, values in found.items()}
