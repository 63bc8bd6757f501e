"""Each weakness that a run's figures can show gives one advice with its remedy; a good run gives none."""

from __future__ import annotations

import pathlib

import pytest

from pipeline.diagnosis import Figures, diagnose
from shortlist.config.load import load_config
from shortlist.metrics import names
from shortlist.summary import AnswersSummary, Baselines, DataSummary, Metrics, Protocol

ROOT = pathlib.Path(__file__).parents[2]
HISTORY, FEATURES = "movielens_100k", "movielens_100k_random"
TOP_10, POPULAR_10 = names.top_k(10), names.top_k(10, names.POPULARITY_FAMILY)
DATA = {"rows": {"train": 98_114, "eval": 943, "test": 943}, "queries": {}, "interactions": 0, "candidates": 0}
PROTOCOL = {
    "split": "leave_last_out",
    "corpus_size": 1682,
    "tied_targets": 0.44,
    "repeat_targets": 0.0,
    "unseen_queries": 0.0,
}
ANSWERS = {
    **{"queries": 943, "coverage_at_10": 0.5, "overlap_at_10": 0.1, "overlap_at_10_with_seen": 0.15},
    **{"mean_train_count": 160.0, "mean_train_count_of_targets": 170.0},
}


def log(*lines):
    """Lines of (epoch, loss, NDCG on eval)."""
    return [{"epoch": epoch, "loss": loss, "ndcg_at_10": ndcg} for epoch, loss, ndcg in lines]


GOOD_LOG = log((12, 4.2, 0.14), (18, 4.0, 0.16), (22, 3.9, 0.157), (24, 3.9, 0.158))


def advice_on(
    preset=HISTORY, overrides=None, lines=GOOD_LOG, own=0.24, slices=(), answers=None, train=98_114, **protocol
):
    config = load_config(ROOT / "configs" / f"{preset}.yaml", overrides or {})
    k = config.evaluate.gate_k
    overall = {"example_count": 943.0, names.top_k(k): own}
    figures = Figures(
        DataSummary.model_validate(DATA | {"dropped": {}, "rows": DATA["rows"] | {"train": train}}),
        Protocol.model_validate(PROTOCOL | protocol),
        Metrics(overall=overall, slices=list(slices)),
        Baselines(popularity={names.top_k(k): 0.084}),
        lines,
        AnswersSummary.model_validate(ANSWERS | (answers or {})),
    )
    return diagnose(config, figures)


def _slice(value, own, popular, rows=500, name="history_length", k=10):
    metrics = {"example_count": rows, names.top_k(k): own, names.top_k(k, names.POPULARITY_FAMILY): popular}
    return {"slice": {name: value}, "metrics": metrics}


def test_a_good_run_gets_no_advice():
    assert advice_on(slices=[_slice("1", 0.3, 0.2), _slice("0", 0.01, 0.0)]) == []
    assert diagnose(load_config(ROOT / "configs" / "smoke.yaml"), Figures()) == []


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"lines": log((12, 4.2, 0.14), (24, 3.9, 0.16))},
            "the last of 24 epochs was the best one: more train.epochs",
        ),
        (
            {"lines": log((2, 5.0, 0.1), (10, 4.0, 0.16), (18, 3.0, 0.12))},
            "from epoch 10, the best, to epoch 18 the loss fell from 4.000 to 3.000 and ndcg_at_10 on eval from 0.1600 "
            "to 0.1200; raise model.query_tower.dropout",
        ),
        (
            {"lines": log((2, 5.0, 0.1), (4, float("nan"), 0.0), (6, float("nan"), 0.0))},
            "the loss is not a number from epoch 4 on, and the model learnt nothing since: lower train.learning_rate",
        ),
        ({"own": 0.04}, "on all 943 test rows the model's top_10 0.0400 is below most popular's 0.0840: the model"),
        (
            {"unseen_queries": 0.8},
            "80% of test rows belong to queries that train never saw: compare the slices by history_length",
        ),
        ({"preset": FEATURES, "unseen_queries": 0.8}, "use model.query_tower.kind: history"),
        ({"tied_targets": 0.95}, "95% of test targets share their timestamp with another row"),
        (
            {"slices": [_slice("1", 0.1, 0.2)]},
            "on the 500 test rows with history_length 1 the model's top_10 0.1",
        ),
        (
            # Everyone has seen another part of the one list.
            {"answers": {"coverage_at_10": 0.01, "overlap_at_10": 0.4, "overlap_at_10_with_seen": 0.9}},
            "before seen items are removed, two queries share 90% of their top 10 on average: nearly everyone gets",
        ),
        ({"answers": {"coverage_at_10": 0.01}}, "top 10 of 943 test queries together contain 1.0% of the candidates"),
        (
            {"overrides": {"train.loss": {"kind": "in_batch"}, "train.batch_size": 32}},
            "a target has at most 31 negatives, which is few: raise train.batch_size",
        ),
        (
            {"overrides": {"train.loss": {"kind": "in_batch"}, "train.batch_size": 1024}, "train": 90},
            "a target has at most 89 negatives",
        ),
        (
            {
                "overrides": {"train.loss": {"kind": "sampled", "in_batch_negatives": 1000, "uniform_negatives": 20}},
                "train": 90,
            },
            "a target has at most 109 negatives, which is few: raise train.loss.uniform_negatives",
        ),
        (
            {
                "overrides": {"evaluate.ks": [20], "evaluate.gate_k": 20},
                "slices": [_slice("1", 0.1, 0.2, k=20)],
            },
            "on the 500 test rows with history_length 1 the model's top_20 0.1",
        ),
    ],
)
def test_each_weakness_with_its_remedy(given, sentence):
    [advice] = advice_on(**given)
    assert sentence in advice


