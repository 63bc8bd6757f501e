"""Runs every cell that is missing and tells what each part is worth."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from components.evaluator import rank_metrics
from components.trainer import dataset
from components.trainer.settings import Settings
from pipeline.ablations import effects, recipes
from pipeline.ablations.recipes import Group, Recipe
from pipeline.ablations.table import AblationRow, Ablations, Reference
from pipeline.ablations.trials import AblationTrial, TrialCache
from pipeline.ablations.windows import RecordedWindows
from shortlist.errors import BadInputError

K = 10


class FinishedTrial(NamedTuple):
    """How one cell went, as a listener hears of it."""

    node_id: str
    seconds: float
    cached: bool


class AblationListener(Protocol):
    """Hears of each cell before and after it runs."""

    def node_started(self, node_id: str, index: int, total: int) -> None:
        """Called before cell `index` (from 1) of `total`."""

    def node_finished(self, result: FinishedTrial) -> None:
        """Called after a cell ended well."""


@dataclasses.dataclass(frozen=True)
class AblationPlan:
    """What to run."""

    groups: Sequence[Group]
    seeds: Sequence[int]
    split: str
    """eval or test."""
    epochs: int | None
    """In place of the config's, where it is to be quicker."""

    def settings(self, recipe: Recipe, seed: int) -> Settings:
        """Returns the settings of one cell."""
        changed = {"seed": seed} | ({} if self.epochs is None else {"epochs": self.epochs})
        return dataclasses.replace(recipe.settings, train=recipe.settings.train.model_copy(update=changed))


def run(plan: AblationPlan, windows: RecordedWindows, folder: pathlib.Path, listener: AblationListener) -> Ablations:
    """Returns what each part is worth; cells that were run before are not run again.

    Args:
      plan: What to run.
      windows: What to train on and to rank.
      folder: Where cells are kept.
      listener: Hears of every cell.

    Raises:
      BadInputError: The split has no rows.
      ConfigError: A recipe does not fit into memory.
    """
    queries = dataset.query_ids(windows.files[plan.split])
    if not len(queries):
        raise BadInputError(
            f"--split {plan.split}: expected rows to rank, the {plan.split} split of run {windows.run_id} has none; "
            f"use --split {'test' if plan.split == 'eval' else 'eval'} or another data.split"
        )
    cells = TrialCache(folder, windows, plan.split)
    # A seed of all recipes before the next seed: what is cut short has said something of each.
    jobs = [(group, recipe, seed) for seed in plan.seeds for group in plan.groups for recipe in group.recipes]
    found: dict[tuple[str, str, int], AblationTrial] = {}
    for index, (group, recipe, seed) in enumerate(jobs, start=1):
        name = f"{group.name}: {recipe.name}, seed {seed}"
        listener.node_started(name, index, len(jobs))
        start = time.monotonic()
        settings = plan.settings(recipe, seed)
        cell = cells.find(settings)
        cached = cell is not None
        found[group.name, recipe.name, seed] = cell = cell or cells.run(settings)
        listener.node_finished(FinishedTrial(name, time.monotonic() - start, cached))
    return Ablations(
        run_id=windows.run_id,
        split=plan.split,
        rows=len(queries),
        seeds=list(plan.seeds),
        epochs=plan.epochs,
        groups=[_of_group(group, plan.seeds, found, queries) for group in plan.groups],
    )


def _of_group(
    group: Group, seeds: Sequence[int], found: dict[tuple[str, str, int], AblationTrial], queries: np.ndarray
) -> Reference:
    by_recipe = {recipe.name: [found[group.name, recipe.name, seed] for seed in seeds] for recipe in group.recipes}
    ranks = {name: [cell.ranks for cell in cells] for name, cells in by_recipe.items()}
    noise = effects.seed_noise(list(ranks.values()), K)
    own = ranks[group.reference.name]
    parts = []
    for recipe in group.variants:
        with_part, without = (ranks[recipe.name], own) if recipe.has_part else (own, ranks[recipe.name])
        effect = effects.effect(with_part, without, queries, K, noise)
        parts.append(
            AblationRow(
                name=recipe.name,
                switched=recipe.switched,
                in_reference=not recipe.has_part,
                top_10=_mean(effects.hit_rates(ranks[recipe.name], K)),
                ndcg_at_10=_ndcg(ranks[recipe.name]),
                effect=effect.mean,
                low=effect.low,
                high=effect.high,
                verdict=effect.verdict,
                seconds=_mean([cell.seconds for cell in by_recipe[recipe.name]]),
                best_epochs=[cell.best_epoch for cell in by_recipe[recipe.name]],
            )
        )
    return Reference(
        name=group.name,
        title=group.title,
        top_10=_mean(effects.hit_rates(own, K)),
        ndcg_at_10=_ndcg(own),
        seconds=_mean([cell.seconds for cell in by_recipe[group.reference.name]]),
        best_epochs=[cell.best_epoch for cell in by_recipe[group.reference.name]],
        seed_deviation=noise[0] if noise[1] else None,
        settings=group.reference.settings.to_json(),
        parts=parts,
    )


def plan(
    settings: Settings,
    seeds: Sequence[int],
    split: str,
    epochs: int | None,
    only: Sequence[str] = (),
    ties_have_order: bool = False,
) -> AblationPlan:
    """Returns what to run for a config's own settings; see `recipes.groups`."""
    return AblationPlan(recipes.groups(settings, tuple(only), ties_have_order), seeds, split, epochs)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _ndcg(ranks: Sequence[np.ndarray]) -> float:
    return _mean([rank_metrics.ndcg(rank_metrics.histogram(of_seed, K), K) for of_seed in ranks])
