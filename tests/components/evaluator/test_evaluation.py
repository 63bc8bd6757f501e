"""TFMA on the `evaluation` signature, from the config to the sentences; without TFX."""

import json
import pathlib
import re
import types

import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.evaluators import metrics_validator
from tensorflow_model_analysis.metrics import metric_types

from components.evaluator import cold_start, eval_config, extractors, rank_metrics, targets, verdict
from shortlist.config.evaluate import Evaluate
from shortlist.metrics import names
from shortlist.process import progress
from shortlist.verdicts import Gate, GateResult, Result
from tests.components.evaluator import fakes


def evaluate(folder, windows, baseline_shift=None, slices=(), catalogue=None, settings=None):
    """Runs TFMA as TFX's executor does, and returns the read evaluation."""
    folder = pathlib.Path(folder)
    fakes.write_windows(windows, folder / "windows.gz")
    config = eval_config.make_eval_config(Evaluate(slices=slices, **(settings or {})), "sha")
    has_baseline = baseline_shift is not None
    config = tfma.utils.update_eval_config_with_defaults(config, has_baseline=has_baseline, rubber_stamp=True)
    models = []
    for spec in config.model_specs:
        model_uri = folder / ("baseline" if spec.is_baseline else "candidate")
        fakes.save_model(model_uri, baseline_shift if spec.is_baseline else 0)
        path = str(model_uri / "Format-Serving")
        models.append(tfma.default_eval_shared_model(path, model_name=spec.name, eval_config=config))
    shared = models if has_baseline else models[0]
    with targets.use_catalogue(catalogue):
        found = extractors.custom_extractors(shared, config)
    tfma.run_model_analysis(
        eval_shared_model=shared,
        eval_config=config,
        extractors=found,
        data_location=str(folder / "windows.gz"),
        schema=fakes.SCHEMA,
        output_path=str(folder / "evaluation"),
    )
    return verdict.read_evaluation(str(folder / "evaluation"))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """300 rows of random ranks against a baseline that is 1 rank worse; slice M would not pass the lift gate."""
    rng = np.random.default_rng(0)
    genders = np.array(["F", "M", "None"] * 100)
    ranks = rng.integers(1, [40, 60, 150, 150], size=(300, 4))
    ranks[genders == "M", 0] += 10
    # The targets of 24 rows had been seen before.
    ranks[rng.choice(300, 24, replace=False)] *= [0, 1, 0, 1]
    windows = [
        fakes.window(f"q{i}", row.tolist(), None if gender == "None" else gender)
        for i, (row, gender) in enumerate(zip(ranks, genders, strict=True))
    ]
    heard, folder = [], tmp_path_factory.mktemp("measured")
    with progress.listening(heard.append):
        read = evaluate(folder, windows, baseline_shift=1, slices=("gender",))
    evaluation = str(folder / "evaluation")
    return types.SimpleNamespace(ranks=ranks, genders=genders, read=read, heard=heard, evaluation=evaluation)


def expected(ranks):
    columns = {
        (names.MODEL_FAMILY, False): 0,
        (names.MODEL_FAMILY, True): 1,
        (names.POPULARITY_FAMILY, False): 2,
        (names.POPULARITY_FAMILY, True): 3,
    }
    ranked = ranks[ranks[:, 0] != rank_metrics.NOT_RANKED]
    metrics = {names.EXAMPLE_COUNT: len(ranks), names.NEW_TARGET_COUNT: len(ranked)}
    for (family, with_seen), column in columns.items():
        of = (ranks if with_seen else ranked)[:, column]
        if not len(of):
            continue
        for k in Evaluate().ks:
            metrics[names.top_k(k, family, with_seen)] = np.mean(of <= k)
        metrics[names.ndcg(family, with_seen)] = np.mean(np.where(of <= 10, 1 / np.log2(of + 1), 0))
    metrics[names.LIFT] = np.sum(ranked[:, 0] <= 10) / max(np.sum(ranked[:, 2] <= 10), 1)
    return metrics


def test_each_row_is_counted_once_while_it_is_evaluated(measured):
    assert measured.heard[-1] == progress.Progress(300, None, "test rows")


def test_the_names_are_the_contract():
    assert names.top_k(10) == "factorized_top_k/top_10_categorical_accuracy"
    assert names.top_k(10, with_seen=True) == "factorized_top_k/top_10_categorical_accuracy_with_seen"
    assert names.top_k(10, names.POPULARITY_FAMILY) == "popularity/top_10_categorical_accuracy"
    assert names.ndcg() == "ndcg_at_10"
    assert names.LIFT == "lift_over_popularity"


def test_overall_equals_numpy(measured):
    assert measured.read["overall"] == pytest.approx(expected(measured.ranks), abs=1e-9)


def test_baseline_equals_numpy(measured):
    shifted = measured.ranks + np.array([1, 1, 0, 0]) * (measured.ranks > 0)
    assert measured.read["baseline"] == pytest.approx(expected(shifted), abs=1e-9)


def _by(measured, name):
    return {entry["slice"][name]: entry["metrics"] for entry in measured.read["slices"] if name in entry["slice"]}