def test_empty_answers_get_no_advice_on_coverage():
    # Each query has seen every candidate, which pipeline.collect reports.
    assert advice_on(answers={"coverage_at_10": 0.0}) == []


def test_few_rows_noise_and_slices_by_the_target_give_no_advice():
    assert advice_on(slices=[_slice("1", 0.1, 0.2, rows=99)]) == []
    # 9 hits beside 10, and slices that are unknown when a query is answered.
    assert advice_on(slices=[_slice("1", 0.09, 0.10, rows=100)]) == []
    assert advice_on(slices=[_slice("head", 0.1, 0.3, name="target_popularity")]) == []
    assert advice_on(slices=[_slice("yes", 0.1, 0.3, name="target_seen_before")]) == []
    # Below by less than noise, over all rows.
    assert advice_on(own=0.08) == []
    in_batch = {"overrides": {"train.loss": {"kind": "in_batch"}, "train.batch_size": 129}}
    assert advice_on(**in_batch) == []


@pytest.mark.parametrize(
    "lines",
    [
        # Patience ended it: its last epoch is no sign of more to come.
        log((10, 4.2, 0.14), (12, 4.0, 0.16)),
        # A plateau, a loss that did not fall, and a split without eval rows.
        log((2, 4.2, 0.16), (12, 4.0, 0.15)),
        log((2, 4.2, 0.16), (12, 4.3, 0.12)),
        log((2, 4.2, None), (12, 4.0, None)),
    ],
)
def test_no_divergence(lines):
    assert advice_on(lines=lines) == []


def test_the_worst_of_many_slices_are_named():
    *first, last = advice_on(slices=[_slice(str(share), share / 100, 0.4) for share in range(10, 18)])
    assert [advice.partition("history_length ")[2][:2] for advice in first] == ["10", "11", "12", "13", "14"]
    assert last == "3 more slices are below most popular; the summary and the report list them all"


def test_an_empty_eval_split_is_the_first_advice():
    config = load_config(ROOT / "configs" / f"{HISTORY}.yaml", {})
    data = DataSummary.model_validate(DATA | {"dropped": {}, "rows": {"train": 900, "eval": 0, "test": 50}})
    # All of the 50 test targets are new to train.
    unseen = {"slice": {"target_popularity": names.UNSEEN}, "metrics": {"example_count": 50.0}}
    metrics = Metrics(overall={"example_count": 50.0, TOP_10: 0.0}, slices=[unseen])
    worst = log((1, float("nan"), None))
    found = diagnose(config, Figures(data, Protocol.model_validate(PROTOCOL), metrics, None, worst))
    assert found[0].startswith("the eval split has no rows")
    assert found[1].startswith("100% of test targets have no train interactions")
