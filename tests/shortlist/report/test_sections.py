"""Chapters of the report: figures have their denominators, and unknown ones are left out."""

from __future__ import annotations

import dataclasses
import io
import json
import types

import pytest
from rich.console import Console

from shortlist.lineage.measurements import Measurements, Slice
from shortlist.lineage.store import Store
from shortlist.lineage.why import run_verdict
from shortlist.metrics import names
from shortlist.report import as_json, comparison, format, html, sections, text
from shortlist.report.blocks import Figure, Notes, TableBlock, Tiles
from shortlist.report.facts import read
from shortlist.report.sections import answers, cold_start, index, moments, training
from shortlist.summary import RefitSummary, WarmStartSummary


@pytest.fixture(scope="module")
def chapters(shop):
    """The chapters of the complete run, as plain data."""
    report = as_json.report(sections.run_page(read(shop.workspace, shop.pushed)))
    return {chapter["key"]: chapter for chapter in report["chapters"]} | {"report": report}


def _rows(chapter, position=0):
    return [block["table"] for block in chapter["blocks"] if "table" in block][position]["rows"]


def test_verdict_comes_first_with_its_gates_in_order_and_the_protocol(chapters, shop):
    assert chapters["report"]["status"] == "pushed, version 1700000000"
    assert chapters["report"]["reasons"] == []
    gates = [gate["gate"] for gate in chapters["report"]["gates"]]
    assert gates == ["data", "popularity", "new_users", "new_items", "previous_model", "index", "serving"]
    verdict = run_verdict(Store.of(shop.workspace), shop.pushed)
    assert [gate["sentence"] for gate in chapters["report"]["gates"]] == [gate.sentence for gate in verdict.gates]
    assert chapters["report"]["protocol"] == (
        "Tested on each query's last interaction, 100 rows of 10 queries; each target is ranked among all 40 "
        "candidates, without its query's seen items."
    )
    notes = json.dumps(chapters["accuracy"])
    assert "The split is leave_last_out: trained on 900 interactions, stopped early on 100." in notes
    assert "44% of test targets share their time with another row (file order decides)." in notes


def test_contenders_have_wilsons_intervals(chapters):
    # p = 0.2, n = 100: centre (0.2 + 1.92 / 100) / (1 + 3.84 / 100) = 0.2111, half 0.0778.
    [top_10] = [row for row in _rows(chapters["accuracy"]) if row[0] == "HR@10"]
    assert top_10 == [
        "HR@10",
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
        title = "HR@100 of 100 test rows with a target without train interactions"
        assert unseen_rows[0][:3] == [title, "0.2000", "0.133 to 0.289"]
        assert unseen_rows[1][1:] == ["6.00", format.NOTHING, "at least 5 times chance, else an error"]
    else:
        assert unseen_rows == []
        assert "new candidates were not measured" in chapter.blocks[1].sentences[0]


def test_a_refit_names_the_measured_model(shop):
    facts = read(shop.workspace, shop.pushed)
    refit = RefitSummary(steps=20, targets=1_100, seconds=3.0)
    again = dataclasses.replace(
        facts, record=dataclasses.replace(facts.record, summary=facts.summary.model_copy(update={"refit": refit}))
    )
    assert (
        "The served model was trained again on all 1,100 interactions, eval and test included, for the best number of "
        "steps, 20. All metrics are those of the model trained on train alone."
    ) in json.dumps(as_json.report(sections.run_page(again)))


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        (
            {
                "run_of": "20261129T000000Z",
                "version": 7,
                "known_candidates": 1_000,
                "new_candidates": 12,
                "left_out": 3,
            },
            "Training began from the measured model of run 20261129T000000Z (version 7): 1,000 candidates with its "
            "embedding of their id, 12 new ones; early stopping left out 3 eval rows on which that model was trained.",
        ),
        ({"run_of": "20261129T000000Z"}, "of run 20261129T000000Z (which pushed nothing): 0 candidates"),
        ({"reason": "no earlier model"}, "Trained from scratch: no earlier model."),
    ],
)
def test_a_warm_start_names_its_beginning(shop, start, sentence):
    facts = read(shop.workspace, shop.pushed)
    summary = facts.summary.model_copy(update={"warm_start": WarmStartSummary(**start)})
    warm = dataclasses.replace(facts, record=dataclasses.replace(facts.record, summary=summary))
    [training] = [part for part in as_json.report(sections.run_page(warm))["chapters"] if part["key"] == "training"]
    assert sentence in training["lead"]


