"""Results of an ablation, as JSON and as Markdown."""

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
    """The variant's setting of the part."""
    in_reference: bool
    """Whether the reference has the part."""
    top_10: float
    """Top_10 of the variant, mean over the seeds."""
    ndcg_at_10: float
    effect: float
    """Top_10 with the part minus top_10 without it."""
    low: float
    high: float
    """Upper end of the 95% interval, which covers the noise of rows and of seeds."""
    verdict: str
    seconds: float
    best_epochs: list[int]
    """Best epoch by seed."""


class Reference(_Model):
    """A reference recipe, and the effects of its parts."""

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
    """Results of all groups."""

    run_id: str
    """Id of the run that made the windows."""
    split: str
    rows: int
    seeds: list[int]
    epochs: int | None
    """Epochs instead of the config's own; null for the config's own."""
    groups: list[Reference]


def lead(results: Ablations) -> str:
    """Returns the lead of the tables: epochs, seeds, rows and the meaning of the sign."""
    epochs = ""
    if results.epochs is not None:
        epochs = f"{_plural(results.epochs, 'epoch')} instead of the config's own; "
    noise = ""
    if len(results.seeds) == 1:
        noise = " With a single seed the intervals do not cover the noise of seeds."
    return (
        f"{epochs}{_plural(len(results.seeds), 'seed')}, {results.rows:,} {results.split} rows, seen items excluded. "
        f"A positive effect means that the part helps.{noise}"
    )


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def title(group: Reference) -> str:
    """Returns the title of a group's table: the reference with its figures."""
    noise = ""
    if group.seed_deviation is not None:
        noise = f"; standard deviation of one seed's top_10 {group.seed_deviation:.4f}"
    return f"{group.title}: top_10 {group.top_10:.4f}, {group.seconds:.0f} s of training{noise}"


def rows(group: Reference) -> list[list[str]]:
    """Returns a line per part with the columns of `HEAD`, the largest effect first."""
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


def markdown(results: Ablations) -> str:
    """Returns the lead and a table per group."""
    parts = [lead(results)]
    for group in results.groups:
        lines = [f"| {' | '.join(HEAD)} |", "|---|---|---|---:|---|---|---:|"]
        lines += [f"| {' | '.join(row)} |" for row in rows(group)]
        name = title(group)
        parts += [f"**{name[0].upper()}{name[1:]}**", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"
