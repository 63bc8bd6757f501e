"""What an evaluation found and what the gates said of it, as plain dicts and sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from components.evaluator import cold_start
from shortlist.config.evaluate import ColdStart
from shortlist.metrics import names


def read_evaluation(evaluation_uri: str) -> dict[str, Any]:
    """Reads the files of a ModelEvaluation artifact.

    TFMA is imported when this is called: 9 seconds in a process that has not done so.

    Args:
      evaluation_uri: The artifact's folder.

    Returns:
      `overall` {metric name: value}; `slices` [{"slice": {feature: value}, "metrics": {...}}];
      `baseline`, the same as `overall` of the baseline model, or None; `validation`
      {"blessed": bool, "reasons": [sentence], "warnings": [sentence]}: the gates that failed, or all where none did.
    """
    import tensorflow_model_analysis as tfma
    from tensorflow_model_analysis.writers import eval_config_writer

    overall: dict[str, float] = {}
    baseline: dict[str, float] = {}
    slices = []
    for record in tfma.load_metrics(evaluation_uri):
        slice_keys = {key.column: getattr(key, key.WhichOneof("kind")) for key in record.slice_key.single_slice_keys}
        # TFMA calls a candidate without a baseline "".
        metrics = _metrics(record, "") or _metrics(record, tfma.CANDIDATE_KEY)
        if slice_keys:
            slices.append({"slice": {name: _readable(value) for name, value in slice_keys.items()}, "metrics": metrics})
        else:
            overall, baseline = metrics, _metrics(record, tfma.BASELINE_KEY)
    result = tfma.load_validation_result(evaluation_uri)
    eval_config, *_ = eval_config_writer.load_eval_run(evaluation_uri)
    cold = cold_start.read(evaluation_uri)
    blessed = result.validation_ok and not cold.failed
    reasons = gate_reasons(result, eval_config, overall, baseline) if blessed or not result.validation_ok else []
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
    """Measures how a model starts cold, and has `read_evaluation` tell of it from then on.

    Args:
      evaluation_uri: The artifact's folder, as TFX's Evaluator left it.
      model_dir: The trained SavedModel.
      settings: The gates' floors.
    """
    of_slices = read_evaluation(evaluation_uri)["slices"]
    newcomer = cold_start.score_empty_query(model_dir)
    if newcomer is not None:
        cold_start.write(cold_start.assess(of_slices, newcomer, settings), evaluation_uri)


def _metrics(record: Any, model_name: str) -> dict[str, float]:
    return {
        entry.key.name: entry.value.double_value.value
        for entry in record.metric_keys_and_values
        if entry.key.model_name == model_name and not entry.key.is_diff and entry.value.HasField("double_value")
    }


def _readable(value: Any) -> Any:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def gate_reasons(result: Any, eval_config: Any, overall: dict[str, float], baseline: dict[str, float]) -> list[str]:
    """Returns a sentence for each gate that failed, or for all gates where none did.

    Args:
      result: TFMA's ValidationResult.
      eval_config: The EvalConfig that it was made by.
      overall: The candidate's metrics over all rows.
      baseline: The baseline's; empty without one.
    """
    if not overall:
        return ["no row of the test split was evaluated"]
    failed = {
        (failure.metric_key.name, failure.metric_key.is_diff)
        for of_slice in result.metric_validations_per_slice
        for failure in of_slice.failures
    }
    reasons = []
    for name, k, threshold in _gates(eval_config):
        for is_diff, sentence in _sentences(k, threshold, overall, baseline):
            if result.validation_ok or (name, is_diff) in failed:
                reasons.append(sentence)
    return reasons


def _gates(eval_config: Any) -> Iterator[tuple[str, int, Any]]:
    """Yields the metric's name, its k and the MetricThreshold of every gate."""
    for metrics_spec in eval_config.metrics_specs:
        for metric in metrics_spec.metrics:
            for gate in metric.per_slice_thresholds:
                config = json.loads(metric.config)
                yield config["name"], config["k"], gate.threshold


def _sentences(
    k: int, threshold: Any, overall: dict[str, float], baseline: dict[str, float]
) -> Iterator[tuple[bool, str]]:
    """Yields whether the threshold is on the difference to the baseline, and what it says."""
    accuracy = overall[names.top_k(k)]
    gated = f"top_{k}_categorical_accuracy {accuracy:.4g}"
    if threshold.HasField("value_threshold"):
        least = threshold.value_threshold.lower_bound.value
        popular = overall[names.top_k(k, names.POPULARITY_FAMILY)]
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
        before = baseline[names.top_k(k)]
        difference = _digits(accuracy - before, least)
        change = "no worse than" if accuracy == before else f"{difference} above"
        if accuracy < before:
            change = f"{difference.lstrip('-')} below"
        yield True, f"{gated} is {change} the latest blessed model's {before:.4g}; it may fall by at most {-least:.4g}"


def _digits(value: float, bound: float) -> str:
    """Returns `value` in as many digits as it takes to see on which side of `bound` it is."""
    texts = (f"{value:.{digits}g}" for digits in range(3, 18))
    return next((text for text in texts if (float(text) >= bound) == (value >= bound)), repr(value))
