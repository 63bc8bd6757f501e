"""The config's own recipe, and the same with one part of it switched."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from components.trainer.settings import Settings
from shortlist.config.losses import InBatchLoss, LossSection
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

    Parts of the model and of the data are switched in the config's own recipe, and so are the parts of its loss. Where
    that lacks parts of the in-batch loss, as a softmax over the corpus does, these are switched in the same recipe with
    loss in_batch.

    Args:
      settings: The config's own.
      only: Names of the parts to switch; all of them unless given.
      ties_have_order: Whether the log orders what happened within one second, which nothing may shuffle then.

    Raises:
      BadInputError: The recipe has no such part.
    """
    loss = settings.train.loss
    own = [*_of_model(settings), *_of_loss(settings, ties_have_order), *_of_sampling(settings)]
    found = [Group("own", "the config's own recipe", _reference(settings), tuple(own))]
    batch = settings.with_values({"train.batch_size": IN_BATCH_TARGETS})
    in_batch = _with_loss(batch, InBatchLoss(temperature=loss.temperature))
    switched = {recipe.name for recipe in own}
    others = tuple(recipe for recipe in _of_sampling(in_batch) if recipe.name not in switched)
    if others:
        title = f"the config's own recipe with loss in_batch, {IN_BATCH_TARGETS:,} targets a batch"
        found.append(Group("in-batch", title, _reference(in_batch), others))
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
    masks = [("other targets masked", "mask_other_targets")]
    # Without features the loss masks none of them.
    masks += [("unseen candidates masked", "mask_unseen_candidates")] if settings.candidate_features else []
    yield from _switches(settings, masks)
    # A tower without a history has no order to learn, and baskets whose rows teach each other are shuffled anyway.
    if settings.history_tower is not None and not train.basket_mates and not ties_have_order:
        changed = settings.with_values({"train.shuffle_ties": not train.shuffle_ties})
        yield Recipe("ties shuffled", changed, _on_off(not train.shuffle_ties), not train.shuffle_ties)
    if train.basket_mates:
        yield Recipe("basket mates", settings.with_values({"train.basket_mates": 0.0}), "off")


def _of_sampling(settings: Settings) -> Iterator[Recipe]:
    """Yields the parts of a loss that samples its negatives, as far as this one has them."""
    yield from _switches(settings, [("logQ", "logq"), ("accidental hits removed", "remove_accidental_hits")])
    loss = settings.train.loss
    for name, key, number, none, text in (
        ("hard negatives", "num_hard_negatives", HARD_NEGATIVES, None, "the hardest {}"),
        ("uniform negatives", "uniform_negatives", UNIFORM_NEGATIVES, 0, "{:,} more"),
    ):
        if _has(loss, key):
            value = none if getattr(loss, key) else number
            changed = _with_loss(settings, loss.model_copy(update={key: value}))
            yield Recipe(name, changed, text.format(value) if value else "off", bool(value))


def _switches(settings: Settings, parts: Iterable[tuple[str, str]]) -> Iterator[Recipe]:
    """Yields the parts, (name, key) each, that the loss turns on and off by a key of its section."""
    loss = settings.train.loss
    for name, key in parts:
        if _has(loss, key):
            is_on = not getattr(loss, key)
            yield Recipe(name, settings.with_values({f"train.loss.{key}": is_on}), _on_off(is_on), is_on)


def _has(loss: LossSection, key: str) -> bool:
    return key in type(loss).model_fields


def _with_tower(settings: Settings, tower: FeaturesTowerSection | HistoryTowerSection) -> Settings:
    return _replace(settings, model={"query_tower": tower})


def _with_loss(settings: Settings, loss: LossSection) -> Settings:
    return _replace(settings, train={"loss": loss})


def _replace(settings: Settings, model: dict[str, Any] | None = None, train: dict[str, Any] | None = None) -> Settings:
    return dataclasses.replace(
        settings,
        model=settings.model.model_copy(update=model or {}),
        train=settings.train.model_copy(update=train or {}),
    )


def _on_off(is_on: bool) -> str:
    return "on" if is_on else "off"
