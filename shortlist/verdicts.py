"""A run's verdict as data: its headline, and one result with one sentence per gate.

The terminal, `lineage --why` and the report show the same text in the same order.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterable, Sequence

import pydantic


class Gate(str, enum.Enum):
    """The gates between the data and a push, in the order of the pipeline."""

    DATA = "data"
    POPULARITY = "popularity"
    NEW_USERS = "new_users"
    NEW_ITEMS = "new_items"
    PREVIOUS_MODEL = "previous_model"
    INDEX = "index"
    SERVING = "serving"


GATE_NAMES = {
    Gate.DATA: "data",
    Gate.POPULARITY: "beats most popular",
    Gate.NEW_USERS: "new users",
    Gate.NEW_ITEMS: "new items",
    Gate.PREVIOUS_MODEL: "previous model",
    Gate.INDEX: "index",
    Gate.SERVING: "serving",
}


EVALUATED = (Gate.POPULARITY, Gate.NEW_USERS, Gate.NEW_ITEMS, Gate.PREVIOUS_MODEL)
"""The gates of the Evaluator."""


class Result(str, enum.Enum):
    """The result of one gate."""

    PASSED = "pass"
    WARNED = "warn"
    """The gate failed, but its `action` only warns."""
    FAILED = "fail"
    NOT_JUDGED = "not_judged"

    @property
    def sign(self) -> str:
        """`pass`, `warn`, `fail` or `--`."""
        return "--" if self is Result.NOT_JUDGED else self.value


class GateResult(pydantic.BaseModel):
    """One gate's result."""

    model_config = pydantic.ConfigDict(frozen=True, use_attribute_docstrings=True)

    gate: Gate
    result: Result
    sentence: str
    """Figures and requirement; for a gate that failed also the remedy; without a final full stop."""
    metric: str = ""
    """TFMA's name of the hit rate in the sentence; empty if there is none."""
    value: float | None = None
    """The figure that is compared with `required`."""
    required: float | None = None

    @property
    def name(self) -> str:
        """The gate's name for people."""
        return GATE_NAMES[self.gate]

    @property
    def reason(self) -> str:
        """The result as a sentence that can stand alone."""
        return f"{self.name}: {self.sentence}"


def complete(results: Iterable[GateResult], otherwise: str) -> list[GateResult]:
    """Returns one result per gate, in the fixed order.

    Args:
      results: Results of some gates.
      otherwise: The sentence of the other gates, which were not judged.
    """
    by_gate = {result.gate: result for result in results}
    return [
        by_gate.get(gate, GateResult(gate=gate, result=Result.NOT_JUDGED, sentence=f"not judged: {otherwise}"))
        for gate in Gate
    ]


def refused(reason: str) -> list[GateResult]:
    """Returns one result per gate of a run whose data was refused, in the fixed order."""
    return complete([GateResult(gate=Gate.DATA, result=Result.FAILED, sentence=reason)], "the data was refused")


@dataclasses.dataclass(frozen=True)
class Headline:
    """The first line of a verdict."""

    word: str
    """The outcome in capitals."""
    detail: str
    mood: str
    """`good`, `held` or `bad`."""

    def __str__(self) -> str:
        return f"{self.word}   {self.detail}" if self.detail else self.word


_HEADLINES = {
    "pushed": ("PUSHED", "", "good"),
    "not_blessed": ("NOT BLESSED", "nothing pushed", "held"),
    "index_rejected": ("INDEX REJECTED", "nothing pushed", "held"),
    "check_failed": ("SERVING CHECK FAILED", "nothing pushed", "held"),
    "refused": ("DATA REFUSED", "nothing pushed", "bad"),
    "failed": ("FAILED", "nothing pushed", "bad"),
    "killed": ("KILLED", "nothing pushed", "bad"),
    "running": ("RUNNING", "", "held"),
}


def headline(outcome: str, version: int | None = None, unchanged: bool = False, served: int | None = None) -> Headline:
    """Returns the first line of a verdict.

    Args:
      outcome: A `Status` or a `lineage.why.Outcome`, or another word of an older version.
      version: The pushed version, for the outcome `pushed`.
      unchanged: Whether an earlier run pushed it, and this run found everything in the cache.
      served: The version in the serving folder now.
    """
    word, detail, mood = _HEADLINES.get(outcome, (outcome.upper(), "", "held"))
    if outcome != "pushed" or version is None:
        return Headline(word, detail, mood)
    if not unchanged:
        return Headline(word, f"version {version}", mood)
    still = "still served" if served == version else "pushed by an earlier run"
    return Headline("UNCHANGED", f"version {version} {still}", mood)


_TOP_K = re.compile(r"top_(\d+)_categorical_accuracy(_with_seen)?")


def hit_rate(metric: str) -> str:
    """Returns the short name of a hit rate: `HR@10`, or `HR@10 with seen`; of another metric its own name."""
    found = _TOP_K.search(metric)
    if found is None:
        return metric
    return f"HR@{found[1]}{' with seen' if found[2] else ''}"


def explanation(results: Sequence[GateResult]) -> str:
    """Returns the meaning of the gates' hit rate, to be shown once; empty if no sentence has it."""
    found = next((match for result in results if (match := _TOP_K.search(result.metric))), None)
    if found is None:
        return ""
    seen = ", seen items among the candidates" if found[2] else ""
    return f"HR@{found[1]}: share of test rows whose target is among the first {found[1]} answers{seen} ({found[0]})"


def short_share(share: float) -> str:
    """Returns a share with three decimals, or with two digits if it is below 0.01."""
    return f"{share:.3f}" if share >= 0.01 or not share else f"{share:.2g}"


def beside(value: float, bound: float, decimals: int = 1) -> str:
    """Returns `value` with enough decimals to show on which side of `bound` it is, at least `decimals`."""
    texts = (f"{value:.{places}f}" for places in range(decimals, 18))
    return next((text for text in texts if (float(text) >= bound) == (value >= bound)), repr(value))
