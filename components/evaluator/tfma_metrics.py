"""TensorFlow Model Analysis metrics over the ranks that the `evaluation` signature returns.

TFMA names a threshold by its metric, so every figure is a metric of its own. They
all derive from one histogram of ranks a model: TFMA removes the copies of a
computation whose combiner class and keys are equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types

from components.evaluator import rank_metrics
from shortlist import keys

RANKS = (keys.RANK, keys.RANK_WITH_SEEN, keys.POPULARITY_RANK, keys.POPULARITY_RANK_WITH_SEEN)
"""The signature's outputs, and the rows of a histogram."""


class TopKAccuracy(metric_types.Metric):
    """Share of rows whose target is among the first k: FactorizedTopK's figure."""

    def __init__(self, name: str, ranks: str, k: int, width: int):
        """Names the metric.

        Args:
          name: What it is called in the results, `factorized_top_k/top_10_categorical_accuracy`.
          ranks: The output of the signature that it reads, one of `RANKS`.
          k: The width of the list.
          width: The histogram's; metrics that give the same one share the histogram.
        """
        super().__init__(_top_k_accuracy, name=name, ranks=ranks, k=k, width=width)


class Ndcg(metric_types.Metric):
    """Mean NDCG@k of rows with one relevant candidate, their target."""

    def __init__(self, name: str, ranks: str, k: int, width: int):
        """Names the metric; the arguments are those of `TopKAccuracy`."""
        super().__init__(_ndcg, name=name, ranks=ranks, k=k, width=width)


class RankedCount(metric_types.Metric):
    """Number of rows that have a rank: without seen items, those whose target the query had not seen before."""

    def __init__(self, name: str, ranks: str, width: int):
        """Names the metric; the arguments are those of `TopKAccuracy`."""
        super().__init__(_ranked_count, name=name, ranks=ranks, width=width)


class LiftOverPopularity(metric_types.Metric):
    """How many times the top-k hits of "most popular" the model has on the same rows."""

    def __init__(self, name: str, k: int, width: int, code_sha256: str = "", with_seen: bool = False):
        """Names the metric.

        Args:
          name: What it is called in the results.
          k: The width of the list.
          width: The histogram's; metrics that give the same one share the histogram.
          code_sha256: Hash of the source that computes the metrics. It stands in the
            evaluation config only so that the Evaluator's cache key sees a change of the code.
          with_seen: Whether seen items are among the candidates.
        """
        super().__init__(
            _lift_over_popularity, name=name, k=k, width=width, code_sha256=code_sha256, with_seen=with_seen
        )


for _metric in (TopKAccuracy, Ndcg, RankedCount, LiftOverPopularity):
    metric_types.register_metric(_metric)


def _top_k_accuracy(
    name: str, ranks: str, k: int, width: int, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    row = RANKS.index(ranks)
    return _derived(name, width, model_names, lambda counts: rank_metrics.top_k_accuracy(counts[row], k))


def _ndcg(
    name: str, ranks: str, k: int, width: int, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    row = RANKS.index(ranks)
    return _derived(name, width, model_names, lambda counts: rank_metrics.ndcg(counts[row], k))


def _ranked_count(
    name: str, ranks: str, width: int, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    row = RANKS.index(ranks)
    return _derived(name, width, model_names, lambda counts: counts[row].sum())


def _lift_over_popularity(
    name: str, k: int, width: int, code_sha256: str, with_seen: bool, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    del code_sha256
    ranks = (keys.RANK_WITH_SEEN, keys.POPULARITY_RANK_WITH_SEEN) if with_seen else (keys.RANK, keys.POPULARITY_RANK)
    model, popularity = map(RANKS.index, ranks)
    return _derived(name, width, model_names, lambda counts: rank_metrics.lift(counts[model], counts[popularity], k))


def _derived(name: str, width: int, model_names: list[str] | None, value: Any) -> metric_types.MetricComputations:
    """Returns the shared histogram and what `value` makes of its [len(RANKS), width + 1] counts, a model each."""
    computations: metric_types.MetricComputations = []
    for model_name in model_names or [""]:
        # The leading underscore keeps the histogram out of the results.
        source = metric_types.MetricKey(name=f"_rank_histogram_{width}", model_name=model_name)
        target = metric_types.MetricKey(name=name, model_name=model_name)
        predictions = metric_types.StandardMetricInputsPreprocessor(
            include_filter={tfma.PREDICTIONS_KEY: {}}, include_default_inputs=False
        )
        computations.append(
            metric_types.MetricComputation([source], [predictions], _RankHistogramCombiner(source, width))
        )
        computations.append(
            metric_types.DerivedMetricComputation(
                [target], lambda metrics, source=source, target=target: {target: float(value(metrics[source]))}
            )
        )
    return computations


class _RankHistogramCombiner(beam.CombineFn):
    """Counts the ranks of all of `RANKS` into one int64 [len(RANKS), width + 1] array."""

    def __init__(self, key: metric_types.MetricKey, width: int):
        self._key = key
        self._width = width

    def create_accumulator(self) -> np.ndarray:
        return np.zeros((len(RANKS), self._width + 1), np.int64)

    def add_input(self, accumulator: np.ndarray, element: metric_types.StandardMetricInputs) -> np.ndarray:
        predictions = element.get_predictions(model_name=self._key.model_name)
        for row, name in enumerate(RANKS):
            accumulator[row] += rank_metrics.histogram(predictions[name], self._width)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[np.ndarray]) -> np.ndarray:
        return sum(accumulators, self.create_accumulator())

    def extract_output(self, accumulator: np.ndarray) -> dict[metric_types.MetricKey, np.ndarray]:
        return {self._key: accumulator}
