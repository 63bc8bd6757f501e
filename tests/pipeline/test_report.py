"""The report of the smoke run, and its data."""

from __future__ import annotations

import json
import re

import pytest

from shortlist.report import as_json, sections
from shortlist.report.facts import read
from tests.browser import every_look

pytestmark = pytest.mark.e2e

_CHAPTERS = [
    *("verdict", "accuracy", "slices", "training", "index", "times", "variety", "examples", "data", "costs", "lineage"),
    "settings",
]


@pytest.fixture(scope="module")
def chapters(smoke):
    made = as_json.report(sections.run_page(read(smoke.workspace, smoke.first.summary.run_id)))
    return {chapter["key"]: chapter for chapter in made["chapters"]}


def _page(smoke, run):
    return smoke.workspace.run_dir(run.summary.run_id) / "report.html"


def test_every_run_leaves_one_with_all_chapters(smoke):
    for run in (smoke.first, smoke.third):
        text = _page(smoke, run).read_text(encoding="utf-8")
        assert re.findall(r'<section id="chapter-(\w+)"', text) == _CHAPTERS
        assert len(text) < 3_000_000


def test_examples_have_titles_and_no_ids_of_queries(smoke, chapters):
    [found] = [block["examples"] for block in chapters["examples"]["blocks"]]
    assert [example["name"] for example in found] == [f"Query {place}" for place in range(1, 6)]
    names = [answer["name"] for example in found for answer in example["answers"]]
    assert all(re.search(r"\(\d{4}\)$|^unknown$", name) for name in names)
    for example in found:
        assert not set(example["history"]) & {answer["name"] for answer in example["answers"]}


def test_answers_add_up(smoke):
    answers = read(smoke.workspace, smoke.first.summary.run_id).answers
    summary = smoke.first.summary
    assert (answers["queries"], answers["places"]) == (120, 1200)
    assert answers["corpus_size"] == summary.protocol.corpus_size
    assert sum(bucket["candidates"] for bucket in answers["popularity"]) == answers["corpus_size"]
    assert sum(bucket["train"] for bucket in answers["popularity"]) == summary.data.rows["train"]
    assert sum(bucket["answers"] for bucket in answers["popularity"]) == answers["places"]
    # ScaNN's recall is 1 here, so that the index and exact search agree.
    assert answers["coverage_at_10"] == pytest.approx(summary.index.coverage_at_10, abs=0.02)


def test_time_and_memory_of_every_node(smoke, chapters):
    seconds, memory = (block["table"]["rows"] for block in chapters["costs"]["blocks"])
    nodes = set(smoke.first.listener.started)
    assert {row[0] for row in seconds} == {row[0] for row in memory} == nodes
    peaks = smoke.first.summary.node_peaks_mb
    assert 0 < peaks["Trainer"] <= smoke.first.summary.peak_rss_mb


def test_slices_in_ml_metadata_are_those_of_the_summary(smoke):
    facts = read(smoke.workspace, smoke.first.summary.run_id)
    slices = [(item.name, item.value, item.metrics) for item in facts.measurements.slices]
    summary = [
        (*entry["slice"].keys(), *entry["slice"].values(), entry["metrics"])
        for entry in json.loads(json.dumps(smoke.first.summary.metrics.slices))
    ]
    assert slices == summary


@every_look
def test_page_in_a_browser(browser, smoke, width, scheme):
    with browser.opened(_page(smoke, smoke.first), width, scheme) as tab:
        assert tab.said == []
        assert not tab.overflows()
        assert tab.violations() == []
