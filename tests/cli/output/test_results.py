"""The last page of a run, printed from a summary without a run."""

import io
import pathlib

import pytest

from cli.output import consoles, results
from shortlist.summary import Status, Summary

_METRICS = {
    f"{name}{suffix}": value
    for name, value in {
        "factorized_top_k/top_5_categorical_accuracy": 0.15,
        "factorized_top_k/top_10_categorical_accuracy": 0.2163,
        "factorized_top_k/top_100_categorical_accuracy": 0.6893,
        "ndcg_at_10": 0.1186,
    }.items()
    for suffix in ("", "_with_seen")
}
_SUMMARY = {
    "run_id": "20261124T000000Z",
    "pipeline": "shop",
    "status": "not_blessed",
    "reasons": ["too low"],
    "gates": [{"gate": "popularity", "result": "fail", "sentence": "too low"}],
    "protocol": {
        "split": "leave_last_out",
        "corpus_size": 1682,
        "tied_targets": 0.44,
        "repeat_targets": 0.0,
        "unseen_queries": 0.0,
    },
    "data": {
        "rows": {"train": 98114, "eval": 943, "test": 943},
        "queries": {"train": 943, "eval": 943, "test": 943},
        "interactions": 100000,
        "candidates": 1682,
        "dropped": {"unknown_candidate": 7, "query_without_interactions": 0},
    },
    "metrics": {"overall": {**_METRICS, "example_count": 943.0}},
    "baselines": {"popularity": _METRICS, "latest_blessed": _METRICS},
    "blessing": {"blessed": False, "reasons": ["too low"]},
    "seconds": {"total": 1.0, "components": {}},
    "peak_rss_mb": 1024.0,
    "fingerprints": {"data": {}, "config": "", "code": ""},
}


def printed(width=consoles.PIPE_WIDTH, **changes):
    out = io.StringIO()
    summary = Summary.model_validate({**_SUMMARY, **changes})
    console = consoles.console(file=out, width=width)
    results.print_summary(summary, pathlib.Path("runs/x/summary.json"), ["shortlist lineage"], None, console)
    return out.getvalue()


def test_every_contender_has_all_its_columns_in_a_pipe():
    [row] = [line for line in printed().splitlines() if line.startswith("HR@10 ")]
    assert row.split() == ["HR@10", *["0.2163"] * 6]
    assert "FactorizedTopK on 943 test rows" in printed()


@pytest.mark.parametrize(("width", "columns"), [(80, 6), (60, 4)])
def test_words_are_whole_and_columns_with_seen_items_go_first(width, columns):
    lines = printed(width, warnings=["a warning of " + "many words " * 20]).splitlines()
    assert max(map(len, lines)) <= width
    [row] = [line for line in lines if line.startswith("HR@10 ")]
    assert row.split() == ["HR@10", *["0.2163"] * columns]
    words = set(" ".join(printed(warnings=["a warning of " + "many words " * 20]).split()).split())
    assert {word for line in lines for word in line.split()} <= words


def test_rows_are_sorted_by_k_as_numbers():
    names = [line.split()[0] for line in printed().splitlines() if line.startswith(("HR@", "NDCG"))]
    assert names == ["HR@5", "HR@10", "HR@100", "NDCG@10"]


def test_the_order_of_ties_is_named_only_if_it_decides_anything():
    assert "44% of test targets share their time with another row (file order decides)" in printed()
    basket = printed(protocol={**_SUMMARY["protocol"], "split": "leave_last_basket"})
    assert "the rows of a basket are not history for each other" in basket
    assert "file order" not in basket


def test_the_times_of_a_split_by_time_are_printed():
    cuts = {"eval_from": "2024-05-31T00:00:00Z", "test_from": "2024-06-01T00:00:00Z"}
    protocol = {**_SUMMARY["protocol"], "split": "temporal", **cuts, "latest_time": "2024-06-01T21:09:00Z"}
    line = "          Eval from 2024-05-31T00:00:00Z, test from 2024-06-01T00:00:00Z, to 2024-06-01T21:09:00Z\n"
    assert line in printed(protocol=protocol)
    assert "Eval from" not in printed()


def test_a_reason_is_printed_once_and_drops_are_counted():
    text = printed()
    assert text.count("too low") == 1
    assert "dropped: 7 unknown_candidate" in text


def test_next_commands_are_printed_only_after_a_push():
    assert "Next" not in printed()
    pushed = printed(status=Status.PUSHED, reasons=[], pushed={"version": 3, "path": "serving/shop/3"})
    assert "Next      shortlist lineage" in pushed


