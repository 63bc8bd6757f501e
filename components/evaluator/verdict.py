"""Reads the metrics of an evaluation and the verdict of its gates, as plain dicts and sentences."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from components.evaluator import cold_start
from shortlist.config.evaluate import ColdStart
from shortlist.metrics import names


def read_evaluation(evaluation_uri: str) -> dict[str, Any]:
    """Reads the files of a ModelEvaluation artifact.

    The call imports TFMA, which takes 9 seconds if the process has not imported it before.

    Args:
      evaluation_uri: The artifact's folder.

    Returns:
      `overall` {metric name: value}; `slices` [{"slice": {feature: value}, "metrics": {...}}];
      `baseline`, the metrics of the baseline model over all rows, or None; `validation`
      {"blessed": bool, "reasons": [sentence], "warnings": [sentence]}. The reasons are those of the gates that
      failed, or of all gates if none failed.
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
    passed = result.validation_ok and not _nothing_counted(overall, eval_config)
    blessed = passed and not cold.failed
    # If only a cold-start gate failed, TFMA's gates passed and are no reason for the refusal.
    reasons = []
    if blessed or not passed:
        reasons = gate_reasons(result, eval_config, overall, baseline)
    return {
        "overall": overall | cold.metrics,
        "slices": sorted(slices, key=lambda entry: json.dumps(entry["slice"], sort_keys=True)),
        "baseline": baseline or None,
        "validation": {
            "blessed": blessed,
            "reasons": reasons + (cold.passed if blessed else cold.failed),
            "warnings": cold.warned,
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


def gate_reasons(result: Any, eval_config: Any, overall: dict[str, float], baseline: dict[str, float]) -> list[str]:
    """Returns a sentence for each gate that failed, or for every gate if none failed.

    Args:
      result: TFMA's ValidationResult.
      eval_config: The EvalConfig of the evaluation.
      overall: The candidate's metrics over all rows.
      baseline: The baseline's metrics over all rows; empty without a baseline.
    """
    if not overall:
        return ["no row of the test split was evaluated"]
    if _nothing_counted(overall, eval_config):
        return ["no test row has a target that its query had not seen before"]
    failed = {
        (failure.metric_key.name, failure.metric_key.is_diff)
        for validation in result.metric_validations_per_slice
        for failure in validation.failures
    }
    reasons = []
    for name, k, with_seen, threshold in _gates(eval_config):
        for is_diff, sentence in _sentences(k, with_seen, threshold, overall, baseline):
            if result.validation_ok or (name, is_diff) in failed:
                reasons.append(sentence)
    return reasons


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


def _sentences(
    k: int, with_seen: bool, threshold: Any, overall: dict[str, float], baseline: dict[str, float]
) -> Iterator[tuple[bool, str]]:
    """Yields whether the threshold is on the difference to the baseline, and the sentence on it."""
    accuracy = overall[names.top_k(k, with_seen=with_seen)]
    gated = f"top_{k}_categorical_accuracy{'_with_seen' * with_seen} {accuracy:.4g}"
    if threshold.HasField("value_threshold"):
        least = threshold.value_threshold.lower_bound.value
        popular = overall[names.top_k(k, names.POPULARITY_FAMILY, with_seen)]
        # `rank_metrics.lift` counts a baseline without hits as one with a single hit.
        note = "" if popular else " (taken as one hit)"
        yield (
            False,
            (
                f"{gated} is {_digits(overall[names.LIFT], least)} times most popular's {popular:.4g}{note}; "
                f"at least {least:g} is required"
            ),
        )
    if threshold.HasField("change_threshold"):
        least = threshold.change_threshold.absolute.value
        before = baseline[names.top_k(k, with_seen=with_seen)]
        difference = _digits(accuracy - before, least)
        if accuracy == before:
            change = "no worse than"
        elif accuracy < before:
            change = f"{difference.lstrip('-')} below"
        else:
            change = f"{difference} above"
        yield True, f"{gated} is {change} the latest blessed model's {before:.4g}; it may fall by at most {-least:.4g}"


def _digits(value: float, bound: float) -> str:
    """Returns `value` with enough digits to show on which side of `bound` it is, at least 3."""
    texts = (f"{value:.{digits}g}" for digits in range(3, 18))
    return next((text for text in texts if (float(text) >= bound) == (value >= bound)), repr(value))
