"""Sentences of single executions, which lineage and the report show."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping

from shortlist.lineage.executions import Artifact, Execution
from shortlist.lineage.facts.by_node import facts


def execution(node: str, key: str, properties: Mapping[str, str | int], config: str = "") -> Execution:
    """Returns a finished execution with one output."""
    output = Artifact(1, "tfx", "/artifact", dict(properties))
    given: dict[str, str | int | float] = {"config": config} if config else {}
    moment = datetime.datetime(2024, 6, 1, tzinfo=datetime.timezone.utc)
    return Execution(1, node, "run", "COMPLETE", moment, 1.0, given, {}, {key: [output]})


def test_windows_name_the_times_of_a_split_by_time_and_its_rule():
    stats = {"rows": {"train": 5}, "candidates": 2, "interactions": 5, "dropped": {}}
    cuts = {"eval_from": "2024-05-31T00:00:00Z", "test_from": "2024-06-01T00:00:00Z"}
    split = {"kind": "temporal", "eval_from": None, "eval_spans": 1, "test_spans": 1, "span": "day"}
    found = facts(
        execution(
            "Windows",
            "examples",
            {"stats": json.dumps(stats), **cuts, "latest_time": "2024-06-01T21:09:00Z"},
            json.dumps({"split": split}),
        )
    )
    assert "eval from 2024-05-31T00:00:00Z, test from 2024-06-01T00:00:00Z, latest time 2024-06-01T21:09:00Z" in found
    assert "split temporal, eval_spans 1, test_spans 1, span day" in found


def test_a_comparison_names_the_features_that_the_earlier_model_does_not_read():
    note = "it does not read age of queries"
    assert facts(execution("Baseline", "model", {"skipped": 0, "features_changed": note})) == [
        "compared with the latest blessed model",
        note,
    ]
    both = {"catalogue_changed": "1 candidates new to it, 0 of its own gone", "features_changed": note}
    assert facts(execution("Baseline", "model", both))[1:] == [note]
    assert facts(execution("Baseline", "model", {"skipped": 1, "reason": "its split differs"})) == [
        "no comparison: its split differs"
    ]