def test_a_run_that_died_early_prints_what_there_is():
    nothing = dict.fromkeys(("protocol", "data", "metrics", "baselines", "blessing"))
    assert "FAILED   nothing pushed" in printed(status=Status.FAILED, **nothing)


def test_first_five_warnings_are_printed_as_plain_text():
    text = printed(warnings=[f"interactions, feature 'a{number}': [red]moved[/]" for number in range(7)])
    assert "Warning   interactions, feature 'a4': [red]moved[/]\n          and 2 more, in the summary\n" in text
    assert "a5" not in text
    assert "Warning" not in printed()


def test_a_search_prints_the_best_trial_its_comparison_and_its_file():
    trials = [
        {"number": 1, "values": {"train.learning_rate": 0.001}, "score": 0.2105, "epochs": 5, "seconds": 9.0},
        {"number": 2, "values": {"train.learning_rate": 0.00412345}, "score": 0.2211, "epochs": 5, "seconds": 9.0},
    ]
    tuning = {"objective": "top_10", "best": 2, "trials": trials, "seconds": 18.0, "ended_by": "minutes"}
    text = printed(tuning=tuning)
    assert (
        "Tuned     trial 2 of 2 was best: top_10 0.2211 on eval (the config's own values had 0.2105); "
        "the search ended at the time limit tune.minutes" in text
    )
    assert "train.learning_rate 0.004123" in text
    assert "to keep them: runs/x/tuned.yaml" in text
    assert "Tuned" not in printed()


def test_a_refit_names_the_measured_model():
    text = printed(refit={"steps": 4_200, "targets": 100_000, "seconds": 9.0})
    [line] = [line for line in text.splitlines() if line.startswith("Refit")]
    assert "trained again on all 100,000 interactions, eval and test included" in line
    assert line.endswith("All metrics are those of the model trained on train alone")
    assert "Refit" not in printed()


def test_variety_is_printed_whether_or_not_the_model_is_blessed():
    answers = {"queries": 943, "coverage_at_10": 0.451, "overlap_at_10": 0.093, "overlap_at_10_with_seen": 0.12}
    text = printed(answers={**answers, "mean_train_count": 168.2, "mean_train_count_of_targets": 169.9})
    assert (
        "Variety   top 10 of 943 test queries: they cover 45% of the candidates; two users share 9% of their top 10; "
        "recommended items average 168 train interactions, held-out ones 170\n"
    ) in text
    assert "Variety" not in printed()


def test_slices_are_printed_at_the_smallest_k_if_10_is_not_among_them():
    def of_slice(value, rows):
        shares = {"factorized_top_k/top_20_categorical_accuracy": 0.25, "popularity/top_20_categorical_accuracy": 0.125}
        return {"slice": {"history_length": value}, "metrics": {"example_count": rows, **shares}}

    overall = {"factorized_top_k/top_20_categorical_accuracy": 0.25, "ndcg_at_10": 0.1, "example_count": 100.0}
    metrics = {"overall": overall, "slices": [of_slice("1", 60.0), of_slice("2 to 5", 40.0)]}
    text = printed(metrics=metrics, baselines={"popularity": overall})
    assert "HR@20 by slice" in text
    [row] = [line for line in text.splitlines() if line.startswith("history_length: 1")]
    assert row.split()[2:] == ["60", "0.2500", "0.158", "to", "0.372", "0.1250"]


def test_rows_that_plain_metrics_leave_out_are_told_with_the_headline():
    overall = {**_METRICS, "example_count": 943.0, "new_target_count": 850.0}
    text = printed(metrics={"overall": overall})
    assert "FactorizedTopK on 850 test rows" in text
    assert "9.9% of all 943 test rows are left out: their target had been seen before; `with seen` counts them" in text
    assert "left out" not in printed()


def test_slice_whose_targets_had_all_been_seen_before_is_not_shown():
    def of_slice(value, new_targets, **shares):
        return {
            "slice": {"history_length": value},
            "metrics": {"example_count": 50.0, "new_target_count": new_targets, **shares},
        }

    shares = {"factorized_top_k/top_10_categorical_accuracy": 0.25, "popularity/top_10_categorical_accuracy": 0.125}
    slices = [of_slice("0", 50.0, **shares), of_slice("1", 20.0, **shares), of_slice("6 or more", 0.0)]
    text = printed(
        metrics={"overall": {**_METRICS, "example_count": 150.0, "new_target_count": 70.0}, "slices": slices}
    )
    [row] = [line for line in text.splitlines() if line.startswith("history_length: 1")]
    assert row.split()[2:4] == ["20", "0.2500"]
    assert "6 or more" not in text
