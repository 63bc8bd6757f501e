"""Advice on a run's model: the weaknesses that the run's own figures show, each with its remedy."""

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
"""Train and eval diverge if the last epoch lost at least this share of the best eval NDCG while the loss fell."""
NOISE = 2.0
"""A difference of at most this many standard errors counts as noise."""
MOST_SLICES = 5
"""At most this many slices are named, the furthest behind first."""
# Slices with fewer rows are skipped: one hit changes their accuracy by more than a percentage point.
_LEAST_ROWS = 100
_NDCG = names.ndcg()


@dataclasses.dataclass(frozen=True)
class Figures:
    """The figures of a run. Those that the run did not reach are None or empty."""

    data: DataSummary | None = None
    protocol: Protocol | None = None
    """The split and the ranking rules of the metrics."""
    metrics: Metrics | None = None
    """Overall and by slice."""
    baselines: Baselines | None = None
    log: Sequence[Mapping[str, Any]] = ()
    """One line per evaluation during training: epoch, mean loss since the last evaluation, metrics on eval."""
    answers: AnswersSummary | None = None
    """Variety of the recommendations."""
    from_warm_start: bool = False
    """Whether the training began from an earlier model's weights, for `train.warm_start_epochs`."""


def diagnose(config: Config, figures: Figures) -> list[str]:
    """Returns a sentence for each weakness that the figures show, with its remedy.

    Args:
      config: The run's config, with the values of the search if there was one.
      figures: The run's figures.
    """
    found: list[str] = []
    if figures.data is not None:
        found += _of_split_sizes(figures.data)
    if figures.protocol is not None:
        found += _of_unseen_targets(figures)
    epochs = "train.warm_start_epochs" if figures.from_warm_start else "train.epochs"
    found += _of_training(config, figures.log, epochs)
    if figures.data is not None:
        found += _of_batches(config, figures.data)
    if figures.protocol is not None:
        found += _of_split(config, figures.protocol)
    if figures.metrics is not None and figures.baselines is not None:
        # These slices depend on the target, which is unknown when serving: no remedy could use them.
        of_the_target = frozenset({keys.TARGET_POPULARITY, keys.TARGET_SEEN_BEFORE, *config.target_slices})
        evaluate = config.evaluate
        gated = _Gated(evaluate.gate_k, evaluate.repeat_consumption)
        found += _of_accuracy(gated, figures.metrics, figures.baselines, of_the_target)
    if figures.answers is not None:
        found += _of_answers(figures.answers)
    return found


def _of_split_sizes(data: DataSummary) -> Iterator[str]:
    if not data.rows.get(keys.SPLIT_EVAL):
        yield (
            "the eval split has no rows: early stopping and the choice of the best epoch had nothing to watch, and the "
            "last epoch was used; move data.split.eval_from or count more spans, or use another data.split"
        )


def _of_unseen_targets(figures: Figures) -> Iterator[str]:
    """Advice where train has (nearly) no test target, so that nothing about accuracy follows from the model."""
    if figures.metrics is None:
        return
    rows = names.rows_of(figures.metrics.overall, with_seen=True)
    unseen = 0.0
    for entry in figures.metrics.slices:
        values: Any = entry["metrics"]
        if entry["slice"] == {keys.TARGET_POPULARITY: names.UNSEEN}:
            unseen += names.rows_of(values, with_seen=True)
    if rows and unseen > MANY_UNSEEN * rows:
        yield (
            f"{unseen / rows:.0%} of test targets have no train interactions, so that their candidates are known by "
            "features alone and metrics say little about the others; move data.split.test_from, or shorten the test "
            "split"
        )


def _of_training(config: Config, log: Sequence[Mapping[str, Any]], epochs: str) -> Iterator[str]:
    first_nan = next((line for line in log if not math.isfinite(line["loss"])), None)
    if first_nan is not None:
        yield (
            f"the loss is not a number from epoch {first_nan['epoch']} on, and the model learnt nothing since: lower "
            "train.learning_rate, or raise train.warmup_fraction"
        )
        return
    if not log or log[-1][_NDCG] is None:
        return
    # `max` returns the first of equals: the epoch after which nothing improved.
    best, last = max(log, key=lambda line: line[_NDCG]), log[-1]
    if best is last and last["epoch"] == config.train.epochs:
        yield f"the last of {last['epoch']} epochs was the best one: more {epochs} may do better"
    if last["loss"] < best["loss"] and last[_NDCG] <= (1.0 - DIVERGED) * best[_NDCG]:
        yield (
            f"train and eval diverge: from epoch {best['epoch']}, the best, to epoch {last['epoch']} the loss fell "
            f"from {best['loss']:.3f} to {last['loss']:.3f} and {_NDCG} on eval from {best[_NDCG]:.4f} to "
            f"{last[_NDCG]:.4f}; raise model.query_tower.dropout or train.weight_decay, or lower train.learning_rate"
        )


