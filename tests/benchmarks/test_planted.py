"""The planted log: its truth, its rows, and the baselines on them."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import sparse

from benchmarks.planted import baselines, log, run, truth


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("planted")
    log.write(path, 20_000, 1_000, seed=3)
    return path


def test_equal_arguments_give_equal_rows(folder, tmp_path):
    log.write(tmp_path, 20_000, 1_000, seed=3)
    for table in log.TABLES:
        assert pq.read_table(tmp_path / f"{table}.parquet").equals(pq.read_table(folder / f"{table}.parquet"))
    log.write(tmp_path / "other", 20_000, 1_000, seed=4)
    other = pq.read_table(tmp_path / "other" / "interactions.parquet")
    assert not other.equals(pq.read_table(folder / "interactions.parquet"))


def test_the_log_is_as_promised(folder):
    rows = pq.read_table(folder / "interactions.parquet").to_pandas()
    assert 0.9 * 20_000 < len(rows) < 1.1 * 20_000
    assert not rows.duplicated(["user_id", "item_id"]).any()
    assert not rows.duplicated(["user_id", "timestamp"]).any()
    assert rows.groupby("user_id").size().min() >= 3
    catalogue = pq.read_table(folder / "candidates.parquet").to_pandas()
    assert len(catalogue) == 1_000
    assert set(rows["item_id"]) <= set(catalogue["item_id"])
    # Popularity is skewed: a tenth of the items has more than a quarter of the rows.
    counts = rows["item_id"].value_counts()
    assert counts.iloc[:100].sum() > len(rows) / 4


def test_probabilities_by_hand():
    # Two clusters of two items, {0, 2} and {1, 3}; weights .4, .3, .2, .1. Item 0 follows item 2 and the reverse.
    planted = truth.Truth(
        cluster_of=np.array([0, 1, 0, 1]),
        weights=np.array([0.4, 0.3, 0.2, 0.1]),
        successors=np.array([[2] * 5, [3] * 5, [0] * 5, [1] * 5]),
        by_cluster=np.array([0, 2, 1, 3]),
        starts=np.array([0, 2, 4]),
    )
    # A tenth anywhere, 0.3 to the successor, the rest in the cluster: 0.04 + 0.6 * 2/3, 0.03, 0.02 + 0.2 + 0.3, 0.01.
    assert planted.probabilities(cluster=0, last=0) == pytest.approx([0.44, 0.03, 0.52, 0.01])
    assert planted.probabilities(cluster=1, last=-1) == pytest.approx([0.04, 0.705, 0.02, 0.235])
    # 20,000 draws from one state have these shares.
    random = np.random.default_rng(0)
    state = truth.State(np.zeros(20_000, np.int64), np.zeros(20_000, np.int64))
    shares = np.bincount(planted.draw(state, random), minlength=4) / 20_000
    assert shares == pytest.approx([0.44, 0.03, 0.52, 0.01], abs=0.015)


def test_a_rank_leaves_out_seen_items_and_counts_ties_against_the_target():
    scores = np.array([0.5, 0.4, 0.4, 0.1])
    assert truth.rank(scores, 1, np.array([0])) == 2
    assert truth.rank(scores, 0, np.array([1, 2])) == 1
    assert truth.rank(scores, 3, np.array([], np.int64)) == 4


def test_baselines_by_hand(tmp_path):
    # Train is a-b for query 0 and a-b-c for query 1; item 3 was never seen. Similarities of common queries:
    # a and b 2 / (2 + 10), a and c 1 / (sqrt(2) + 10), b and c the same.
    train = sparse.csr_matrix(np.array([[1, 1, 0, 0], [1, 1, 1, 0]], np.float32))
    similar = baselines.neighbors(train).toarray()
    third = 1 / (2**0.5 + 10)
    assert similar == pytest.approx(
        np.array([[0, 1 / 6, third, 0], [1 / 6, 0, third, 0], [third, third, 0, 0], [0] * 4])
    )
    # History a: b is first, c second, and 3 ties with all that has no score.
    scores = sparse.csr_matrix(similar[:1])
    past = sparse.csr_matrix(np.array([[1, 0, 0, 0]], np.float32))
    assert [int(baselines.sparse_ranks(scores, [target], past)[0]) for target in (1, 2, 3)] == [1, 2, 3]
    # Counts 2, 2, 1, 0: without item a, b is first.
    assert [int(baselines.dense_ranks(np.array([2.0, 2, 1, 0]), [t], past)[0]) for t in (1, 2, 3)] == [1, 2, 3]
    assert baselines.metrics(np.array([1, 3, 11, 200])) == {"top_10": 0.5, "top_100": 0.75, "ndcg_at_10": 0.375}


def test_item_knn_is_between_popularity_and_the_ceiling(folder):
    found = baselines.measure(folder)
    ceiling = json.loads((folder / log.TRUTH_FILE).read_text())["ceiling_top_10"]
    assert 0 < found["popularity"]["top_10"] < found["item_knn"]["top_10"] < ceiling < 1


def _record(interactions, candidates, **more):
    metrics = {"top_10": 0.1, "ndcg_at_10": 0.05, "top_100": 0.3}
    return {
        "interactions": interactions,
        "candidates": candidates,
        "set": ["train.epochs=2"],
        "quality": dict.fromkeys(("popularity", "item_knn", "ceiling"), metrics),
        "shortlist": metrics,
        "status": "pushed",
        "seconds": {"Windows": 30.0, "Trainer": 69.0, "Pusher": 1.0},
        "peak_mb": {"Windows": 900.0, "Trainer": 1500.0, "Pusher": 800.0},
        "total_seconds": 101.0,
        "peak_rss_mb": 1600.0,
        "machine": {"cores": 2, "cpu": "x", "memory_gb": 24.0},
        "note": "busy",
        **more,
    }


def test_the_table_has_a_column_per_size_and_names_what_failed():
    lines = run.text([_record(100, 20), _record(200, 40) | {"failed": "exit code 137"}]).splitlines()
    assert "| Windows | 30 s, 900 |" in lines
    assert "| **all** | 101 s, 1,600 MiB |" in lines
    assert "| ceiling | 0.100 / 0.050 / 0.300 |" in lines
    assert "200 rows, 40 candidates: exit code 137." in lines
    assert "100 rows, 20 candidates; 2 cores (x), 24.0 GB; train.epochs=2; busy." in lines


def _summary(seconds, peaks, cached=()):
    return {
        "status": "pushed",
        "metrics": {"overall": {"ndcg_at_10": 0.25}},
        "cached": list(cached),
        "seconds": {"components": seconds, "total": 12.0},
        "node_peaks_mb": peaks,
        "peak_rss_mb": max(peaks.values()),
        "training": {},
        "index": None,
    }


def test_a_continued_run_has_the_seconds_of_the_runs_that_did_the_work():
    # The first run failed in its Indexer, after 5 s of it; the second one did that node anew.
    first = _summary({"Windows": 30.0, "Indexer": 5.0}, {"Windows": 900.0, "Indexer": 3000.0})
    second = _summary({"Windows": 0.1, "Indexer": 11.0}, {"Windows": 400.0, "Indexer": 800.0}, cached=["Windows"])
    found = run.figures([first, second])
    assert found["seconds"] == {"Windows": 30.0, "Indexer": 11.0}
    assert found["peak_mb"] == {"Windows": 900.0, "Indexer": 800.0}
    assert (found["total_seconds"], found["peak_rss_mb"], found["continued"]) == (41.0, 900.0, True)
    whole = run.figures([first])
    assert (whole["total_seconds"], whole["peak_rss_mb"], whole["continued"]) == (12.0, 3000.0, False)
