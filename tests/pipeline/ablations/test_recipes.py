import dataclasses
from typing import Literal, Union

import pytest

from pipeline.ablations import recipes
from shortlist.config.losses import InBatchLoss, LossSection
from shortlist.config.train import Train
from shortlist.errors import BadInputError
from tests.components.trainer import tiny_dataset as worlds


def _changed(group):
    """Returns, by part, which settings differ from the reference's."""
    own = _flat(group.reference.settings.to_json())
    return {
        recipe.name: {
            name: value for name, value in _flat(recipe.settings.to_json()).items() if own.get(name, "") != value
        }
        for recipe in group.variants
    }


def _flat(value, prefix=""):
    if not isinstance(value, dict) or not value:
        return {prefix: value}
    return {
        name: leaf for key, item in value.items() for name, leaf in _flat(item, f"{prefix}.{key}".lstrip(".")).items()
    }


def test_each_part_of_a_corpus_recipe_is_switched_alone():
    own, in_batch = recipes.groups(worlds.settings())
    assert (own.name, in_batch.name) == ("own", "in-batch")
    changed = _changed(own)
    assert list(changed) == [
        *("history", "position bias", "time intervals", "features", "dropout", "cold start fraction", "id dropout"),
        *("temperature", "other targets masked", "unseen candidates masked", "ties shuffled"),
    ]
    assert changed["cold start fraction"] == {"model.query_tower.cold_start_fraction": 0.0}
    assert changed["id dropout"] == {"model.candidate_tower.id_dropout": 0.0}
    assert changed["history"]["model.query_tower.kind"] == "features"
    assert changed["position bias"] == {"model.query_tower.position_bias": False}
    assert changed["time intervals"] == {"model.query_tower.time_intervals": False}
    assert changed["ties shuffled"] == {"train.shuffle_ties": True}
    assert changed["features"] == {"data.query_features": {}, "data.candidate_features": {}}
    assert changed["dropout"] == {"model.query_tower.dropout": 0.0}
    assert changed["temperature"] == {"train.loss.temperature": 0.1, "model.normalize": True}
    assert changed["other targets masked"] == {"train.loss.mask_other_targets": False}
    assert [recipe.name for recipe in own.variants if recipe.has_part] == ["temperature", "ties shuffled"]


def test_an_order_within_a_second_is_not_shuffled():
    [own, _] = recipes.groups(worlds.settings(), ties_have_order=True)
    assert "ties shuffled" not in _changed(own)


def test_parts_of_the_in_batch_loss_are_switched_in_an_in_batch_recipe():
    [_, in_batch] = recipes.groups(worlds.settings())
    assert in_batch.reference.settings.train.loss == InBatchLoss()
    assert in_batch.reference.settings.train.batch_size == recipes.IN_BATCH_TARGETS
    assert _changed(in_batch) == {
        "logQ": {"train.loss.logq": False},
        "accidental hits removed": {"train.loss.remove_accidental_hits": False},
        "hard negatives": {"train.loss.num_hard_negatives": 100},
        "uniform negatives": {"train.loss.uniform_negatives": 1024},
    }


def test_the_in_batch_reference_keeps_the_config_s_temperature():
    [_, in_batch] = recipes.groups(worlds.settings(train={"loss": {"kind": "corpus", "temperature": 0.5}}))
    assert in_batch.reference.settings.train.loss == InBatchLoss(temperature=0.5)


def test_an_in_batch_config_is_its_own_reference():
    loss = {"kind": "in_batch", "uniform_negatives": 5, "temperature": 0.5, "logq": False}
    settings = worlds.settings(train={"loss": loss, "batch_size": 7}, model={"query_tower": {"kind": "features"}})
    [own] = recipes.groups(settings)
    assert own.reference.settings == settings
    changed = _changed(own)
    assert changed["uniform negatives"] == {"train.loss.uniform_negatives": 0}
    assert changed["logQ"] == {"train.loss.logq": True}
    assert changed["temperature"] == {"train.loss.temperature": 1.0}
    assert changed["history"]["model.query_tower.kind"] == "history"
    assert {recipe.name for recipe in own.variants if recipe.has_part} == {
        *("history", "dropout", "logQ", "hard negatives")
    }


def test_a_sampled_config_keeps_some_negatives():
    loss = {"kind": "sampled", "temperature": 0.5}
    [own, in_batch] = recipes.groups(worlds.settings(train={"loss": loss}))
    changed = _changed(own)
    assert changed["uniform negatives"] == {"train.loss.uniform_negatives": 0}
    assert changed["in-batch negatives"] == {"train.loss.in_batch_negatives": 0}
    assert changed["hard negatives"] == {"train.loss.num_hard_negatives": 100}
    assert {"logQ", "other targets masked", "unseen candidates masked"} <= set(changed)
    assert list(_changed(in_batch)) == ["accidental hits removed"]
    # 99 negatives, all of them uniform: none can be switched off, and there are no 100 hardest.
    [own, _] = recipes.groups(
        worlds.settings(train={"loss": {**loss, "uniform_negatives": 99, "in_batch_negatives": 0}})
    )
    assert not {"uniform negatives", "hard negatives"} & set(_changed(own))
    assert _changed(own)["in-batch negatives"] == {"train.loss.in_batch_negatives": 1024}


class _FurtherLoss(LossSection):
    kind: Literal["further"] = "further"
    temperature: float = 0.5
    logq: bool = True
    mask_other_targets: bool = True


class _Train(Train):
    loss: Union[_FurtherLoss, InBatchLoss] = _FurtherLoss()  # type: ignore[assignment]


def test_a_further_loss_is_asked_for_its_parts():
    own, in_batch = recipes.groups(dataclasses.replace(worlds.settings(), train=_Train()))
    changed = _changed(own)
    assert changed["other targets masked"] == {"train.loss.mask_other_targets": False}
    assert changed["logQ"] == {"train.loss.logq": False}
    # The reference in in_batch has the parts that are left, each of them once.
    assert in_batch.reference.settings.train.loss == InBatchLoss(temperature=0.5)
    assert list(_changed(in_batch)) == ["accidental hits removed", "hard negatives", "uniform negatives"]


def test_parts_that_a_recipe_lacks_are_not_switched():
    bare = dataclasses.replace(worlds.settings(), query_features={}, candidate_features={})
    assert not {"features", "id dropout", "unseen candidates masked"} & set(_changed(recipes.groups(bare)[0]))
    without_ids = worlds.settings(model={"candidate_tower": {"use_candidate_id": False}})
    assert "features" not in _changed(recipes.groups(without_ids)[0])


def test_parts_of_some_recipes_are_switched_only_there():
    settings = worlds.settings(
        split="leave_last_basket", model={"query_time": {"knots": 3}}, train={"basket_mates": 0.5}
    )
    changed = _changed(recipes.groups(settings)[0])
    assert changed["query time"] == {"model.query_time": None}
    assert changed["basket mates"] == {"train.basket_mates": 0.0}


def test_parts_can_be_named():
    [group] = recipes.groups(worlds.settings(), ("logQ",))
    assert [recipe.name for recipe in group.recipes] == ["reference", "logQ"]
    with pytest.raises(BadInputError, match="--only logq: expected a part of this recipe, which has history, "):
        recipes.groups(worlds.settings(), ("logq",))
