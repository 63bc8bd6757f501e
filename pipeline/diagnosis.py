"""What a run's own figures say of its model, each with the remedy: read after every run, before anyone is paged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from components.evaluator import names
from shortlist import keys
from shortlist.config import types
from shortlist.intervals import standard_error
from shortlist.summary import IndexSummary, Metrics, Protocol

TOP_10 = names.top_k(10)
POPULAR_10 = names.top_k(10, names.POPULARITY_FAMILY)
FEW_NEGATIVES = 128
MANY_UNSEEN = 0.5
MANY_TIES = 0.9
SAME_LIST = 0.8
LITTLE_COVERAGE = 0.05
NOISE = 2.0
"""Standard errors from which a difference is more than noise."""
# Below so many rows a slice's figures are noise.
_LEAST_ROWS = 100
# When a query is answered, nobody knows its target: by these slices nothing can be served.
_OF_THE_TARGET = frozenset({keys.TARGET_POPULARITY, keys.TARGET_SEEN_BEFORE})


def diagnose(
    config: types.Config,
    protocol: Protocol | None,
    metrics: Metrics | None,
    training: dict[str, float],
    index: IndexSummary | None,
) -> list[str]:
    """Returns a sentence for each weakness that the figures show.

    Args:
      config: What was run.
      protocol: How it was measured; None where the run did not get so far, as for the others.
      metrics: Overall and by slice.
      training: `epochs` and `best_epoch` of the trained model.
      index: With coverage and overlap of what is answered.
    """
    found = list(_of_training(config, training))
    if protocol is not None:
        found += _of_split(config, protocol)
    if metrics is not None:
        found += _of_slices(metrics)
    if index is not None:
        found += _of_answers(index)
    return found


def _of_training(config: types.Config, training: dict[str, float]) -> Iterator[str]:
    epochs, best = training.get("epochs"), training.get("best_epoch")
    compared = training.get("best_ndcg_at_10") is not None
    if epochs and compared and best == epochs == config.train.epochs:
        yield f"the last of {epochs:.0f} epochs was the best one: more train.epochs may do better"
    if epochs and best and epochs >= 4 and best <= epochs / 3:
        yield (
            f"epoch {best:.0f} of {epochs:.0f} was the best one, and eval got worse while train went on: raise "
            "model.query_tower.dropout or train.weight_decay, or lower train.learning_rate"
        )
    loss = config.train.loss
    negatives = config.train.batch_size + getattr(loss, "uniform_negatives", 0)
    if isinstance(loss, types.InBatchLoss) and negatives < FEW_NEGATIVES:
        yield (
            f"a batch has {negatives} negatives, which is few: raise train.batch_size or "
            "train.loss.uniform_negatives, or use train.loss.kind: corpus while the catalogue fits"
        )


def _of_split(config: types.Config, protocol: Protocol) -> Iterator[str]:
    if protocol.unseen_queries > MANY_UNSEEN:
        remedy = (
            "the features tower knows nothing of them; use model.query_tower.kind: history"
            if isinstance(config.model.query_tower, types.FeaturesTower)
            else "the figures are those of newcomers; leave_last_out measures those who return"
        )
        yield f"{protocol.unseen_queries:.0%} of test rows belong to queries that train never saw: {remedy}"
    if protocol.tied_targets > MANY_TIES and protocol.split == "leave_last_out":
        yield (
            f"{protocol.tied_targets:.0%} of test targets share their time with another row, so that the file's order "
            "chose them: use data.split.kind: leave_last_basket"
        )


def _of_slices(metrics: Metrics) -> Iterator[str]:
    for entry in metrics.slices:
        told: Any = entry["metrics"]
        slice_keys: Any = entry["slice"]
        if told["example_count"] < _LEAST_ROWS or TOP_10 not in told or _OF_THE_TARGET & slice_keys.keys():
            continue
        if told[POPULAR_10] - told[TOP_10] > NOISE * _standard_error(told):
            where = ", ".join(f"{name} {value}" for name, value in slice_keys.items())
            yield (
                f"on the {told['example_count']:,.0f} test rows with {where} the model's top_10 {told[TOP_10]:.4f} is "
                f"below most popular's {told[POPULAR_10]:.4f}: serve those by popularity, or give the towers features "
                "that tell them apart"
            )


def _standard_error(told: Any) -> float:
    """Returns that of the difference of a model's top_10 and most popular's, as if they were of different rows."""
    return math.hypot(*(standard_error(told[name], told["example_count"]) for name in (TOP_10, POPULAR_10)))


def _of_answers(index: IndexSummary) -> Iterator[str]:
    if index.overlap_at_10 is not None and index.overlap_at_10 > SAME_LIST:
        yield (
            f"two queries' top 10 share {index.overlap_at_10:.0%} on average: nearly everyone gets the same list; "
            "check that histories and query features reach the model, and that the learning rate is not too high"
        )
    elif index.coverage_at_10 is not None and index.coverage_at_10 < LITTLE_COVERAGE:
        yield (
            f"all test queries' top 10 together name {index.coverage_at_10:.1%} of the candidates that they could: add "
            "candidate features, or raise train.loss.temperature"
        )
