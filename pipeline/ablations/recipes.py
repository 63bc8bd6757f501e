"""The config's own recipe, and the same with one part of it switched."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal

from components.trainer.settings import Settings
from shortlist.config.losses import CorpusLoss, InBatchLoss
from shortlist.config.model import FeaturesTowerSection, HistoryTowerSection
from shortlist.errors import BadInputError

GroupName = Literal["own", "in-batch"]

IN_BATCH_TARGETS = 1024
HARD_NEGATIVES = 100
UNIFORM_NEGATIVES = 1024
DROPOUT = 0.2
TEMPERATURE = 0.1


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One way to train."""

    name: str
    """Of the part that is switched."""
    settings: Settings
    switched: str = ""
    """What it has in place of the reference's."""
    has_part: bool = False
    """Whether this recipe has the part, and the reference lacks it."""


@dataclasses.dataclass(frozen=True)
class Group:
    """A reference, and the recipes that differ from it in one part each."""

    name: GroupName
    title: str
    """What the reference is."""
    reference: Recipe
    variants: tuple[Recipe, ...]

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """The reference and its variants."""
        return (self.reference, *self.variants)


def groups(settings: Settings, only: tuple[str, ...] = (), ties_have_order: bool = False) -> list[Group]:
    """Returns what is compared with what.

    Parts of the model and of the data are switched in the config's own recipe. Parts of the in-batch loss mean
    nothing to a softmax over the corpus: where that is the config's loss, their reference is the same recipe with
    loss in_batch.

    Args:
      settings: The config's own.
      only: Names of the parts to switch; all of them unless given.
      ties_have_order: Whether the log orders what happened within one second, which nothing may shuffle then.

    Raises:
      BadInputError: The recipe has no such part.
    """
    loss = settings.train.loss
    own = [*_of_model(settings), *_of_loss(settings, ties_have_order)]
    if isinstance(loss, InBatchLoss):
        found = [Group("own", "the config's own recipe", _reference(settings), (*own, *_of_in_batch(settings)))]
    else:
        batch = settings.with_values({"train.batch_size": IN_BATCH_TARGETS})
        in_batch = _with_loss(batch, InBatchLoss(temperature=loss.temperature))
        title = f"the config's own recipe with loss in_batch, {IN_BATCH_TARGETS:,} targets a batch"
        found = [
            Group("own", "the config's own recipe", _reference(settings), tuple(own)),
            Group("in-batch", title, _reference(in_batch), tuple(_of_in_batch(in_batch))),
        ]
    return _selected(found, only)


def _selected(found: list[Group], only: tuple[str, ...]) -> list[Group]:
    known = [recipe.name for group in found for recipe in group.variants]
    unknown = sorted(set(only) - set(known))
    if unknown:
        raise BadInputError(
            f"--only {unknown[0]}: expected a part of this recipe, which has {', '.join(known)}; see docs/ablations.md"
        )
    if not only:
        return found
    kept = [
        dataclasses.replace(group, variants=tuple(recipe for recipe in group.variants if recipe.name in only))
        for group in found
    ]
    return [group for group in kept if group.variants]


def _reference(settings: Settings) -> Recipe:
    return Recipe("reference", settings)


