"""Sentences on the evaluation protocol of a run."""

from __future__ import annotations

from shortlist.summary import DataSummary, Protocol, RefitSummary, RefreshSummary, WarmStartSummary

TESTED_ON = {
    "leave_last_out": "each query's last interaction",
    "leave_last_basket": "each query's last basket",
    "temporal": "interactions after a cut in time",
    "random": "a random fifth of the interactions",
}
"""Description of the test rows, by kind of split."""


def sentence(protocol: Protocol, data: DataSummary) -> str:
    """Returns the protocol in one sentence, which belongs beside all metrics."""
    tested_on = TESTED_ON.get(protocol.split, protocol.split)
    seen = "without its query's seen items" if protocol.exclude_seen else "seen items included"
    return (
        f"Tested on {tested_on}, {data.rows.get('test', 0):,} rows of {data.queries.get('test', 0):,} queries; each "
        f"target is ranked among all {protocol.corpus_size:,} candidates, {seen}."
    )


def details(protocol: Protocol, data: DataSummary) -> list[str]:
    """Returns the details of the protocol, a sentence each."""
    found = [
        *([f"{cuts_sentence(protocol)}."] if protocol.test_from else []),
        f"The split is {protocol.split}: trained on {data.rows.get('train', 0):,} interactions, stopped early on "
        f"{data.rows.get('eval', 0):,}.",
        f"Tied scores count against the target; {tie_sentence(protocol)}.",
    ]
    if not protocol.exclude_seen:
        found.append(
            "Seen items are candidates (evaluate.repeat_consumption). The gates did not measure the signature "
            "serving_default, which excludes the history."
        )
    if protocol.unseen_queries:
        found.append(f"{protocol.unseen_queries:.0%} of test rows belong to queries without train rows.")
    if protocol.repeat_targets and protocol.exclude_seen:
        found.append(
            f"{protocol.repeat_targets:.1%} of test rows are left out, since their query had seen the target before. "
            "Metrics with seen items count all rows."
        )
    return found


def cuts_sentence(protocol: Protocol) -> str:
    """Returns the times of a split by time, without a final full stop; empty for other splits."""
    if not protocol.test_from:
        return ""
    return f"Eval from {protocol.eval_from}, test from {protocol.test_from}, to {protocol.latest_time}"


def tie_sentence(protocol: Protocol) -> str:
    """Returns a clause on interactions with equal timestamps."""
    if protocol.split == "leave_last_basket":
        return "the rows of a basket are not history for each other"
    return f"{protocol.tied_targets:.0%} of test targets share their time with another row (file order decides)"


def warm_start_sentence(start: WarmStartSummary) -> str:
    """Returns the beginning of a training with `train.warm_start`, without a final full stop."""
    if start.reason:
        return f"Trained from scratch: {start.reason}"
    version = "which pushed nothing" if start.version is None else f"version {start.version}"
    sentence = (
        f"Training began from the measured model of run {start.run_of} ({version}): {start.known_candidates:,} "
        f"candidates with its embedding of their id, {start.new_candidates:,} new ones"
    )
    if start.left_out:
        sentence += f"; early stopping left out {start.left_out:,} eval rows on which that model was trained"
    return sentence


def refit_sentence(refit: RefitSummary) -> str:
    """Returns the difference between the served and the measured model of a refit, without a final full stop."""
    return (
        f"The served model was trained again on all {refit.targets:,} interactions, eval and test included, for the "
        f"best number of steps, {refit.steps:,}. All metrics are those of the model trained on train alone"
    )


def refresh_sentence(refresh: RefreshSummary) -> str:
    """Returns how a reindex embedded today's catalogue, without a final full stop."""
    return (
        f"{refresh.candidates:,} candidates: {refresh.known:,} known to the model, {refresh.new:,} new and embedded by "
        f"their features; {refresh.removed:,} of its own are gone"
    )
