"""The config's own recipe, and its variants with one part switched each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import pydantic

from components.trainer.settings import Settings
from shortlist.config.losses import InBatchLoss, LossSection
from shortlist.config.model import FeaturesTowerSection, HistoryTowerSection
from shortlist.errors import BadInputError

GroupName = Literal["own", "in-batch"]

IN_BATCH_TARGETS = 1024
HARD_NEGATIVES = 100
UNIFORM_NEGATIVES = 1024
IN_BATCH_NEGATIVES = 1024
DROPOUT = 0.2
TEMPERATURE = 0.1


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Settings of a training, with the name of the part in which they differ from the reference's."""

    name: str
    """Name of the switched part."""
    settings: Settings
    switched: str = ""
    """This recipe's setting of the part, for the table."""
    has_part: bool = False
    """Whether this recipe has the part and the reference lacks it."""


@dataclasses.dataclass(frozen=True)
class Group:
    """A reference, and the recipes that differ from it in one part each."""

    name: GroupName
    title: str
    """Description of the reference."""
    reference: Recipe
    variants: tuple[Recipe, ...]

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """The reference and its variants."""
        return (self.reference, *self.variants)


def groups(settings: Settings, only: tuple[str, ...] = (), ties_have_order: bool = False) -> list[Group]:
    """Returns the references and their variants.

    Parts of the model, of the data and of the config's own loss are switched in the config's own recipe. Parts of the
    in-batch loss that it lacks, for example with a softmax over the corpus, are switched in a second reference: the
    same recipe with loss in_batch.

    Args:
      settings: The config's own settings.
      only: Names of the parts to switch; all parts if empty.
      ties_have_order: Whether the log orders interactions within one second. Then `shuffle_ties` is not switched.

    Raises:
      BadInputError: The recipe has no such part.
    """
    loss = settings.train.loss
    own = [*_of_model(settings), *_of_loss(settings, ties_have_order), *_of_sampling(settings)]
    all_groups = [Group("own", "the config's own recipe", _reference(settings), tuple(own))]
    batch = settings.with_values({"train.batch_size": IN_BATCH_TARGETS})
    in_batch = _with_loss(batch, InBatchLoss(temperature=loss.temperature))
    switched = {recipe.name for recipe in own}
    others = tuple(recipe for recipe in _of_sampling(in_batch) if recipe.name not in switched)
    if others:
        title = f"the config's own recipe with loss in_batch, {IN_BATCH_TARGETS:,} targets per batch"
        all_groups.append(Group("in-batch", title, _reference(in_batch), others))
    return _select(all_groups, only)


# Names of parts in version 0.1.
_RENAMED = {"newcomers": "cold start fraction"}


def _select(all_groups: list[Group], only: tuple[str, ...]) -> list[Group]:
    known = [recipe.name for group in all_groups for recipe in group.variants]
    only = tuple(_RENAMED.get(name, name) for name in only)
    unknown = sorted(set(only) - set(known))
    if unknown:
        raise BadInputError(
            f"--only {unknown[0]}: expected a part of this recipe, which has {', '.join(known)}; see docs/ablations.md"
        )
    if not only:
        return all_groups
    selected = [
        dataclasses.replace(group, variants=tuple(recipe for recipe in group.variants if recipe.name in only))
        for group in all_groups
    ]
    return [group for group in selected if group.variants]


def _reference(settings: Settings) -> Recipe:
    return Recipe("reference", settings)


def _of_model(settings: Settings) -> Iterator[Recipe]:
    model = settings.model
    tower = model.query_tower
    if isinstance(tower, HistoryTowerSection):
        alone = _with_tower(settings, FeaturesTowerSection(dropout=tower.dropout))
        yield Recipe("history", alone, "the query's id and features")
        for name, key in (("position bias", "position_bias"), ("time intervals", "time_intervals")):
            switched_on = not getattr(tower, key)
            changed = settings.with_values({f"model.query_tower.{key}": switched_on})
            yield Recipe(name, changed, _on_off(switched_on), switched_on)
    elif settings.split_kind != "random":
        yield Recipe("history", _with_tower(settings, HistoryTowerSection()), "a history tower", has_part=True)
    if (settings.query_features or settings.candidate_features) and model.candidate_tower.use_candidate_id:
        bare = dataclasses.replace(settings, query_features={}, candidate_features={})
        yield Recipe("features", bare, "ids alone")
    if settings.history_features:
        items_alone = tower.model_copy(update={"history_features": ()})
        yield Recipe("history features", _with_tower(settings, items_alone), "the items alone")
    if settings.context_features:
        unknown = settings.interactions.model_copy(update={"context": {}})
        yield Recipe("context features", dataclasses.replace(settings, interactions=unknown), "not read")
    dropout = 0.0 if tower.dropout else DROPOUT
    changed = settings.with_values({"model.query_tower.dropout": dropout})
    yield Recipe("dropout", changed, f"{dropout:g}", not tower.dropout)
    if isinstance(tower, HistoryTowerSection) and tower.cold_start_fraction:
        yield Recipe(
            "cold start fraction", settings.with_values({"model.query_tower.cold_start_fraction": 0.0}), "none"
        )
    if settings.candidate_features and model.candidate_tower.id_dropout:
        without = settings.with_values({"model.candidate_tower.id_dropout": 0.0})
        yield Recipe("id dropout", without, "0")
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
    # The loss masks unseen candidates only if they have features.
    if settings.candidate_features:
        masks.append(("unseen candidates masked", "mask_unseen_candidates"))
    yield from _switches(settings, masks)
    # Without a history the order has no effect, and `basket_mates` shuffles baskets anyway.
    if settings.history_tower is not None and not train.basket_mates and not ties_have_order:
        changed = settings.with_values({"train.shuffle_ties": not train.shuffle_ties})
        yield Recipe("ties shuffled", changed, _on_off(not train.shuffle_ties), not train.shuffle_ties)
    if train.basket_mates:
        yield Recipe("basket mates", settings.with_values({"train.basket_mates": 0.0}), "off")


def _of_sampling(settings: Settings) -> Iterator[Recipe]:
    """Yields the parts of negative sampling that the settings' loss has."""
    yield from _switches(settings, [("logQ", "logq"), ("accidental hits removed", "remove_accidental_hits")])
    loss = settings.train.loss
    for name, key, number, none, text in (
        ("hard negatives", "num_hard_negatives", HARD_NEGATIVES, None, "the hardest {}"),
        ("uniform negatives", "uniform_negatives", UNIFORM_NEGATIVES, 0, "{:,} more"),
        ("in-batch negatives", "in_batch_negatives", IN_BATCH_NEGATIVES, 0, "{:,} more"),
    ):
        if _has(loss, key):
            value = none if getattr(loss, key) else number
            try:
                switched = type(loss).model_validate({**loss.model_dump(), key: value})
            except pydantic.ValidationError:
                # The loss needs the part, for example its only negatives.
                continue
            yield Recipe(name, _with_loss(settings, switched), text.format(value) if value else "off", bool(value))


def _switches(settings: Settings, parts: Iterable[tuple[str, str]]) -> Iterator[Recipe]:
    """Yields the parts that a boolean key of the loss section switches; `parts` are pairs of (name, key)."""
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