def _of_batches(config: Config, data: DataSummary) -> Iterator[str]:
    loss = config.train.loss
    negatives = loss.most_negatives(config.train.batch_size, data.rows["train"])
    if negatives is not None and negatives < FEW_NEGATIVES:
        yield f"a target has at most {negatives} negatives, which is few: {loss.more_negatives}"


def _of_split(config: Config, protocol: Protocol) -> Iterator[str]:
    if protocol.unseen_queries > MANY_UNSEEN:
        remedy = "compare the slices by history_length; with leave_last_out the test has returning queries only"
        if isinstance(config.model.query_tower, FeaturesTowerSection):
            remedy = "the features tower has no id embedding for them; use model.query_tower.kind: history"
        yield f"{protocol.unseen_queries:.0%} of test rows belong to queries that train never saw: {remedy}"
    if protocol.tied_targets > MANY_TIES and protocol.split == "leave_last_out":
        yield (
            f"{protocol.tied_targets:.0%} of test targets share their timestamp with another row, so that the file's "
            "order chose them: use data.split.kind: leave_last_basket"
        )


class _Gated(NamedTuple):
    """The accuracy that the gates compare."""

    k: int
    with_seen: bool

    @property
    def own(self) -> str:
        """Its name for the model."""
        return names.top_k(self.k, with_seen=self.with_seen)

    @property
    def popular(self) -> str:
        """Its name for most popular, among the model's metrics."""
        return names.top_k(self.k, names.POPULARITY_FAMILY, self.with_seen)

    def rows(self, metrics: Mapping[str, float]) -> float:
        """Returns its denominator."""
        return names.rows_of(metrics, self.with_seen)


def _of_accuracy(gated: _Gated, metrics: Metrics, baselines: Baselines, skipped_keys: frozenset[str]) -> Iterator[str]:
    k, own, popular = gated.k, gated.own, gated.popular
    if own in metrics.overall and own in baselines.popularity:
        # `baselines.popularity` uses the model's metric names.
        overall = metrics.overall | {popular: baselines.popularity[own]}
        if _errors_behind(overall, gated) > NOISE:
            yield (
                f"on all {gated.rows(overall):,.0f} test rows the model's top_{k} {overall[own]:.4f} is below "
                f"most popular's {overall[popular]:.4f}: the model learnt nothing, or the wrong thing; look at the "
                "loss, add features or use model.query_tower.kind: history, and try another train.learning_rate"
            )
    behind = []
    for entry in metrics.slices:
        values: Any = entry["metrics"]
        slice_keys: Any = entry["slice"]
        if own not in values or gated.rows(values) < _LEAST_ROWS or skipped_keys & slice_keys.keys():
            continue
        label = ", ".join(f"{name} {value}" for name, value in slice_keys.items())
        behind.append((_errors_behind(values, gated), label, values))
    worst = heapq.nlargest(MOST_SLICES, (one for one in behind if one[0] > NOISE), key=lambda one: one[0])
    for _, label, values in worst:
        yield (
            f"on the {gated.rows(values):,.0f} test rows with {label} the model's top_{k} {values[own]:.4f} "
            f"is below most popular's {values[popular]:.4f}: serve those by popularity, or add features that "
            "distinguish them"
        )
    more = sum(one[0] > NOISE for one in behind) - len(worst)
    if more:
        yield f"{more} more slices are below most popular; the summary and the report list them all"


def _errors_behind(values: Mapping[str, float], gated: _Gated) -> float:
    """Returns the model's distance below most popular, in standard errors of two independent samples.

    Both are measured on the same rows, so that the true error is usually smaller: the advice errs towards silence.
    """
    rows = gated.rows(values)
    errors = math.hypot(*(standard_error(values[name], rows) for name in (gated.own, gated.popular)))
    difference = values[gated.popular] - values[gated.own]
    if errors:
        return difference / errors
    return math.copysign(math.inf, difference) if difference else 0.0


def _of_answers(answers: AnswersSummary) -> Iterator[str]:
    if answers.overlap_at_10_with_seen > SAME_LIST:
        yield (
            f"before seen items are removed, two queries share {answers.overlap_at_10_with_seen:.0%} of their top 10 "
            "on average: nearly everyone gets the same list; check that histories and query features reach the model, "
            "and that the learning rate is not too high"
        )
    # 0 means that all answers are empty since each query has seen every candidate; `collect` warns of that.
    elif 0 < answers.coverage_at_10 < LITTLE_COVERAGE:
        yield (
            f"the top 10 of {answers.queries:,} test queries together contain {answers.coverage_at_10:.1%} of the "
            "candidates that they could: add candidate features, or raise train.loss.temperature"
        )
