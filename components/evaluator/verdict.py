"""Metrics of an evaluation and the results of its gates, read from TFMA's files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from components.evaluator import cold_start
from shortlist.config.evaluate import ColdStart
from shortlist.metrics import names
from shortlist.verdicts import Gate, GateResult, Result, beside, hit_rate, short_share

POPULARITY_KEY = "evaluate.min_lift_over_popularity"
PREVIOUS_MODEL_KEY = "evaluate.max_drop_from_baseline"


def read_evaluation(evaluation_uri: str) -> dict[str, Any]:
    """Reads the files of a ModelEvaluation artifact.

    The call imports TFMA, which takes 9 seconds if the process has not imported it before.

    Args:
      evaluation_uri: The artifact's folder.

    Returns:
      `overall` {metric name: value}; `slices` [{"slice": {feature: value}, "metrics": {...}}];
      `baseline`, the metrics of the baseline model over all rows, or None; `validation`
      {"blessed": bool, "gates": [GateResult]}.
    """
    import tensorflow_model_analysis as tfma
    from tensorflow_model_analysis.writers import eval_config_writer

    overall: dict[str, float] = {}
    baseline: dict[str, float] = {}
    slices = []
    for record in tfma.load_metrics(evaluation_uri):
        slice_keys = {key.column: getattr(key, key.WhichOneof("kind")) for key in record.slice_key.single_slice_keys}
        # Without a baseline, TFMA stores the candidate under the name "".
        metrics = _metrics(record, "") or _metrics(record, tfma.CANDIDATE_KEY)
        if slice_keys:
            slices.append({"slice": {name: _readable(value) for name, value in slice_keys.items()}, "metrics": metrics})
        else:
            overall, baseline = metrics, _metrics(record, tfma.BASELINE_KEY)
    result = tfma.load_validation_result(evaluation_uri)
    eval_config, *_ = eval_config_writer.load_eval_run(evaluation_uri)
    cold = cold_start.read(evaluation_uri)
    gates = [*gate_results(result, eval_config, overall, baseline), *cold.gates]
    return {
        "overall": overall | cold.metrics,
        "slices": sorted(slices, key=lambda entry: json.dumps(entry["slice"], sort_keys=True)),
        "baseline": baseline or None,
        "validation": {
            "blessed": result.validation_ok and all(gate.result is not Result.FAILED for gate in gates),
            "gates": gates,
        },
    }


def add_cold_start(evaluation_uri: str, model_dir: str, settings: ColdStart) -> None:
    """Adds the cold-start metrics and gates to an evaluation, for `read_evaluation` to return.

    Args:
      evaluation_uri: The folder of the artifact, with the output of TFX's Evaluator.
      model_dir: Folder of the trained SavedModel.
      settings: The section `evaluate.cold_start`.
    """
    slices = read_evaluation(evaluation_uri)["slices"]
    scores = cold_start.score_empty_query(model_dir)
    if scores is not None:
        cold_start.write(cold_start.assess(slices, scores, settings), evaluation_uri)


def _metrics(record: Any, model_name: str) -> dict[str, float]:
    return {
        entry.key.name: entry.value.double_value.value
        for entry in record.metric_keys_and_values
        if entry.key.model_name == model_name
        and not entry.key.is_diff
        and entry.value.HasField("double_value")
        # Of no rows: a slice whose targets had all been seen before.
        and not math.isnan(entry.value.double_value.value)
    }


def _readable(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value


def gate_results(
    result: Any, eval_config: Any, overall: dict[str, float], baseline: dict[str, float]
) -> list[GateResult]:
    """Returns the results of TFMA's gates: against "most popular", and against the earlier model if there is one.

    Args:
      result: TFMA's ValidationResult.
      eval_config: The EvalConfig of the evaluation.
      overall: The candidate's metrics over all rows.
      baseline: The baseline's metrics over all rows; empty without a baseline.
    """
    if not overall:
        return _without_rows("no row of the test split was evaluated")
    if _nothing_counted(overall, eval_config):
        return _without_rows("no test row has a target that its query had not seen before")
    failed = {
        (failure.metric_key.name, failure.metric_key.is_diff)
        for validation in result.metric_validations_per_slice
        for failure in validation.failures
    }
    results = []
    for name, k, with_seen, threshold in _gates(eval_config):
        metric = names.top_k(k, with_seen=with_seen)
        if threshold.HasField("value_threshold"):
            popular = overall[names.top_k(k, names.POPULARITY_FAMILY, with_seen)]
            least = threshold.value_threshold.lower_bound.value
            passed = (name, False) not in failed
            results.append(_against_popularity(passed, metric, overall, popular, least))
        if threshold.HasField("change_threshold"):
            least = threshold.change_threshold.absolute.value
            results.append(_against_baseline((name, True) not in failed, metric, overall, baseline[metric], least))
    return sorted(results, key=lambda gate: list(Gate).index(gate.gate))


def _without_rows(reason: str) -> list[GateResult]:
    return [
        GateResult(gate=Gate.POPULARITY, result=Result.FAILED, sentence=reason),
        GateResult(gate=Gate.PREVIOUS_MODEL, result=Result.NOT_JUDGED, sentence=f"not judged: {reason}"),
    ]


def _against_popularity(
    passed: bool, metric: str, overall: dict[str, float], popular: float, least: float
) -> GateResult:
    # `rank_metrics.lift` counts a baseline without hits as one with a single hit.
    note = "" if popular else " (taken as one hit)"
    key = "" if passed else f" by {POPULARITY_KEY}"
    return GateResult(
        gate=Gate.POPULARITY,
        result=Result.PASSED if passed else Result.FAILED,
        sentence=(
            f"{hit_rate(metric)} {short_share(overall[metric])}, most popular {short_share(popular)}{note}: "
            f"{beside(overall[names.LIFT], least)} times; required {least:g}{key}"
        ),
        metric=metric,
        value=overall[names.LIFT],
        required=least,
    )


def _against_baseline(passed: bool, metric: str, overall: dict[str, float], before: float, least: float) -> GateResult:
    change = overall[metric] - before
    difference = beside(change, least, decimals=3).lstrip("-")
    key = "" if passed else f" by {PREVIOUS_MODEL_KEY}"
    text = "equal"
    if change:
        text = f"{difference} {'higher' if change > 0 else 'lower'}"
    return GateResult(
        gate=Gate.PREVIOUS_MODEL,
        result=Result.PASSED if passed else Result.FAILED,
        sentence=(
            f"{hit_rate(metric)} {short_share(overall[metric])}, previous model {short_share(before)}: {text}; "
            f"allowed drop {-least:.4g}{key}"
        ),
        metric=metric,
        value=change,
        required=least,
    )


def _nothing_counted(overall: dict[str, float], eval_config: Any) -> bool:
    """Returns whether the gated metrics count no row: seen items are excluded and all targets had been seen."""
    with_seen = any(of_seen for _, _, of_seen, _ in _gates(eval_config))
    return not with_seen and overall.get(names.NEW_TARGET_COUNT) == 0


def _gates(eval_config: Any) -> Iterator[tuple[str, int, bool, Any]]:
    """Yields the name and k of the metric, whether seen items compete, and the MetricThreshold, of every gate."""
    for metrics_spec in eval_config.metrics_specs:
        for metric in metrics_spec.metrics:
            for gate in metric.per_slice_thresholds:
                config = json.loads(metric.config)
                with_seen = config.get("with_seen", config["name"].endswith("_with_seen"))
                yield config["name"], config["k"], with_seen, gate.threshold