def test_slices_by_a_feature_equal_numpy(measured):
    by_gender = _by(measured, "gender")
    assert sorted(by_gender) == ["F", "M"]
    for gender, metrics in by_gender.items():
        rows = measured.ranks[measured.genders == gender]
        assert metrics == pytest.approx(expected(rows), abs=1e-9)


@pytest.mark.parametrize("baseline_shift", [None, 1])
def test_slices_by_features_of_the_target_equal_numpy(tmp_path, baseline_shift):
    genres = {"x": ["Drama", "War"], "y": ["Drama"], "z": [], "never": ["Noir"]}
    fakes.write_candidates(tmp_path / "candidates", genres)
    ranks = np.random.default_rng(1).integers(1, 60, size=(80, 4))
    # "gone" is not in the catalogue.
    chosen = np.array(["x", "y", "z", "gone"] * 20)
    windows = [fakes.window(f"q{i}", ranks[i].tolist(), target=target) for i, target in enumerate(chosen)]
    catalogue = targets.TargetCatalogue(str(tmp_path / "candidates"), ("target_genres",))
    read = evaluate(tmp_path, windows, baseline_shift, ("target_genres",), catalogue)
    found = {
        entry["slice"]["target_genres"]: entry["metrics"]
        for entry in read["slices"]
        if "target_genres" in entry["slice"]
    }
    assert sorted(found) == ["Drama", "War"]
    assert found["War"] == pytest.approx(expected(ranks[chosen == "x"]), abs=1e-9)
    assert found["Drama"] == pytest.approx(expected(ranks[np.isin(chosen, ["x", "y"])]), abs=1e-9)
    assert read["overall"] == pytest.approx(expected(ranks), abs=1e-9)


def test_slices_of_the_model_equal_numpy(measured):
    by_length = _by(measured, "history_length")
    assert by_length["short"] == pytest.approx(expected(measured.ranks[:10]), abs=1e-9)
    assert by_length["long"] == pytest.approx(expected(measured.ranks[10:]), abs=1e-9)


def test_plain_metrics_are_those_of_new_targets(measured):
    by_repeat, overall = _by(measured, "target_seen_before"), measured.read["overall"]
    is_new = measured.ranks[:, 0] != rank_metrics.NOT_RANKED
    assert (overall[names.EXAMPLE_COUNT], overall[names.NEW_TARGET_COUNT]) == (300, 276)
    plain = {name: value for name, value in overall.items() if not name.endswith("_with_seen")}
    assert by_repeat["no"].items() >= {**plain, names.EXAMPLE_COUNT: 276}.items()
    assert by_repeat["no"] == pytest.approx(expected(measured.ranks[is_new]), abs=1e-9)
    # No figure where there is no row, rather than one that is no number.
    assert by_repeat["yes"] == pytest.approx(expected(measured.ranks[~is_new]), abs=1e-9)
    assert names.top_k(10) not in by_repeat["yes"]
    assert names.left_out(overall) == pytest.approx(0.08)


def test_a_slice_does_not_gate(measured):
    assert min(entry["metrics"][names.LIFT] for entry in measured.read["slices"]) == 0
    assert measured.read["validation"]["blessed"]


def test_reasons_of_a_blessing_name_baseline_and_popularity(measured):
    validation = measured.read["validation"]
    assert validation["blessed"]
    assert [(gate.gate, gate.result) for gate in validation["gates"]] == [
        (Gate.POPULARITY, Result.PASSED),
        (Gate.PREVIOUS_MODEL, Result.PASSED),
    ]
    against_popularity, against_baseline = (gate.sentence for gate in validation["gates"])
    assert re.fullmatch(r"HR@10 0\.\d+, most popular 0\.\d+: \d\.\d times; required 1.1", against_popularity)
    assert re.fullmatch(r"HR@10 0\.\d+, previous model 0\.\d+: equal; allowed drop 0.02", against_baseline)


def test_a_failed_cold_start_gate_refuses_the_model(measured):
    failed = GateResult(gate=Gate.NEW_USERS, result=Result.FAILED, sentence="too cold")
    warned = GateResult(gate=Gate.NEW_ITEMS, result=Result.WARNED, sentence="few hits")
    found = cold_start.ColdStartFindings({"cold_start/share": 0.25}, [failed, warned])
    cold_start.write(found, measured.evaluation)
    read = verdict.read_evaluation(measured.evaluation)
    gates = [*measured.read["validation"]["gates"], failed, warned]
    assert read["validation"] == {"blessed": False, "gates": gates}
    assert read["overall"]["cold_start/share"] == 0.25

    cold_start.write(cold_start.ColdStartFindings({}, [warned]), measured.evaluation)
    assert verdict.read_evaluation(measured.evaluation)["validation"]["blessed"]


