"""TensorFlow Model Analysis metrics over the ranks that the `evaluation` signature returns.

TFMA identifies a threshold by its metric, so that every value is a metric of its own.
All of them derive from one histogram of ranks per model. TFMA computes it once, since
it removes duplicate computations with equal combiner classes and keys.
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
"""Outputs of the signature, in the order of the histogram's rows."""


class TopKAccuracy(metric_types.Metric):
    """Hit rate HR@k, as in FactorizedTopK: share of rows whose target is among the first k."""

    def __init__(self, name: str, ranks: str, k: int, width: int):
        """Defines the metric.

        Args:
          name: Name in the results, for example `factorized_top_k/top_10_categorical_accuracy`.
          ranks: The signature's output with the ranks, one of `RANKS`.
          k: Length of the list of recommendations.
          width: Width of the histogram; metrics with the same width share one histogram.
        """
        super().__init__(_top_k_accuracy, name=name, ranks=ranks, k=k, width=width)


class Ndcg(metric_types.Metric):
    """Mean NDCG@k; each row has one relevant candidate, its target."""

    def __init__(self, name: str, ranks: str, k: int, width: int):
        """Defines the metric; the arguments are those of `TopKAccuracy`."""
        super().__init__(_ndcg, name=name, ranks=ranks, k=k, width=width)


class RankedCount(metric_types.Metric):
    """Number of rows with a rank; without seen items, these are the rows whose target is new to the query."""

    def __init__(self, name: str, ranks: str, width: int):
        """Defines the metric; the arguments are those of `TopKAccuracy`."""
        super().__init__(_ranked_count, name=name, ranks=ranks, width=width)


class LiftOverPopularity(metric_types.Metric):
    """The model's top-k hits divided by those of "most popular" on the same rows."""

    def __init__(self, name: str, k: int, width: int, code_sha256: str = "", with_seen: bool = False):
        """Defines the metric.

        Args:
          name: Name in the results.
          k: Length of the list of recommendations.
          width: Width of the histogram; metrics with the same width share one histogram.
          code_sha256: Hash of the metrics' source. It is in the evaluation config only to
            become part of the Evaluator's cache key.
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
    """Returns, per model, the shared histogram and the metric `value` of its [len(RANKS), width + 1] counts."""
    computations: metric_types.MetricComputations = []
    for model_name in model_names or [""]:
        # TFMA leaves metrics whose name starts with an underscore out of the results.
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
