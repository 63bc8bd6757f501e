"""What a run's own figures say of its model, each with the remedy: read after every run, before anyone is paged."""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from shortlist import keys
from shortlist.config.config import Config
from shortlist.config.model import FeaturesTowerSection
from shortlist.metrics import names
from shortlist.metrics.intervals import standard_error
from shortlist.summary import AnswersSummary, Baselines, DataSummary, Metrics, Protocol

FEW_NEGATIVES = 128
MANY_UNSEEN = 0.5
MANY_TIES = 0.9
SAME_LIST = 0.8
LITTLE_COVERAGE = 0.05
DIVERGED = 0.1
"""What share of the best eval NDCG has to be lost by the last epoch, while the loss fell."""
NOISE = 2.0
"""Standard errors from which a difference is more than noise."""
MOST_SLICES = 5
"""So many slices are told of, those that are furthest behind."""
# Below so many rows a slice's figures are noise.
_LEAST_ROWS = 100
_NDCG = names.ndcg()


@dataclasses.dataclass(frozen=True)
class Figures:
    """What a run measured, as far as it got: what it did not measure is None or empty."""

    data: DataSummary | None = None
    protocol: Protocol | None = None
    """How it was measured."""
    metrics: Metrics | None = None
    """Overall and by slice."""
    baselines: Baselines | None = None
    log: Sequence[Mapping[str, Any]] = ()
    """A line for each evaluation of the training: epoch, mean loss since the last one, metrics on eval."""
    answers: AnswersSummary | None = None
    """How varied the answers are."""


def diagnose(config: Config, figures: Figures) -> list[str]:
    """Returns a sentence for each weakness that the figures show, with what to do.

    Args:
      config: What was run, a search's values in it.
      figures: What came of it.
    """
    found = list(_of_training(config, figures.log))
    if figures.data is not None:
        found += _of_batches(config, figures.data)
    if figures.protocol is not None:
        found += _of_split(config, figures.protocol)
    if figures.metrics is not None and figures.baselines is not None:
        # When a query is answered, nobody knows its target: by these slices nothing can be served.
        of_the_target = frozenset({keys.TARGET_POPULARITY, keys.TARGET_SEEN_BEFORE, *config.target_slices})
        evaluate = config.evaluate
        gated = _Gated(evaluate.gate_k, evaluate.repeat_consumption)
        found += _of_accuracy(gated, figures.metrics, figures.baselines, of_the_target)
    if figures.answers is not None:
        found += _of_answers(figures.answers)
    return found


