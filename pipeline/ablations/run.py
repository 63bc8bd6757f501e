"""Runs the trials of an ablation and computes the effect of each part."""

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
    """Event for a listener: a trial that succeeded or came from the cache."""

    node_id: str
    seconds: float
    cached: bool


class AblationListener(Protocol):
    """Receives an event before and after each trial."""

    def node_started(self, node_id: str, index: int, total: int) -> None:
        """Called before trial `index` (from 1) of `total` starts."""

    def node_finished(self, result: FinishedTrial) -> None:
        """Called after a trial succeeded."""


@dataclasses.dataclass(frozen=True)
class AblationPlan:
    """The trials to run: every recipe of the groups with every seed."""

    groups: Sequence[Group]
    seeds: Sequence[int]
    split: str
    """Split to rank: eval or test."""
    epochs: int | None
    """Epochs instead of the config's, for a quicker run; None for the config's."""

    def settings(self, recipe: Recipe, seed: int) -> Settings:
        """Returns the settings of one trial."""
        changed = {"seed": seed}
        if self.epochs is not None:
            changed["epochs"] = self.epochs
        return dataclasses.replace(recipe.settings, train=recipe.settings.train.model_copy(update=changed))


def run(plan: AblationPlan, windows: RecordedWindows, folder: pathlib.Path, listener: AblationListener) -> Ablations:
    """Returns the effect of each part. Trials in the cache are not run again.

    Args:
      plan: The trials to run.
      windows: The rows to train on and to rank.
      folder: Folder of the trial cache.
      listener: Receives the events of each trial.

    Raises:
      BadInputError: The split has no rows.
      ConfigError: A recipe does not fit into memory.
    """
    queries = dataset.query_ids(windows.files[plan.split])
    if not len(queries):
        other = {"eval": "test", "test": "eval"}[plan.split]
        raise BadInputError(
            f"--split {plan.split}: expected rows to rank, the {plan.split} split of run {windows.run_id} has none; "
            f"use --split {other} or another data.split"
        )
    cache = TrialCache(folder, windows, plan.split)
    # All recipes with one seed before the next seed: an interrupted run then has a figure of every recipe.
    jobs = [(group, recipe, seed) for seed in plan.seeds for group in plan.groups for recipe in group.recipes]
    trials: dict[tuple[str, str, int], AblationTrial] = {}
    for index, (group, recipe, seed) in enumerate(jobs, start=1):
        name = f"{group.name}: {recipe.name}, seed {seed}"
        listener.node_started(name, index, len(jobs))
        start = time.monotonic()
        settings = plan.settings(recipe, seed)
        trial = cache.find(settings)
        cached = trial is not None
        trials[group.name, recipe.name, seed] = trial or cache.run(settings)
        listener.node_finished(FinishedTrial(name, time.monotonic() - start, cached))
    queries, trials = _ranked(queries, trials)
    return Ablations(
        run_id=windows.run_id,
        split=plan.split,
        rows=len(queries),
        seeds=list(plan.seeds),
        epochs=plan.epochs,
        groups=[_effects_of(group, plan.seeds, trials, queries) for group in plan.groups],
    )


def _ranked(
    queries: np.ndarray, trials: dict[tuple[str, str, int], AblationTrial]
) -> tuple[np.ndarray, dict[tuple[str, str, int], AblationTrial]]:
    """Leaves out the rows whose target had been seen before; these are the same rows in all trials.

    Raises:
      BadInputError: No row is left.
    """
    ranked = next(iter(trials.values())).ranks != rank_metrics.NOT_RANKED
    if not ranked.any():
        raise BadInputError(
            "ablate: expected rows whose target is new to its query, got none; set evaluate.repeat_consumption: true"
        )
    kept = {key: dataclasses.replace(trial, ranks=trial.ranks[ranked]) for key, trial in trials.items()}
    return queries[ranked], kept


def _effects_of(
    group: Group, seeds: Sequence[int], trials: dict[tuple[str, str, int], AblationTrial], queries: np.ndarray
) -> Reference:
    by_recipe = {recipe.name: [trials[group.name, recipe.name, seed] for seed in seeds] for recipe in group.recipes}
    ranks = {name: [trial.ranks for trial in of_recipe] for name, of_recipe in by_recipe.items()}
    noise = effects.seed_noise(list(ranks.values()), K)
    own = ranks[group.reference.name]
    parts = []
    for recipe in group.variants:
        with_part, without = own, ranks[recipe.name]
        if recipe.has_part:
            with_part, without = without, with_part
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
                seconds=_mean([trial.seconds for trial in by_recipe[recipe.name]]),
                best_epochs=[trial.best_epoch for trial in by_recipe[recipe.name]],
            )
        )
    return Reference(
        name=group.name,
        title=group.title,
        top_10=_mean(effects.hit_rates(own, K)),
        ndcg_at_10=_ndcg(own),
        seconds=_mean([trial.seconds for trial in by_recipe[group.reference.name]]),
        best_epochs=[trial.best_epoch for trial in by_recipe[group.reference.name]],
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
    """Returns the plan for a config's own settings; see `recipes.groups` for the arguments."""
    return AblationPlan(recipes.groups(settings, tuple(only), ties_have_order), seeds, split, epochs)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _ndcg(ranks: Sequence[np.ndarray]) -> float:
    return _mean([rank_metrics.ndcg(rank_metrics.histogram(of_seed, K), K) for of_seed in ranks])