def test_best_epoch_is_named(chapters):
    assert "the weights are those of epoch 2, the best by NDCG@10 on 100 eval rows" in chapters["training"]["lead"]


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
    assert "HR@10    0.2000  0.133 to 0.289" in printed
    assert "Query 1, history: 2 earlier, then" in printed
    assert max(map(len, printed.splitlines())) <= 120


def test_runs_side_by_side(shop):
    facts = [read(shop.workspace, shop.runs[status]) for status in ("pushed", "not_blessed", "failed")]
    report = as_json.report(comparison.comparison_page(facts))
    chapters = {chapter["key"]: chapter for chapter in report["chapters"]}
    assert [row[1] for row in _rows(chapters["verdict"])] == [
        *("pushed", "not blessed, nothing pushed", "failed, nothing pushed")
    ]
    [top_10] = [row for row in _rows(chapters["accuracy"]) if row[0] == "HR@10"]
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
    for answers_of in ({"width": 10, "times": []}, {"width": 10}, {}):
        assert moments.section(types.SimpleNamespace(answers=answers_of)) is None


def test_a_cached_run_shows_the_costs_of_the_run_that_did_the_work(shop):
    facts = read(shop.workspace, shop.runs["cached"])
    assert facts.unchanged
    assert facts.worker == shop.pushed
    report = as_json.report(sections.run_page(facts))
    [costs] = [chapter for chapter in report["chapters"] if chapter["key"] == "costs"]
    assert costs["lead"].startswith("0.9 s in all")
    assert "All steps came from the cache" in costs["lead"]
    # 60 of 80 s.
    assert _rows(costs)[0] == ["Trainer", "60.0", "75.0%", shop.pushed]
    assert _rows(costs, 1) == [["Trainer", "900"], ["Indexer", "1,000"]]
    assert not read(shop.workspace, shop.pushed).unchanged


def test_costs_of_work_that_nobody_knows_are_left_out(shop):
    facts = dataclasses.replace(read(shop.workspace, shop.runs["cached"]), producers={})
    report = as_json.report(sections.run_page(facts))
    [costs] = [chapter for chapter in report["chapters"] if chapter["key"] == "costs"]
    assert _rows(costs)[0] == ["Trainer", format.NOTHING, format.NOTHING, "an earlier run"]


def test_history_has_the_latest_runs_that_measured_a_model(shop):
    # The runs that were not blessed or whose index was rejected measured theirs. A cached run did not, and the others
    # have no summary of a model.
    ids = [run.run_id for run in read(shop.workspace, shop.runs["index_rejected"]).history]
    assert ids == [shop.pushed, shop.runs["not_blessed"], shop.runs["index_rejected"]]
    assert [run.run_id for run in read(shop.workspace, shop.runs["cached"]).history] == ids


def test_the_loss_of_eval_stands_beside_that_of_train():
    log = [{"epoch": epoch, "step": epoch, "ndcg_at_10": 0.1, "loss": 2.0, "eval_loss": 3.0} for epoch in (1, 2)]
    facts = types.SimpleNamespace(training=log, eval_rows="100 eval rows", summary=None)
    [_, losses] = training.section(facts).blocks
    assert [column.title for column in losses.table.columns][2:4] == ["train loss", "eval loss"]
    assert losses.table.rows[0][2:4] == ["2", "3"]
    assert "the same loss on 100 eval rows" in losses.description
    # A model of an older version has no eval loss.
    older = [{name: value for name, value in line.items() if name != "eval_loss"} for line in log]
    [_, losses] = training.section(
        types.SimpleNamespace(training=older, eval_rows="100 eval rows", summary=None)
    ).blocks
    assert "eval loss" not in [column.title for column in losses.table.columns]


def test_examples_show_ten_answers_and_the_item_that_each_is_closest_to():
    items = [{"id": str(number), "title": f"Film {number}"} for number in range(12)]
    record = {"query": None, "history_length": 2, "history": items[10:], "target": items[0], "rank": 1}
    record |= {"popularity_rank": 3, "answers": items[:10], "scores": [1.0] * 10, "near": [items[11]] * 9 + [None]}
    answers_of = {"examples": [record], "corpus_size": 12}
    [block] = answers.examples(types.SimpleNamespace(answers=answers_of)).blocks
    shown = block.examples[0].answers
    assert len(shown) == 10
    assert [answer.detail for answer in shown[-2:]] == ["near Film 11, score 1.00", "score 1.00"]