def _of_model(settings: Settings) -> Iterator[Recipe]:
    model = settings.model
    tower = model.query_tower
    if isinstance(tower, HistoryTowerSection):
        alone = _with_tower(settings, FeaturesTowerSection(dropout=tower.dropout))
        yield Recipe("history", alone, "the query's id and features")
        for name, key in (("position bias", "position_bias"), ("time intervals", "time_intervals")):
            changed = settings.with_values({f"model.query_tower.{key}": not getattr(tower, key)})
            yield Recipe(name, changed, _on_off(not getattr(tower, key)), not getattr(tower, key))
    elif settings.split_kind != "random":
        yield Recipe("history", _with_tower(settings, HistoryTowerSection()), "a history tower", has_part=True)
    if (settings.query_features or settings.candidate_features) and model.candidate_tower.use_candidate_id:
        bare = dataclasses.replace(settings, query_features={}, candidate_features={})
        yield Recipe("features", bare, "ids alone")
    dropout = 0.0 if tower.dropout else DROPOUT
    changed = settings.with_values({"model.query_tower.dropout": dropout})
    yield Recipe("dropout", changed, f"{dropout:g}", not tower.dropout)
    if isinstance(tower, HistoryTowerSection) and tower.cold_start_fraction:
        yield Recipe(
            "cold start fraction", settings.with_values({"model.query_tower.cold_start_fraction": 0.0}), "none"
        )
    if settings.candidate_features and model.candidate_tower.id_dropout:
        known = settings.with_values({"model.candidate_tower.id_dropout": 0.0})
        yield Recipe("id dropout", known, "0")
    if model.query_time is not None:
        yield Recipe("query time", _replace(settings, model={"query_time": None}), "off")


def _of_loss(settings: Settings, ties_have_order: bool) -> Iterator[Recipe]:
    train = settings.train
    if train.loss.temperature != 1.0:
        yield Recipe("temperature", settings.with_values({"train.loss.temperature": 1.0}), "1")
    else:
        sharp = settings.with_values({"train.loss.temperature": TEMPERATURE, "model.normalize": True})
        yield Recipe("temperature", sharp, f"{TEMPERATURE:g}, on normalised towers", has_part=True)
    if isinstance(train.loss, CorpusLoss):
        masks = [("other targets masked", "mask_other_targets")]
        # Without features the loss masks none of them.
        masks += [("unseen candidates masked", "mask_unseen_candidates")] if settings.candidate_features else []
        for name, key in masks:
            masked = getattr(train.loss, key)
            changed = settings.with_values({f"train.loss.{key}": not masked})
            yield Recipe(name, changed, _on_off(not masked), not masked)
    # A tower without a history has no order to learn, and baskets whose rows teach each other are shuffled anyway.
    if settings.history_tower is not None and not train.basket_mates and not ties_have_order:
        changed = settings.with_values({"train.shuffle_ties": not train.shuffle_ties})
        yield Recipe("ties shuffled", changed, _on_off(not train.shuffle_ties), not train.shuffle_ties)
    if train.basket_mates:
        yield Recipe("basket mates", settings.with_values({"train.basket_mates": 0.0}), "off")


def _of_in_batch(settings: Settings) -> Iterator[Recipe]:
    loss = settings.train.loss
    assert isinstance(loss, InBatchLoss)
    for name, key in (("logQ", "logq"), ("accidental hits removed", "remove_accidental_hits")):
        has_it = getattr(loss, key)
        yield Recipe(name, settings.with_values({f"train.loss.{key}": not has_it}), _on_off(not has_it), not has_it)
    hard = None if loss.num_hard_negatives else HARD_NEGATIVES
    changed = _with_loss(settings, loss.model_copy(update={"num_hard_negatives": hard}))
    yield Recipe("hard negatives", changed, f"the hardest {hard}" if hard else "off", bool(hard))
    uniform = 0 if loss.uniform_negatives else UNIFORM_NEGATIVES
    changed = settings.with_values({"train.loss.uniform_negatives": uniform})
    yield Recipe("uniform negatives", changed, f"{uniform:,} more" if uniform else "off", bool(uniform))


def _with_tower(settings: Settings, tower: FeaturesTowerSection | HistoryTowerSection) -> Settings:
    return _replace(settings, model={"query_tower": tower})


def _with_loss(settings: Settings, loss: InBatchLoss | CorpusLoss) -> Settings:
    return _replace(settings, train={"loss": loss})


def _replace(settings: Settings, model: dict[str, Any] | None = None, train: dict[str, Any] | None = None) -> Settings:
    return dataclasses.replace(
        settings,
        model=settings.model.model_copy(update=model or {}),
        train=settings.train.model_copy(update=train or {}),
    )


def _on_off(is_on: bool) -> str:
    return "on" if is_on else "off"
