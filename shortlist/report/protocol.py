"""How a run's figures were measured, in one sentence."""

from __future__ import annotations

from shortlist.summary import DataSummary, Protocol, RefitSummary

TESTED_ON = {
    "leave_last_out": "each query's last interaction",
    "leave_last_basket": "each query's last basket",
    "temporal": "interactions after a cut in time",
    "random": "a random fifth of the interactions",
}
"""What the test rows of each kind of split are."""


def sentence(protocol: Protocol, data: DataSummary) -> str:
    """Returns it; a figure means nothing without it."""
    tested_on = TESTED_ON.get(protocol.split, protocol.split)
    parts = [
        f"Trained on {data.rows.get('train', 0):,} interactions, stopped early on {data.rows.get('eval', 0):,} and "
        f"tested on {tested_on} ({data.rows.get('test', 0):,} rows of {data.queries.get('test', 0):,} queries, split "
        f"{protocol.split}), each ranked against all {protocol.corpus_size:,} candidates but those that its query had "
        "seen, ties counting against the target",
        tie_sentence(protocol),
    ]
    if protocol.unseen_queries:
        parts.append(f"{protocol.unseen_queries:.0%} of test rows are of queries that train never saw")
    if protocol.repeat_targets:
        parts.append(f"{protocol.repeat_targets:.0%} of targets had been met before")
    return "; ".join(parts) + "."


def tie_sentence(protocol: Protocol) -> str:
    """Returns what decides the order of equal times."""
    if protocol.split == "leave_last_basket":
        return "rows of a basket are no history for each other"
    return f"{protocol.tied_targets:.0%} of test targets share their time with another row (file order decides)"


def refit_sentence(refit: RefitSummary) -> str:
    """Returns whose figures they are where the served model is another one."""
    return (
        f"Served is this recipe trained again on all {refit.targets:,} interactions, eval and test included, for "
        f"{refit.steps:,} steps, as many as were best; all figures are those of the model that was trained on train "
        "alone"
    )
