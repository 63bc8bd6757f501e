"""TFMA's config of metrics and gates, made from the config's `evaluate` section."""

from __future__ import annotations

import json
from typing import Any

import tensorflow_model_analysis as tfma
from google.protobuf import wrappers_pb2

from components.evaluator import cold_start, slices, tfma_metrics
from shortlist import keys
from shortlist.config.evaluate import Evaluate
from shortlist.metrics import names

# (family of metric names, with seen items) to the signature's output that the metrics count.
_RANKS = {
    (names.MODEL_FAMILY, False): keys.RANK,
    (names.MODEL_FAMILY, True): keys.RANK_WITH_SEEN,
    (names.POPULARITY_FAMILY, False): keys.POPULARITY_RANK,
    (names.POPULARITY_FAMILY, True): keys.POPULARITY_RANK_WITH_SEEN,
}

# A drop of exactly `max_drop_from_baseline` passes, despite the rounding of the subtraction.
_SLACK = 1e-9


def make_eval_config(evaluate: Evaluate, code_sha256: str) -> tfma.EvalConfig:
    """Returns the Evaluator's config: the metrics at every K, overall and by slice, and the two gates.

    Both gates apply to the overall slice only. A value at the threshold passes, since
    TFMA compares with >= (`metrics_validator._check_threshold`). Without a baseline,
    TFX removes its model spec and the change threshold.

    Args:
      evaluate: The section `evaluate`.
      code_sha256: Hash of the metrics' source; it becomes part of the Evaluator's cache key.
    """
    # The cold-start gate always needs its own K.
    ks = dict.fromkeys((*evaluate.ks, cold_start.K))
    width = max(*ks, names.NDCG_K)
    metrics = [tfma.MetricConfig(class_name="ExampleCount", config=json.dumps({"name": names.EXAMPLE_COUNT}))]
    for (family, with_seen), ranks in _RANKS.items():
        common = {"ranks": ranks, "width": width}
        for k in ks:
            metrics.append(_metric(tfma_metrics.TopKAccuracy, name=names.top_k(k, family, with_seen), k=k, **common))
            if (family, with_seen) == (names.MODEL_FAMILY, evaluate.repeat_consumption) and k == evaluate.gate_k:
                metrics[-1].per_slice_thresholds.append(_overall(_max_drop(evaluate.max_drop_from_baseline)))
        metrics.append(_metric(tfma_metrics.Ndcg, name=names.ndcg(family, with_seen), k=names.NDCG_K, **common))
    metrics.append(_metric(tfma_metrics.RankedCount, name=names.NEW_TARGET_COUNT, ranks=keys.RANK, width=width))
    lift = {"name": names.LIFT, "k": evaluate.gate_k, "width": width, "code_sha256": code_sha256}
    lift["with_seen"] = evaluate.repeat_consumption
    metrics.append(_metric(tfma_metrics.LiftOverPopularity, **lift))
    metrics[-1].per_slice_thresholds.append(_overall(_lower_bound(evaluate.min_lift_over_popularity)))
    return tfma.EvalConfig(
        model_specs=[_model_spec(tfma.CANDIDATE_KEY), _model_spec(tfma.BASELINE_KEY, is_baseline=True)],
        slicing_specs=[
            tfma.SlicingSpec(),
            *(tfma.SlicingSpec(feature_keys=[name]) for name in (*slices.NAMES, *evaluate.slices)),
        ],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
        options=tfma.Options(include_default_metrics=wrappers_pb2.BoolValue(value=False)),
    )


def _model_spec(name: str, is_baseline: bool = False) -> tfma.ModelSpec:
    # Without a model type, TFMA tries to load the model with Keras to detect the type.
    return tfma.ModelSpec(
        name=name,
        signature_name=names.SIGNATURE,
        model_type=tfma.TF_GENERIC,
        is_baseline=is_baseline,
        # The candidate's slices apply to both models; an older model may have none.
        preprocessing_function_names=[] if is_baseline else [names.SLICES_SIGNATURE],
    )


def _metric(metric_class: type, **config: Any) -> tfma.MetricConfig:
    # A Beam worker imports the module to find the class.
    return tfma.MetricConfig(
        class_name=metric_class.__name__, module=metric_class.__module__, config=json.dumps(config, sort_keys=True)
    )


def _overall(threshold: tfma.MetricThreshold) -> tfma.PerSliceMetricThreshold:
    # `MetricConfig.threshold` would gate every slice; `MetricsSpec.per_slice_thresholds` fails with "Metric not found".
    return tfma.PerSliceMetricThreshold(slicing_specs=[tfma.SlicingSpec()], threshold=threshold)


def _lower_bound(bound: float) -> tfma.MetricThreshold:
    value = wrappers_pb2.DoubleValue(value=bound)
    return tfma.MetricThreshold(value_threshold=tfma.GenericValueThreshold(lower_bound=value))


def _max_drop(drop: float) -> tfma.MetricThreshold:
    change = tfma.GenericChangeThreshold(
        direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute=wrappers_pb2.DoubleValue(value=-drop - _SLACK)
    )
    return tfma.MetricThreshold(change_threshold=change)
