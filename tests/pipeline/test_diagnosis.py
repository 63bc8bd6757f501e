"""Each weakness that a run's figures can show is told once, with its remedy; a good run is told nothing."""

from __future__ import annotations

import pathlib

import pytest

from pipeline.diagnosis import POPULAR_10, TOP_10, diagnose
from shortlist.config import load_config
from shortlist.summary import IndexSummary, Metrics, Protocol

ROOT = pathlib.Path(__file__).parents[2]
HISTORY, FEATURES = "movielens_100k", "movielens_100k_random"
PROTOCOL = {
    "split": "leave_last_out",
    "corpus_size": 1682,
    "tied_targets": 0.44,
    "repeat_targets": 0.0,
    "unseen_queries": 0.0,
}
INDEX = {"kind": "scann", "k": 100, "recall_at_k": 0.99, "p50_ms": 1.0, "p99_ms": 2.0}
GOOD = {"coverage_at_10": 0.5, "overlap_at_10": 0.1}


def told(preset=HISTORY, overrides=None, training=None, slices=(), index=GOOD, **protocol):
    config = load_config(ROOT / "configs" / f"{preset}.yaml", overrides or {})
    return diagnose(
        config,
        Protocol.model_validate(PROTOCOL | protocol),
        Metrics(overall={}, slices=list(slices)),
        {"best_ndcg_at_10": 0.1} | (training or {"epochs": 24.0, "best_epoch": 18.0}),
        IndexSummary.model_validate(INDEX | index),
    )


def _slice(value, own, popular, rows=500, name="history_length"):
    metrics = {"example_count": rows, TOP_10: own, POPULAR_10: popular}
    return {"slice": {name: value}, "metrics": metrics}


def test_a_good_run_is_told_nothing():
    assert told(slices=[_slice("1", 0.3, 0.2), _slice("0", 0.01, 0.0)]) == []
    assert diagnose(load_config(ROOT / "configs" / "smoke.yaml"), None, None, {}, None) == []


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"training": {"epochs": 24.0, "best_epoch": 24.0}},
            "the last of 24 epochs was the best one: more train.epochs",
        ),
        ({"training": {"epochs": 12.0, "best_epoch": 4.0}}, "epoch 4 of 12 was the best one, and eval got worse"),
        (
            {"unseen_queries": 0.8},
            "80% of test rows belong to queries that train never saw: the figures are those of new",
        ),
        ({"preset": FEATURES, "unseen_queries": 0.8}, "use model.query_tower.kind: history"),
        ({"tied_targets": 0.95}, "95% of test targets share their time with another row"),
        (
            {"slices": [_slice("1", 0.1, 0.2)]},
            "on the 500 test rows with history_length 1 the model's top_10 0.1",
        ),
        ({"index": {"coverage_at_10": 0.01, "overlap_at_10": 0.9}}, "two queries' top 10 share 90% on average"),
        ({"index": {"coverage_at_10": 0.01, "overlap_at_10": 0.1}}, "together name 1.0% of the candidates"),
        (
            {"overrides": {"train.loss": {"kind": "in_batch"}, "train.batch_size": 32}},
            "a batch has 32 negatives, which is few: raise train.batch_size",
        ),
    ],
)
def test_each_weakness_with_its_remedy(given, sentence):
    [advice] = told(**given)
    assert sentence in advice


def test_few_rows_and_early_stops_by_patience_say_nothing():
    assert told(slices=[_slice("1", 0.1, 0.2, rows=99)]) == []
    # 9 hits beside 10, and what nobody knows when a query is answered.
    assert told(slices=[_slice("1", 0.09, 0.10, rows=100)]) == []
    assert told(slices=[_slice("head", 0.1, 0.3, name="target_popularity")]) == []
    assert told(slices=[_slice("yes", 0.1, 0.3, name="target_seen_before")]) == []
    # Patience ended it: its last epoch is no sign of more to come.
    assert told(training={"epochs": 12.0, "best_epoch": 12.0}) == []
