"""Outcomes of runs and their reasons."""

from __future__ import annotations

import pytest

from shortlist.errors import BadInputError
from shortlist.lineage.store import Store
from shortlist.lineage.why import Outcome, run_verdict
from shortlist.summary import read_summary
from shortlist.verdicts import GATE_NAMES
from tests.shortlist.lineage.recorded import Recorded


@pytest.mark.parametrize(
    ("run", "outcome", "node"),
    [
        ("pushed", Outcome.PUSHED, "Pusher"),
        ("cached", Outcome.PUSHED, "Pusher"),
        ("not_blessed", Outcome.NOT_BLESSED, "Evaluator"),
        ("rejected", Outcome.INDEX_REJECTED, "Indexer"),
        ("refused", Outcome.FAILED, "DataGate"),
        ("failed", Outcome.FAILED, "Trainer"),
        ("killed", Outcome.KILLED, "Evaluator"),
    ],
)
def test_ml_metadata_alone_says_where_it_ended(shop, run, outcome, node):
    verdict = run_verdict(shop.store, getattr(shop, run))
    assert (verdict.outcome, verdict.node) == (outcome, node)
    assert (verdict.version is not None) == (outcome is Outcome.PUSHED)


def test_the_gate_says_why_and_by_how_much(shop):
    verdict = run_verdict(shop.store, shop.not_blessed)
    assert verdict.reasons == [
        "top_10_categorical_accuracy 0.2 is 2.4 times most popular's 0.0838; at least 1.05 is required"
    ]
    assert [gate.name for gate in verdict.gates] == list(GATE_NAMES.values())
    assert [gate.result.sign for gate in verdict.gates] == ["pass", "fail", *["--"] * 5]
    assert verdict.gates[-1].sentence == "not judged: the model was not blessed"
    assert (verdict.forced_push.version, verdict.forced_push.by) == (shop.forced, "ann@host")


def test_the_message_of_an_exception_comes_from_the_summary(shop):
    summary = read_summary(shop.workspace.run_dir(shop.refused) / "summary.json")
    verdict = run_verdict(shop.store, shop.refused, summary=summary)
    assert (verdict.outcome, verdict.reasons) == (Outcome.REFUSED, ["the reason of run 4"])
    assert [(gate.result.sign, gate.sentence) for gate in verdict.gates[:2]] == [
        ("fail", "the reason of run 4"),
        ("--", "not judged: the data was refused"),
    ]


def test_stale_running_is_killed_unless_a_command_is_at_work(shop):
    assert run_verdict(shop.store, shop.killed).reasons == ["killed: its process died, and nothing was run since"]
    assert run_verdict(shop.store, shop.killed, at_work=True).outcome is Outcome.RUNNING


def test_a_run_that_died_between_two_nodes(tmp_path):
    recorded = Recorded(tmp_path)
    recorded.node("Windows", run_id="20260101T000000Z")
    store = Store(recorded.workspace.metadata_path)
    verdict = run_verdict(store, "20260101T000000Z")
    assert (verdict.outcome, verdict.reasons) == (
        Outcome.KILLED,
        ["its process died after Windows; the next node never started"],
    )
    recorded.node("Windows", run_id="20260102T000000Z")
    # Only the latest run can be under way.
    assert run_verdict(store, "20260101T000000Z", at_work=True).outcome is Outcome.KILLED
    assert run_verdict(store, "20260102T000000Z", at_work=True).outcome is Outcome.RUNNING


def test_a_run_that_died_before_its_first_node_left_a_summary_at_most(shop):
    summary = read_summary(shop.workspace.run_dir(shop.failed) / "summary.json")
    verdict = run_verdict(shop.store, "20250101T000000Z", summary=summary)
    assert (verdict.outcome, verdict.node, verdict.reasons) == (Outcome.FAILED, "", ["the reason of run 5"])


def test_unknown_run_names_those_that_are_alike(shop):
    with pytest.raises(BadInputError, match=f"no such run; there are {shop.pushed}"):
        run_verdict(shop.store, shop.pushed[:-3])
    with pytest.raises(BadInputError, match=f"the latest are .*{shop.killed}"):
        run_verdict(shop.store, "x")
