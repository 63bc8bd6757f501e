"""Headlines and gate results of a verdict."""

from __future__ import annotations

import pytest

from shortlist.verdicts import (
    GATE_NAMES,
    Gate,
    GateResult,
    Result,
    beside,
    complete,
    explanation,
    headline,
    hit_rate,
    refused,
    short_share,
)


def test_every_gate_has_a_name_and_one_result_in_the_order_of_the_pipeline():
    assert list(GATE_NAMES) == list(Gate)
    passed = GateResult(gate=Gate.INDEX, result=Result.PASSED, sentence="recall@100 1")
    results = complete([passed], "the run ended before")
    assert [result.gate for result in results] == list(Gate)
    assert results[0].sentence == "not judged: the run ended before"
    assert results[-2] is passed
    assert passed.reason == "index: recall@100 1"
    assert [result.result.sign for result in refused("no times")] == ["fail", *["--"] * 6]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("pushed", 7), "PUSHED   version 7"),
        (("pushed", 7, True, 7), "UNCHANGED   version 7 still served"),
        (("pushed", 7, True, 8), "UNCHANGED   version 7 pushed by an earlier run"),
        (("not_blessed",), "NOT BLESSED   nothing pushed"),
        (("running",), "RUNNING"),
        # A status of a later version.
        (("paused",), "PAUSED"),
    ],
)
def test_the_headline_says_what_is_served(arguments, text):
    assert str(headline(*arguments)) == text


def test_the_hit_rate_is_explained_under_its_own_name():
    assert hit_rate("factorized_top_k/top_10_categorical_accuracy") == "HR@10"
    assert hit_rate("factorized_top_k/top_5_categorical_accuracy_with_seen") == "HR@5 with seen"
    assert hit_rate("ndcg_at_10") == "ndcg_at_10"
    result = GateResult(
        gate=Gate.POPULARITY, result=Result.PASSED, sentence="", metric="factorized_top_k/top_5_categorical_accuracy"
    )
    assert explanation([result, result]) == (
        "HR@5: share of test rows whose target is among the first 5 answers (top_5_categorical_accuracy)"
    )
    assert explanation(complete((), "not yet")) == ""


def test_numbers_have_as_many_digits_as_it_takes():
    assert [short_share(share) for share in (0.2481, 0.01, 0.0, 0.00084)] == ["0.248", "0.010", "0.000", "0.00084"]
    assert [beside(value, 1.1) for value in (2.953, 1.1, 1.0999, 1.0)] == ["3.0", "1.1", "1.0999", "1.0"]