def test_other_data_is_marked_in_the_history(shop):
    [block] = [
        block
        for block in sections.run_page(read(shop.workspace, shop.runs["index_rejected"])).sections[0].blocks
        if isinstance(block, Figure)
    ]
    assert [row[0] for row in block.table.rows] == [
        *(shop.pushed, shop.runs["not_blessed"], shop.runs["index_rejected"])
    ]
    # The first run had data "a", the others "b".
    assert [row[4].endswith("others") for row in block.table.rows] == [True, False, False]
    assert "model on other rows" in block.draw()[0]


def test_the_index_shows_its_trials_by_latency_with_the_chosen_one_and_exact_search():
    trials = [
        {"leaves_to_search": 6, "reorder": 120, "recall": 0.998, "p50_ms": 0.4},
        {"leaves_to_search": 2, "reorder": 300, "recall": 0.91, "p50_ms": 0.2},
    ]
    measured = {"kind": "scann", "k": 100, "trials": trials, "params": {"leaves_to_search": 6, "reorder": 120}}
    facts = types.SimpleNamespace(index=measured | {"exact_p50_ms": 1.5, "min_recall": 0.99}, nodes={})
    [figure] = [block for block in index.section(facts).blocks if isinstance(block, Figure)]
    assert figure.table.rows == [
        ["2", "300", "0.9100", "0.20 ms", ""],
        ["6", "120", "0.9980", "0.40 ms", "chosen"],
        ["all", "all", "1.0000", "1.50 ms", "exact search"],
    ]
    assert "The recall had to exceed 0.9900 by a margin" in figure.description
    [svg] = figure.draw()
    assert "exact search" in svg
    slow = types.SimpleNamespace(index=measured | {"exact_p50_ms": 50.0}, nodes={})
    [figure] = [block for block in index.section(slow).blocks if isinstance(block, Figure)]
    # It stands in the table alone: in the plot it would leave the trials no room.
    assert "exact search" not in figure.draw()[0]
    assert figure.table.rows[-1][3] == "50.00 ms"
    # An index of an earlier version has trials without latency, or none.
    for older in ({"trials": [{"leaves_to_search": 6, "reorder": 120, "recall": 0.998}]}, {"trials": None}):
        blocks = index.section(types.SimpleNamespace(index=measured | older, nodes={})).blocks
        assert not any(isinstance(block, Figure) for block in blocks)


def test_a_cached_run_says_unchanged_and_leads_to_the_run_that_did_the_work(shop):
    report = sections.run_page(read(shop.workspace, shop.runs["cached"]))
    assert report.status == "unchanged, version 1700000000 pushed by an earlier run"
    [link] = report.links
    assert (link.text, link.address) == (f"Run {shop.pushed} did the work", f"../{shop.pushed}/report.html")
    assert "pushed by this run" not in json.dumps(as_json.report(report))
    served = dataclasses.replace(read(shop.workspace, shop.runs["cached"]), served_version=1_700_000_000)
    assert sections.run_page(served).status == "unchanged, version 1700000000 still served"
    # Nothing takes no time: there is no bar of 0.0 seconds.
    page = html.render(report)
    assert f'href="../{shop.pushed}/report.html"' in page
    assert ">0.0<" not in page.partition('id="chapter-costs"')[2].partition("</section>")[0]
    assert sections.run_page(read(shop.workspace, shop.pushed)).links == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(99.94, "99.9 s"), (119.6, "2 min 00 s"), (659.7, "11 min 00 s"), (3_725.0, "62 min 05 s")],
)
def test_durations_have_no_sixtieth_second(seconds, text):
    assert format.seconds(seconds) == text


def test_cards_fill_their_rows():
    table = TableBlock("", [], [])
    figure = Figure("", "", list, table)
    blocks = [figure, figure, Notes("plain", []), figure, Notes("plain", []), Tiles([]), figure, table]
    places = ["half", "half", "wide", "alone", "wide", "half", "half", "alone"]
    assert [place for _, place in html.placed(blocks)] == places
