"""The run's outcome: its gates, and reasons that no gate has."""

from __future__ import annotations

from shortlist.report import format
from shortlist.report.facts import Facts
from shortlist.verdicts import GateResult, Headline, Result, headline


def outcome(facts: Facts) -> tuple[str, str]:
    """Returns the run's outcome in a few words, and its mood: `good`, `held` or `bad`."""
    found = headline(facts.record.status)
    if facts.verdict is not None:
        found = facts.verdict.headline(facts.served_version)
    return _text(found), found.mood


def outcome_word(status: str) -> str:
    """Returns the outcome of a run with a status, in a few words."""
    return _text(headline(status))


def _text(found: Headline) -> str:
    return ", ".join(part for part in (found.word.lower(), found.detail) if part)


def subtitle(facts: Facts) -> str:
    """Returns the run's start, its duration and its number of cached steps."""
    started, summary = facts.record.started, facts.summary
    parts = []
    if started is not None:
        parts.append(f"started {started:%Y-%m-%d %H:%M:%S} UTC")
    if summary is not None:
        parts.append(f"took {format.seconds(summary.seconds.total)}")
        if summary.cached and not facts.unchanged:
            parts.append(f"{len(summary.cached)} steps came from the cache, with the results of an earlier run")
    return ", ".join(parts)


def gates(facts: Facts) -> list[GateResult]:
    """Returns one result per gate, in the order of the pipeline; an empty list if nothing is known."""
    if facts.summary is not None and facts.summary.gates:
        return facts.summary.gates
    return facts.verdict.gates if facts.verdict is not None else []


def other_reasons(facts: Facts) -> list[str]:
    """Returns the reasons of the outcome that no gate has, such as the error that stopped the run."""
    summary = facts.summary
    of_gates = {text for gate in gates(facts) for text in (gate.reason, gate.sentence)}
    if summary is not None and summary.blessing is not None:
        of_gates.update(summary.blessing.reasons)
    # A run that has not ended gives its state as the reason, too.
    return [reason for reason in facts.record.reasons if reason not in of_gates | {"", facts.record.status}]


def reasons(facts: Facts) -> list[str]:
    """Returns the reasons that a run pushed nothing, or that it warns of."""
    failed = [gate.reason for gate in gates(facts) if gate.result in (Result.FAILED, Result.WARNED)]
    return other_reasons(facts) + failed


def gate_k(facts: Facts) -> int:
    """Returns the K of the gates."""
    k = facts.config.get("evaluate.gate_k")
    return k if isinstance(k, int) else 10
