"""The verdict on a terminal."""

from __future__ import annotations

import io

from cli.output import consoles, verdict
from shortlist.verdicts import Gate, GateResult, Headline, Result

_GATES = [
    GateResult(
        gate=Gate.POPULARITY,
        result=Result.PASSED,
        sentence="HR@10 0.248, most popular 0.084: 3.0 times; required 1.1",
        metric="factorized_top_k/top_10_categorical_accuracy",
    ),
    GateResult(gate=Gate.NEW_ITEMS, result=Result.NOT_JUDGED, sentence="not judged: 3 test rows; required 100"),
]


def _printed(width):
    out = io.StringIO()
    headline = Headline("PUSHED", "version 1795994291", "good")
    verdict.print_verdict(headline, _GATES, consoles.console(file=out, width=width))
    return out.getvalue().splitlines()


def test_one_line_per_gate_with_its_sign_first():
    assert _printed(120) == [
        "PUSHED   version 1795994291",
        "  pass   beats most popular   HR@10 0.248, most popular 0.084: 3.0 times; required 1.1",
        "  --     new items            not judged: 3 test rows; required 100",
        "  HR@10: share of test rows whose target is among the first 10 answers (top_10_categorical_accuracy)",
    ]


def test_sentences_have_a_hanging_indent_and_no_word_is_broken():
    assert _printed(72) == [
        "PUSHED   version 1795994291",
        "  pass   beats most popular   HR@10 0.248, most popular 0.084: 3.0",
        "                              times; required 1.1",
        "  --     new items            not judged: 3 test rows; required 100",
        "  HR@10: share of test rows whose target is among the first 10 answers",
        "  (top_10_categorical_accuracy)",
    ]
