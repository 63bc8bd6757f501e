"""Traces from a pushed version back to its files."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from benchmarks.lineage_store import NODES
from shortlist.errors import BadInputError
from shortlist.lineage.executions import Artifact, Execution
from shortlist.lineage.facts.by_node import facts
from shortlist.lineage.trace import COMPARED_WITH, trace_pushed, upstream


def _nodes(trace):
    return {step.execution.node: step for step in trace.steps}


def test_every_node_that_made_it_is_there_once_the_latest_first(shop):
    trace = trace_pushed(shop.store, 1_700_000_000)
    assert set(_nodes(trace)) == set(NODES) - {"Answers", "BlessedModel", "BlessedStatistics"}
    ids = [step.execution.id for step in trace.steps]
    assert ids == sorted(set(ids), reverse=True)
    assert {step.execution.run_id for step in trace.steps} == {shop.pushed}


def test_the_facts_of_each_step(shop):
    facts = {node: "; ".join(step.facts) for node, step in _nodes(trace_pushed(shop.store, 1_700_000_000)).items()}
    for node, fact in {
        "InteractionsGen": "/data/interactions.csv; sha256 ca978112ca1bbdca; ",
        "InteractionsSchema": "interactions.pbtxt",
        "InteractionsStatistics": "InteractionsStatistics/statistics/0",
        "Windows": "targets: train 98,114, eval 943, test 943; 1,682 candidates",
        "Transform": "age numeric, occupation category; code ",
        "Trainer": "history tower, 64 dimensions, loss corpus, seed 1; blocks 2, heads 1, dropout 0.2; batch_size 16",
        "Evaluator": "943 test rows, seen items excluded: top_10 0.2000 (most popular 0.0838); blessed: top_10_cat",
        "Baseline": "no comparison: no earlier blessed model",
        "Indexer": "scann, recall@100 0.9980, p50 0.50 ms, p99 0.90 ms",
        "ServingCheck": "blessed",
        "Pusher": "version 1700000000 to ",
    }.items():
        assert fact in facts[node], node


def test_rollback_is_traced_to_the_run_whose_model_it_brought_back(shop):
    trace = trace_pushed(shop.store, shop.rolled_back)
    assert trace.steps[0].execution.node == "Rollback"
    assert trace.steps[0].facts == ["rolled back to version 1700000000 from 1700000100", "by bob@host"]
    assert _nodes(trace)["Trainer"].execution.run_id == shop.pushed


def test_forced_push_tells_whom_it_overrode(shop):
    trace = trace_pushed(shop.store, shop.forced)
    assert trace.steps[0].facts[:2] == ["pushed by force", "overrides Evaluator: too low"]
    assert trace.steps[0].facts[-1] == "by ann@host: new catalogue"
    assert _nodes(trace)["Trainer"].execution.run_id == shop.not_blessed
    # Data that has not changed was read by the run before.
    assert _nodes(trace)["InteractionsGen"].execution.run_id == shop.pushed


def test_later_interruptions_are_shown_for_the_newest_version_only(shop):
    newest = trace_pushed(shop.store)
    assert newest.version == shop.rolled_back
    assert [(step.execution.node, step.execution.run_id) for step in newest.interrupted] == [("Evaluator", shop.killed)]
    assert newest.interrupted[0].facts == ["killed: its process died, and nothing was run since"]
    assert trace_pushed(shop.store, at_work=True).interrupted[0].facts == ["running"]
    assert trace_pushed(shop.store, 1_700_000_000).interrupted == []


def test_version_that_was_never_pushed(shop):
    with pytest.raises(BadInputError, match=r"version 7 was never pushed; there are \[1700000101, 1700000100"):
        trace_pushed(shop.store, 7)


def test_nothing_is_upstream_of_nothing(shop):
    assert upstream(shop.store, []) == []


class _Chain:
    """A store in which each day's model was trained from the one before: model 10 * day, from windows 10 * day + 1."""

    def producers(self, artifact_ids):
        found = map(self._producer, sorted(artifact_ids))
        return [execution for execution in found if execution is not None]

    def _producer(self, artifact_id):
        day, is_windows = divmod(artifact_id, 10)
        if is_windows or not day:
            return None
        inputs = {"examples": [_artifact(10 * day + 1)], "source_model": [_artifact(10 * (day - 1))]}
        warm_start = '{"reason": "", "model_id": 20, "known_candidates": 1999, "new_candidates": 1}'
        return Execution(
            day,
            "Trainer",
            f"day {day}",
            "COMPLETE",
            datetime.datetime(2026, 11, day),
            1.0,
            {"custom_config": '{"model": {}, "train": {}}'},
            inputs,
            {"model": [dataclasses.replace(_artifact(artifact_id), properties={"warm_start": warm_start})]},
        )


def _artifact(artifact_id):
    return Artifact(artifact_id, "Model", "/models", {})


def test_a_trace_ends_at_the_model_that_its_training_began_from():
    [trainer] = upstream(_Chain(), [30])
    assert trainer.run_id == "day 3"
    assert facts(trainer)[-1] == "from the weights of model 20; 1 of 2,000 candidates were new to it"
    # Its impact goes on: old data is behind the new weights.
    assert not COMPARED_WITH.fullmatch("source_model")
