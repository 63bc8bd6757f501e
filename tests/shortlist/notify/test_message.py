from __future__ import annotations

from typing import Any

import pytest

from shortlist.notify.message import Ending, Figures, Files, Message, Run, make, of_summary
from shortlist.summary import Kind, Summary

TOP_10 = "factorized_top_k/top_10_categorical_accuracy"
FILES = Files(report="/w/report.html", log="/w/run.log")


def summary(**changes: Any) -> Summary:
    raw = {
        "run_id": "run-7",
        "pipeline": "shop",
        "status": "pushed",
        "pushed": {"version": 12, "path": "/serving/shop/12"},
        "metrics": {"overall": {TOP_10: 0.21, f"{TOP_10}_with_seen": 0.11}},
        "baselines": {"popularity": {TOP_10: 0.1}, "latest_blessed": {TOP_10: 0.2, f"{TOP_10}_with_seen": 0.12}},
        "seconds": {"total": 1.0, "components": {}},
        "peak_rss_mb": 1024.0,
        "fingerprints": {"data": {}, "config": "", "code": ""},
    }
    return Summary.model_validate({**raw, **changes})


def of(**changes: Any) -> Message:
    return of_summary(summary(**changes), 10, FILES)


def test_a_push_has_its_figures_version_and_report():
    assert of().model_dump(mode="json") == {
        "schema_version": 1,
        "text": "shop: PUSHED version 12; HR@10 0.210, previous model 0.200",
        "pipeline": "shop",
        "run_id": "run-7",
        "kind": "run",
        "status": "pushed",
        "reason": "",
        "metric": "HR@10",
        "value": 0.21,
        "previous": 0.2,
        "most_popular": 0.1,
        "version": 12,
        "report": "/w/report.html",
        "log": "/w/run.log",
    }


NOTHING = {"pushed": None}


@pytest.mark.parametrize(
    ("changes", "ending", "text"),
    [
        ({"cached": ["Pusher"]}, Ending.UNCHANGED, "shop: UNCHANGED version 12; HR@10 0.210, previous model 0.200"),
        (
            {**NOTHING, "status": "not_blessed", "reasons": ["too low", "too new"]},
            Ending.NOT_BLESSED,
            "shop: NOT BLESSED nothing pushed; HR@10 0.210, previous model 0.200; too low; too new",
        ),
        (
            {**NOTHING, "status": "refused", "reasons": ["no file"], "metrics": None, "baselines": None},
            Ending.REFUSED,
            "shop: DATA REFUSED nothing pushed; no file",
        ),
        (
            {"baselines": {"popularity": {TOP_10: 0.1}}},
            Ending.PUSHED,
            "shop: PUSHED version 12; HR@10 0.210",
        ),
        ({"kind": "reindex", "metrics": None, "baselines": None}, Ending.PUSHED, "shop: PUSHED version 12"),
    ],
)
def test_endings(changes: dict[str, Any], ending: Ending, text: str):
    message = of(**changes)
    assert (message.status, message.text) == (ending, text)


def test_gates_with_seen_items_have_that_hit_rate():
    protocol = {"split": "temporal", "exclude_seen": False, "corpus_size": 9, "tied_targets": 0, "repeat_targets": 0}
    message = of(protocol={**protocol, "unseen_queries": 0})
    assert (message.metric, message.value, message.previous) == ("HR@10 with seen", 0.11, 0.12)


def test_a_run_that_was_stopped_is_interrupted_and_not_failed():
    failed = summary(**NOTHING, status="failed", reasons=["interrupted"], metrics=None, baselines=None)
    message = of_summary(failed, 10, FILES, interrupted=True)
    assert (message.status, message.text) == (Ending.INTERRUPTED, "shop: INTERRUPTED nothing pushed; interrupted")


def test_a_run_without_a_summary_says_why_in_one_line():
    message = make(Run("shop", None, Kind.REINDEX), Ending.REFUSED, "row\n" + "x" * 5_000, Figures("HR@5"))
    assert (message.run_id, message.kind, message.metric, message.value) == (None, Kind.REINDEX, "HR@5", None)
    assert len(message.reason) == 1_003
    assert "\n" not in message.text


def test_every_status_of_a_summary_has_an_ending():
    for status in ("not_blessed", "index_rejected", "check_failed", "refused", "failed"):
        assert of(**NOTHING, status=status).status.value == status
