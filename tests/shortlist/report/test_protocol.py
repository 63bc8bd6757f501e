from __future__ import annotations

from shortlist.report import protocol
from shortlist.summary import DataSummary, Protocol

DATA = DataSummary(
    rows={"train": 7, "eval": 2, "test": 1}, queries={"test": 1}, interactions=10, candidates=3, dropped={}
)
TEMPORAL = Protocol(
    split="temporal",
    corpus_size=3,
    tied_targets=0.0,
    repeat_targets=0.0,
    unseen_queries=0.0,
    eval_from="2024-05-31T00:00:00Z",
    test_from="2024-06-01T00:00:00Z",
    latest_time="2024-06-01T21:09:00Z",
)


def test_the_times_of_a_split_by_time_come_first():
    assert protocol.details(TEMPORAL, DATA)[:2] == [
        "Eval from 2024-05-31T00:00:00Z, test from 2024-06-01T00:00:00Z, to 2024-06-01T21:09:00Z.",
        "The split is temporal: trained on 7 interactions, stopped early on 2.",
    ]


def test_other_splits_have_no_times():
    other = TEMPORAL.model_copy(update={"split": "leave_last_out", "test_from": None})
    assert protocol.details(other, DATA)[0].startswith("The split is leave_last_out")
