"""Results of gates from records of nodes."""

from __future__ import annotations

import datetime
import json

import pytest

from shortlist.lineage.executions import Artifact, Execution
from shortlist.lineage.gates import gate_results
from shortlist.verdicts import Gate, GateResult, Result


def _execution(node, key, recorded, exec_properties=None, state="COMPLETE"):
    texts = {name: value if isinstance(value, int | str) else json.dumps(value) for name, value in recorded.items()}
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    outputs = {output: [Artifact(1, "", "", texts)] for output in (key, "model")}
    return Execution(1, node, "run", state, now, 1.0, exec_properties or {}, {}, outputs)


_DATA = {
    "DataGate": _execution("DataGate", "report", {"warnings": []}),
    "Windows": _execution("Windows", "examples", {"warnings": ["one"]}),
}


def _by_gate(*executions):
    made = _DATA | {execution.node: execution for execution in executions}
    results = gate_results(made, "the run ended before")
    assert [result.gate for result in results] == list(Gate)
    return {result.gate: (result.result.sign, result.sentence) for result in results}


def _evaluator(**recorded):
    return _execution("Evaluator", "blessing", {"blessed": 1, "reasons": [], "warnings": [], **recorded})


def test_results_of_the_evaluator_are_read_as_recorded():
    recorded = GateResult(gate=Gate.NEW_ITEMS, result=Result.WARNED, sentence="few hits", value=2.0, required=5.0)
    found = gate_results({"Evaluator": _evaluator(gates=[recorded.model_dump(mode="json")])}, "not yet")
    assert found[list(Gate).index(Gate.NEW_ITEMS)] == recorded


def test_warnings_of_the_data_are_counted_and_a_run_that_ended_judged_nothing_else():
    found = _by_gate()
    assert found[Gate.DATA] == ("warn", "no errors, 1 warning")
    assert set(found.values()) - {found[Gate.DATA]} == {("--", "not judged: the run ended before")}
    assert gate_results({"DataGate": _DATA["DataGate"]}, "not yet")[0].sentence == "not judged: not yet"


@pytest.mark.parametrize("blessed", [True, False])
def test_sentences_of_version_0_1_find_their_gates(blessed):
    reasons = [
        "not gated: no test row has a target without train interactions",
        "top_10_categorical_accuracy 0.2 is 0.04 below the latest blessed model's 0.24; it may fall by at most 0.02",
        "top_10_categorical_accuracy 0.2 is 2.4 times most popular's 0.0838; at least 1.05 is required",
        "recommendations for an empty history include 85% of the 100 most popular candidates; at least 50% is required",
    ]
    found = _by_gate(_evaluator(blessed=int(blessed), reasons=reasons))
    sign = "pass" if blessed else "fail"
    assert found[Gate.NEW_ITEMS] == ("--", reasons[0])
    assert found[Gate.PREVIOUS_MODEL] == (sign, reasons[1])
    assert found[Gate.POPULARITY] == (sign, reasons[2])
    assert found[Gate.NEW_USERS] == (sign, reasons[3])
    otherwise = "the run ended before" if blessed else "the model was not blessed"
    assert found[Gate.INDEX] == ("--", f"not judged: {otherwise}")


def test_results_of_a_later_version_do_not_stop_the_verdict():
    assert _by_gate(_evaluator(gates=[{"gate": "fairness"}], reasons=["x"]))[Gate.POPULARITY] == ("pass", "x")


def test_index_and_serving_check():
    index = {"kind": "scann", "k": 100, "recall_at_k": 0.99812}
    indexer = _execution(
        "Indexer", "blessing", {"blessed": 1, "status": "ok", "index": index}, {"config": '{"min_recall": 0.99}'}
    )
    check = _execution("ServingCheck", "blessing", {"blessed": 0, "status": "check_failed", "reasons": ["no answer"]})
    found = _by_gate(indexer, check)
    assert found[Gate.INDEX] == ("pass", "scann: recall@100 0.9981 against exact search; required 0.99")
    assert found[Gate.SERVING] == ("fail", "no answer")
    rejected = _execution("Indexer", "blessing", {"blessed": 0, "status": "index_rejected", "reasons": ["low"]})
    unchecked = _execution("ServingCheck", "blessing", {"blessed": 0, "status": "not_checked", "reasons": ["low"]})
    found = _by_gate(rejected, unchecked)
    assert found[Gate.INDEX] == ("fail", "low")
    assert found[Gate.SERVING] == ("--", "not judged: the index was rejected")
