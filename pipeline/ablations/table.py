"""What each part of a recipe is worth, as JSON and as Markdown."""

from __future__ import annotations

from typing import Any

import pydantic

HEAD = (
    "part",
    "in the recipe",
    "switched to",
    "top_10",
    "effect of having it on top_10 (95%)",
    "verdict",
    "training s",
)


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", use_attribute_docstrings=True)


class AblationRow(_Model):
    """One part of a recipe."""

    name: str
    switched: str
    """What stood in place of the reference's."""
    in_reference: bool
    """Whether the reference has the part."""
    top_10: float
    """With the part switched, mean over the seeds."""
    ndcg_at_10: float
    effect: float
    """Top_10 with the part less top_10 without it."""
    low: float
    high: float
    """Of the 95% interval, over rows and seeds."""
    verdict: str
    seconds: float
    best_epochs: list[int]
    """By seed."""


class Reference(_Model):
    """A recipe, and what its parts are worth in it."""

    name: str
    title: str
    top_10: float
    ndcg_at_10: float
    seconds: float
    best_epochs: list[int]
    seed_deviation: float | None
    """Standard deviation of one seed's top_10, pooled over the recipes; null with one seed."""
    settings: dict[str, Any]
    parts: list[AblationRow]


class Ablations(_Model):
    """All of it."""

    run_id: str
    """The run whose windows these are."""
    split: str
    rows: int
    seeds: list[int]
    epochs: int | None
    """In place of the config's own; null where they are those."""
    groups: list[Reference]


def lead(found: Ablations) -> str:
    """Returns what the figures are of, in a sentence or two."""
    epochs = (
        f"{found.epochs} epoch{'s' * (found.epochs > 1)} in place of the config's own; "
        if found.epochs is not None
        else ""
    )
    noise = "" if len(found.seeds) > 1 else " One seed alone: seed noise is not in the intervals."
    return (
        f"{epochs}{len(found.seeds)} seed{'s' * (len(found.seeds) > 1)}, {found.rows:,} {found.split} rows, seen items "
        f"excluded. A positive effect says that the part helps.{noise}"
    )


def title(group: Reference) -> str:
    """Returns what a group's parts are switched in."""
    noise = "" if group.seed_deviation is None else f"; one seed's top_10 deviates by {group.seed_deviation:.4f}"
    return f"{group.title}: top_10 {group.top_10:.4f}, {group.seconds:.0f} s of training{noise}"


def rows(group: Reference) -> list[list[str]]:
    """Returns a line a part, the largest effect first; see `HEAD`."""
    return [
        [
            part.name,
            "yes" if part.in_reference else "no",
            part.switched,
            f"{part.top_10:.4f}",
            f"{part.effect:+.4f} ({part.low:+.4f} to {part.high:+.4f})",
            part.verdict,
            f"{part.seconds:.0f}",
        ]
        for part in sorted(group.parts, key=lambda part: -part.effect)
    ]


def markdown(found: Ablations) -> str:
    """Returns the tables."""
    parts = [lead(found)]
    for group in found.groups:
        lines = [f"| {' | '.join(HEAD)} |", "|---|---|---|---:|---|---|---:|"]
        lines += [f"| {' | '.join(row)} |" for row in rows(group)]
        name = title(group)
        parts += [f"**{name[0].upper()}{name[1:]}**", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"
