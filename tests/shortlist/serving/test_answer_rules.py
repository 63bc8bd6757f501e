"""Answers that break one rule each."""

import dataclasses
import math

import numpy as np
import pytest

from shortlist.serving.answer_rules import LOWEST, Case, ServedAnswers, disagreements, find_violations

CORPUS = {"a", "b", "c", "d", "e"}
GOOD = ServedAnswers(ids=[["c", "b", ""]], scores=[[2.0, 1.0, LOWEST]], count=[2])
CASE = Case("case", excluded=[{"a", "d", "e"}], allowed=[None], limit=3)


def test_a_good_answer_breaks_nothing():
    assert float(np.finfo(np.float32).min) == LOWEST
    assert find_violations(CASE, GOOD, CORPUS) == []
    ties = dataclasses.replace(GOOD, scores=[[1.0, 1.0, LOWEST]])
    assert find_violations(CASE, ties, CORPUS) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"ids": [["c", "a", ""]]}, "an id is in the answer that is excluded"),
        ({"ids": [["c", "stranger", ""]]}, "an id is in the answer that is excluded, not allowed or not in the corpus"),
        ({"ids": [["c", "c", ""]]}, "an id is in the answer twice"),
        ({"ids": [["c", "", ""]]}, "an id is in the answer that is excluded, not allowed or not in the corpus"),
        ({"scores": [[math.nan, 1.0, LOWEST]]}, "a score is not finite"),
        ({"scores": [[2.0, 1.0, -math.inf]]}, "a score is not finite"),
        ({"scores": [[1.0, 2.0, LOWEST]]}, "the scores do not descend"),
        ({"ids": [["c", "b", "b"]]}, "the padding is not empty"),
        ({"scores": [[2.0, 1.0, 0.0]]}, "the padding is not empty"),
        ({"count": [1]}, "expected 2 results, got 1"),
    ],
)
def test_each_broken_rule_is_named(change, expected):
    problems = find_violations(CASE, dataclasses.replace(GOOD, **change), CORPUS)
    assert any(problem.startswith(f"case: {expected}") and "(query 0 of 1)" in problem for problem in problems), (
        problems
    )


def test_allow_list_and_limit_bound_the_expected_results():
    only = Case("case", excluded=[{"a"}], allowed=[{"a", "b", "stranger"}], limit=3)
    assert find_violations(only, ServedAnswers([["b", "", ""]], [[1.0, LOWEST, LOWEST]], [1]), CORPUS) == []
    assert find_violations(only, GOOD, CORPUS)[0].startswith("case: expected 1 results, got 2")
    assert find_violations(dataclasses.replace(CASE, limit=1), GOOD, CORPUS)


def test_a_broken_rule_is_reported_once_with_its_first_query():
    case = Case("case", [set()] * 3, [None] * 3, 2)
    good, twice = ["a", "b"], ["a", "a"]
    answers = ServedAnswers([good, twice, twice], [[2.0, 1.0]] * 3, [2] * 3)
    assert find_violations(case, answers, CORPUS) == ["case: an id is in the answer twice (query 1 of 3)"]


def compare(ours, theirs, min_overlap=0.9):
    return disagreements({"case": ours}, {"case": theirs}, min_overlap, ["case"])


def test_answers_that_agree_or_tie_are_fine():
    assert compare(GOOD, GOOD) == []
    # One of two candidates that tie for the last place is as good as the other.
    tied = ServedAnswers([["c", "d", ""]], [[2.0, 1.0, LOWEST]], [2])
    assert compare(tied, GOOD) == []
    nothing = ServedAnswers([["", ""]], [[LOWEST, LOWEST]], [0])
    assert compare(nothing, nothing) == []


def test_answers_that_differ_are_problems():
    fewer = ServedAnswers([["c", "", ""]], [[2.0, LOWEST, LOWEST]], [1])
    assert "different numbers of results" in compare(fewer, GOOD)[0]
    rescored = ServedAnswers([["c", "b", ""]], [[2.0, 1.1, LOWEST]], [2])
    assert "score the same candidate differently" in compare(rescored, GOOD)[0]
    worse = ServedAnswers([["c", "d", ""]], [[2.0, 0.5, LOWEST]], [2])
    assert compare(worse, GOOD) == ["case: the index returns 0.500 of its exact copy's answer, expected 0.900"]
    assert compare(worse, GOOD, min_overlap=0.5) == []
    assert disagreements({"case": worse}, {"case": GOOD}, 0.9, ["another"]) == []


def test_a_case_that_one_model_lacks_is_a_problem():
    problems = disagreements({"one": GOOD, "both": GOOD}, {"two": GOOD, "both": GOOD}, 0.9, ["both"])
    assert sorted(problems) == [
        f"{name}: only one model ran this case, so their corpora differ" for name in ("one", "two")
    ]