def _of_training(config: Config, log: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    diverged = next((line for line in log if not math.isfinite(line["loss"])), None)
    if diverged is not None:
        yield (
            f"the loss is not a number from epoch {diverged['epoch']} on, and nothing was learnt since: lower "
            "train.learning_rate, or raise train.warmup_fraction"
        )
        return
    if not log or log[-1][_NDCG] is None:
        return
    # The first of equals.
    best, last = max(log, key=lambda line: line[_NDCG]), log[-1]
    if best is last and last["epoch"] == config.train.epochs:
        yield f"the last of {last['epoch']} epochs was the best one: more train.epochs may do better"
    if last["loss"] < best["loss"] and last[_NDCG] <= (1.0 - DIVERGED) * best[_NDCG]:
        yield (
            f"train and eval diverge: from epoch {best['epoch']}, the best, to epoch {last['epoch']} the loss fell "
            f"from {best['loss']:.3f} to {last['loss']:.3f} and {_NDCG} on eval from {best[_NDCG]:.4f} to "
            f"{last[_NDCG]:.4f}; "
            "raise model.query_tower.dropout or train.weight_decay, or lower train.learning_rate"
        )


def _of_batches(config: Config, data: DataSummary) -> Iterator[str]:
    loss = config.train.loss
    negatives = loss.most_negatives(config.train.batch_size, data.rows["train"])
    if negatives is not None and negatives < FEW_NEGATIVES:
        yield f"a target has at most {negatives} negatives, which is few: {loss.more_negatives}"


def _of_split(config: Config, protocol: Protocol) -> Iterator[str]:
    if protocol.unseen_queries > MANY_UNSEEN:
        remedy = (
            "the features tower knows nothing of them; use model.query_tower.kind: history"
            if isinstance(config.model.query_tower, FeaturesTowerSection)
            else "the slices by history_length say how much of a past they are asked with; leave_last_out measures "
            "those who return"
        )
        yield f"{protocol.unseen_queries:.0%} of test rows belong to queries that train never saw: {remedy}"
    if protocol.tied_targets > MANY_TIES and protocol.split == "leave_last_out":
        yield (
            f"{protocol.tied_targets:.0%} of test targets share their time with another row, so that the file's order "
            "chose them: use data.split.kind: leave_last_basket"
        )


class _Gated(NamedTuple):
    """The accuracy that the gates look at."""

    k: int
    with_seen: bool

    @property
    def own(self) -> str:
        """Its name for the model, and for popularity in the summary's baselines."""
        return names.top_k(self.k, with_seen=self.with_seen)

    @property
    def popular(self) -> str:
        """Its name for popularity beside the model's."""
        return names.top_k(self.k, names.POPULARITY_FAMILY, self.with_seen)

    def rows(self, metrics: Mapping[str, float]) -> float:
        """Returns the denominator."""
        return names.rows_of(metrics, self.with_seen)


def _of_accuracy(gated: _Gated, metrics: Metrics, baselines: Baselines, passed_over: frozenset[str]) -> Iterator[str]:
    k, own, popular = gated.k, gated.own, gated.popular
    if own in metrics.overall and own in baselines.popularity:
        # Popularity's are told under the model's names there.
        overall = metrics.overall | {popular: baselines.popularity[own]}
        if _behind(overall, gated) > NOISE:
            yield (
                f"on all {gated.rows(overall):,.0f} test rows the model's top_{k} {overall[own]:.4f} is below "
                f"most popular's {overall[popular]:.4f}: it has not learnt, or learnt the wrong thing; look at how the "
                "loss went, name features or use model.query_tower.kind: history, and try another train.learning_rate"
            )
    behind = []
    for entry in metrics.slices:
        told: Any = entry["metrics"]
        slice_keys: Any = entry["slice"]
        if own not in told or gated.rows(told) < _LEAST_ROWS or passed_over & slice_keys.keys():
            continue
        where = ", ".join(f"{name} {value}" for name, value in slice_keys.items())
        behind.append((_behind(told, gated), where, told))
    worst = heapq.nlargest(MOST_SLICES, (one for one in behind if one[0] > NOISE), key=lambda one: one[0])
    for _, where, told in worst:
        yield (
            f"on the {gated.rows(told):,.0f} test rows with {where} the model's top_{k} {told[own]:.4f} is "
            f"below most popular's {told[popular]:.4f}: serve those by popularity, or give the towers features that "
            "tell them apart"
        )
    more = sum(one[0] > NOISE for one in behind) - len(worst)
    if more:
        yield f"{more} more slices are below most popular; the summary and the report have them all"


def _behind(metrics: Mapping[str, float], gated: _Gated) -> float:
    """Returns how many standard errors the model is behind most popular, as if they were of different rows."""
    rows = gated.rows(metrics)
    errors = math.hypot(*(standard_error(metrics[name], rows) for name in (gated.own, gated.popular)))
    difference = metrics[gated.popular] - metrics[gated.own]
    return difference / errors if errors else math.copysign(math.inf, difference) if difference else 0.0


def _of_answers(answers: AnswersSummary) -> Iterator[str]:
    if answers.overlap_at_10_with_seen > SAME_LIST:
        yield (
            f"before seen items are removed two queries' top 10 share {answers.overlap_at_10_with_seen:.0%} on "
            "average: nearly everyone gets the same list; check that histories and query features reach the model, and "
            "that the learning rate is not too high"
        )
    elif answers.coverage_at_10 < LITTLE_COVERAGE:
        yield (
            f"the top 10 of {answers.queries:,} test queries together name {answers.coverage_at_10:.1%} of the "
            "candidates that they could: add candidate features, or raise train.loss.temperature"
        )
