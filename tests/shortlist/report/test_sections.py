"""Chapters of the report: figures have their denominators, and unknown ones are left out."""

from __future__ import annotations

import dataclasses
import io
import json
import types

import pytest
from rich.console import Console

from shortlist.lineage.measurements import Measurements, Slice
from shortlist.metrics import names
from shortlist.report import as_json, comparison, format, sections, text
from shortlist.report.facts import read
from shortlist.report.sections import cold_start, moments
from shortlist.summary import RefitSummary


@pytest.fixture(scope="module")
def chapters(shop):
    """The chapters of the complete run, as plain data."""
    report = as_json.report(sections.run_page(read(shop.workspace, shop.pushed)))
    return {chapter["key"]: chapter for chapter in report["chapters"]} | {"report": report}


def _rows(chapter, position=0):
    return [block["table"] for block in chapter["blocks"] if "table" in block][position]["rows"]


def test_verdict_comes_first_with_its_reason_and_the_protocol(chapters):
    assert chapters["report"]["status"] == "pushed"
    assert chapters["report"]["reasons"][0].startswith("blessed: top_10 0.2 is 2 times")
    assert chapters["report"]["protocol"] == (
        "Trained on 900 interactions, stopped early on 100 and tested on each query's last interaction (100 rows of 10 "
        "queries, split leave_last_out); each target is ranked against all 40 candidates except its query's seen "
        "items; tied scores count against the target; 44% of test targets share their time with another row (file "
        "order decides)."
    )


def test_contenders_have_wilsons_intervals(chapters):
    # p = 0.2, n = 100: centre (0.2 + 1.92 / 100) / (1 + 3.84 / 100) = 0.2111, half 0.0778.
    [top_10] = [row for row in _rows(chapters["accuracy"]) if row[0] == "top_10"]
    assert top_10 == [
        "top_10",
        *("0.2000", "0.133 to 0.289"),
        *("0.1000", "0.055 to 0.174"),
        *("0.2000", "0.133 to 0.289"),
    ]
    assert "(a query has 10.0 rows on average, so that the true intervals are wider)" in json.dumps(
        chapters["accuracy"]
    )


def test_slices_have_their_own_denominators(chapters):
    assert [row[:3] for row in _rows(chapters["slices"])] == [["F", "40", "0.2000"], ["M", "60", "0.2000"]]


@pytest.mark.parametrize("has_unseen", [True, False])
def test_cold_start_stands_beside_the_requirements(has_unseen):
    overall = {names.POPULAR_SHARE: 0.62} | ({names.UNSEEN_LIFT: 6.0} if has_unseen else {})
    unseen = {names.EXAMPLE_COUNT: 100.0, names.top_k(100): 0.2}
    found = Measurements(
        overall, {}, None, [Slice("target_popularity", "unseen in train", unseen)] if has_unseen else []
    )
    floors = {
        "evaluate.cold_start.unseen_candidates.threshold": 5.0,
        "evaluate.cold_start.unseen_candidates.action": "error",
        "evaluate.cold_start.empty_history.threshold": 0.5,
        "evaluate.cold_start.empty_history.action": "ignore",
    }
    chapter = cold_start.section(types.SimpleNamespace(measurements=found, summary=None, config=floors))
    *unseen_rows, empty_history = chapter.blocks[0].rows
    assert empty_history[1:] == ["62.0%", format.NOTHING, format.NOTHING]
    if has_unseen:
        # Wilson: p = 0.2, n = 100, as above.
        title = "top_100 of 100 test rows with a target without train interactions"
        assert unseen_rows[0][:3] == [title, "0.2000", "0.133 to 0.289"]
        assert unseen_rows[1][1:] == ["6.00", format.NOTHING, "at least 5 times chance (error)"]
    else:
        assert unseen_rows == []
        assert "new candidates were not measured" in chapter.blocks[1].sentences[0]


def test_a_refit_names_the_measured_model(shop):
    facts = read(shop.workspace, shop.pushed)
    refit = RefitSummary(steps=20, targets=1_100, seconds=3.0)
    again = dataclasses.replace(
        facts, record=dataclasses.replace(facts.record, summary=facts.summary.model_copy(update={"refit": refit}))
    )
    assert sections.run_page(again).protocol.endswith(
        "The served model was trained again on all 1,100 interactions, eval and test included, for the best number of "
        "steps, 20. All metrics are those of the model trained on train alone."
    )


def test_best_epoch_is_named(chapters):
    assert "the weights are those of epoch 2, the best by ndcg_at_10 on 100 eval rows" in chapters["training"]["lead"]


def test_queries_have_numbers_instead_of_ids(chapters):
    [examples] = [block["examples"] for block in chapters["examples"]["blocks"]]
    assert [example["name"] for example in examples] == [f"Query {number}" for number in range(1, 6)]
    assert examples[0]["earlier"] == 2
    assert examples[0]["outcome"] == "rank 2 of 40 candidates; rank 9 by popularity"
    assert [answer["is_target"] for answer in examples[0]["answers"]] == [False, True]
    assert "ann" not in json.dumps(chapters).split('"')


def test_anomalies_and_drift_have_tables(chapters):
    assert ["interactions", "job", "Examples contain values missing from the schema"] in _rows(chapters["data"], -2)
    assert _rows(chapters["data"], -1) == [["interactions", "job", "0.25"]]


def test_text_has_the_same_tables(shop):
    out = io.StringIO()
    text.write(sections.run_page(read(shop.workspace, shop.pushed)), Console(file=out, width=120))
    printed = out.getvalue()
    assert "top_10      0.2000  0.133 to 0.289" in printed
    assert "Query 1, history: 2 earlier, then" in printed
    assert max(map(len, printed.splitlines())) <= 120


def test_runs_side_by_side(shop):
    facts = [read(shop.workspace, shop.runs[status]) for status in ("pushed", "not_blessed", "failed")]
    report = as_json.report(comparison.comparison_page(facts))
    chapters = {chapter["key"]: chapter for chapter in report["chapters"]}
    assert [row[1] for row in _rows(chapters["verdict"])] == ["pushed", "not blessed, nothing pushed", "failed"]
    [top_10] = [row for row in _rows(chapters["accuracy"]) if row[0] == "top_10"]
    assert top_10[1:] == ["0.2000 (0.133 to 0.289)", "0.2010 (0.177 to 0.228)", format.NOTHING]
    assert ["train.seed", "1", "1", "3"] in _rows(chapters["settings"])
    assert "the runs were not tested on the same rows" in json.dumps(chapters["verdict"])


def test_hit_rates_by_the_time_of_the_request_have_intervals():
    times = [
        {"time": "at the target's own time", "rows": 100, "hits": 20},
        {"time": "no time sent", "rows": 100, "hits": 0},
    ]
    chapter = moments.section(types.SimpleNamespace(answers={"width": 10, "times": times}))
    assert chapter.blocks[0].rows == [
        ["at the target's own time", "0.2000", "0.133 to 0.289"],
        ["no time sent", "0.0000", "0.000 to 0.037"],
    ]
    # A model that uses no times, and an older version.
    for answers in ({"width": 10, "times": []}, {"width": 10}, {}):
        assert moments.section(types.SimpleNamespace(answers=answers)) is None