def gate(model, popularity, baseline=None, rows=100):
    """Returns the verdict of TFMA's validator on given numbers of hits at 10, and the results of the gates."""
    config = eval_config.make_eval_config(Evaluate(max_drop_from_baseline=0.01), "sha")
    config = tfma.utils.update_eval_config_with_defaults(config, has_baseline=baseline is not None, rubber_stamp=True)
    name, popular = names.top_k(10), names.top_k(10, names.POPULARITY_FAMILY)
    overall = {name: model / rows, popular: popularity / rows, names.LIFT: model / max(popularity, 1)}
    before = {} if baseline is None else {name: baseline / rows}
    candidate = "" if baseline is None else tfma.CANDIDATE_KEY
    metrics = {metric_types.MetricKey(key, model_name=candidate): value for key, value in overall.items()}
    if before:
        metrics[metric_types.MetricKey(name, model_name=tfma.BASELINE_KEY)] = before[name]
        diff = metric_types.MetricKey(name, model_name=candidate, is_diff=True)
        metrics[diff] = overall[name] - before[name]
    result = metrics_validator.validate_metrics(((), metrics), config)
    return result.validation_ok, verdict.gate_results(result, config, overall, before)


@pytest.mark.parametrize(
    ("model", "popularity", "blessed", "sentence"),
    [
        (11, 10, True, "HR@10 0.110, most popular 0.100: 1.1 times"),
        (12, 11, False, "HR@10 0.120, most popular 0.110: 1.09 times"),
        (2, 0, True, "HR@10 0.020, most popular 0.000 (taken as one hit): 2.0 times"),
        (0, 0, False, "HR@10 0.000, most popular 0.000 (taken as one hit): 0.0 times"),
    ],
)
def test_the_lift_gate_lets_the_bound_pass(model, popularity, blessed, sentence):
    passed, [result] = gate(model, popularity)
    assert passed is blessed
    assert result == GateResult(
        gate=Gate.POPULARITY,
        result=Result.PASSED if blessed else Result.FAILED,
        sentence=f"{sentence}; required 1.1{'' if blessed else ' by evaluate.min_lift_over_popularity'}",
        metric=names.top_k(10),
        value=model / max(popularity, 1),
        required=1.1,
    )


def test_repeat_consumption_gates_by_the_metrics_with_seen_items():
    config = eval_config.make_eval_config(Evaluate(repeat_consumption=True), "sha")
    gated = {
        metric.class_name: json.loads(metric.config)
        for metric in config.metrics_specs[0].metrics
        if metric.per_slice_thresholds
    }
    assert gated["TopKAccuracy"]["name"] == names.top_k(10, with_seen=True)
    assert gated["LiftOverPopularity"]["with_seen"]


def test_repeat_consumption_blesses_though_every_target_had_been_seen(tmp_path):
    # By plain metrics there is no row; with seen items the model hits all ten, most popular none.
    windows = [fakes.window(f"q{i}", [0, 1, 0, 50]) for i in range(10)]
    read = evaluate(tmp_path, windows, settings={"repeat_consumption": True})
    assert read["validation"]["blessed"]
    [result] = read["validation"]["gates"]
    assert result.sentence.startswith("HR@10 with seen 1.000, most popular 0.000 (taken as one hit): 10.0 times")


def test_a_value_just_below_the_threshold_is_not_rounded_up():
    # 10,999 / 10,000 is 1.0999, which rounds to 1.1, 1.10 and 1.100.
    blessed, [result] = gate(10_999, 10_000, rows=20_000)
    assert not blessed
    assert ": 1.0999 times; required 1.1" in result.sentence


@pytest.mark.parametrize(
    ("model", "baseline", "blessed", "sentence"),
    [
        # As floats 0.09 - 0.1 is -0.010000000000000009, which is below -0.01.
        (9, 10, True, "HR@10 0.090, previous model 0.100: 0.010 lower"),
        (8, 10, False, "HR@10 0.080, previous model 0.100: 0.020 lower"),
        (12, 10, True, "HR@10 0.120, previous model 0.100: 0.020 higher"),
        (10, 10, True, "HR@10 0.100, previous model 0.100: equal"),
    ],
)
def test_the_drop_gate_lets_the_bound_pass(model, baseline, blessed, sentence):
    passed, [_, result] = gate(model, 0, baseline)
    assert passed is blessed
    assert (result.gate, result.result) == (Gate.PREVIOUS_MODEL, Result.PASSED if blessed else Result.FAILED)
    key = "" if blessed else " by evaluate.max_drop_from_baseline"
    assert result.sentence == f"{sentence}; allowed drop 0.01{key}"


def test_targets_that_were_all_seen_before_bless_nothing(tmp_path):
    windows = [fakes.window(f"q{i}", [0, 1, 0, 1]) for i in range(5)]
    validation = evaluate(tmp_path, windows)["validation"]
    assert not validation["blessed"]
    assert [(gate.result, gate.sentence) for gate in validation["gates"]] == [
        (Result.FAILED, "no test row has a target that its query had not seen before"),
        (Result.NOT_JUDGED, "not judged: no test row has a target that its query had not seen before"),
    ]


def test_no_rows_is_not_blessed(tmp_path):
    validation = evaluate(tmp_path, [])["validation"]
    assert not validation["blessed"]
    assert validation["gates"][0].sentence == "no row of the test split was evaluated"
