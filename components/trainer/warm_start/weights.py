"""Weights of a model by name, with the vocabularies of its tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.trainer.bundle import ModelBundle
from components.trainer.features import FeatureEncoder
from components.trainer.portable import tower_weights
from components.trainer.warm_start import tables
from shortlist import keys

CANDIDATE_IDS, QUERY_IDS = "candidates", "queries"


@dataclasses.dataclass(frozen=True)
class Weight:
    """One weight of the towers."""

    name: str
    """Path of the weight from the model, equal for models with the same settings."""
    variable: tf.Variable
    vocabulary: str | None = None
    """Key of the vocabulary that its rows follow."""
    is_feature: bool = False
    """Whether it belongs to a feature: a config can have more features than the source, or others."""
    is_query_time: bool = False


@dataclasses.dataclass(frozen=True)
class ModelWeights:
    """All weights of a model's towers, in the order of `portable.tower_weights`."""

    weights: Sequence[Weight]
    vocabularies: Mapping[str, Sequence[bytes]]
    """The tokens of a table's rows by the key of the vocabulary."""

    @classmethod
    def of(cls, bundle: ModelBundle) -> ModelWeights:
        """Returns the weights of a model, which keep their values."""
        model, details = bundle.model, _Details()
        candidates, queries = model.candidate_tower, model.query_tower
        if candidates.ids is not None:
            ids = bundle.corpus.ids[bundle.corpus.counts > 0]
            details.add(candidates.ids, CANDIDATE_IDS, [bytes(candidate_id) for candidate_id in ids])
        if queries.ids is not None:
            ids = bundle.window_transform.vocabulary_by_name(keys.QUERY_ID)
            details.add(queries.ids, QUERY_IDS, ids[: queries.ids.shape[0]])
        details.add_features("candidates", candidates.encoder, bundle.candidate_transform)
        details.add_features("queries", queries.encoder, bundle.window_transform)
        for encoder in queries.log_encoders:
            details.add_features("interactions", encoder, bundle.window_transform, keys.CONTEXT_FEATURE)
        if queries.query_time is not None:
            details.of_variable[id(queries.query_time.table)] = {"is_query_time": True}
        names = _names({"query_tower": queries, "candidate_tower": candidates})
        weights = [
            Weight(names[id(variable)], variable, **details.of_variable.get(id(variable), {}))
            for variable in tower_weights(model)
        ]
        return cls(weights, details.vocabularies)


class _Details:
    """Fields of `Weight` by variable, and vocabularies by key."""

    def __init__(self) -> None:
        self.of_variable: dict[int, dict[str, Any]] = {}
        self.vocabularies: dict[str, Sequence[bytes]] = {}

    def add(self, variable: tf.Variable, key: str, tokens: Sequence[bytes], is_feature: bool = False) -> None:
        self.of_variable[id(variable)] = {"vocabulary": key, "is_feature": is_feature}
        self.vocabularies[key] = tokens

    def add_features(
        self, table: str, encoder: FeatureEncoder | None, transform: tft.TFTransformOutput, prefix: str = ""
    ) -> None:
        if encoder is None:
            return
        for name, variable in encoder.tables_by_feature.items():
            if any(variable is of_vocabulary for of_vocabulary in encoder.tables):
                self.add(variable, f"{table}.{name}", transform.vocabulary_by_name(prefix + name), is_feature=True)
            else:
                self.of_variable[id(variable)] = {"is_feature": True}


def _names(roots: Mapping[str, tf.Module]) -> dict[int, str]:
    """Returns the path of each variable, by its id; the shortest path, and the first one among these.

    Keras numbers its layers through the whole process, so that their own names differ between two models.
    """
    found: dict[int, str] = {}
    waiting: list[tuple[str, Any]] = list(roots.items())
    visited = {id(root) for root in roots.values()}
    for path, owner in waiting:
        if isinstance(owner, tf.Variable):
            found[id(owner)] = path
            continue
        for name, child in sorted(tf.train.TrackableView.children(owner).items()):
            if id(child) not in visited:
                visited.add(id(child))
                # The list grows during the iteration, which is a search in breadth.
                waiting.append((f"{path}/{name}", child))
    return found


def initial_values(
    own: ModelWeights,
    source: Mapping[str, np.ndarray],
    vocabularies: Mapping[str, Sequence[bytes]],
    spans: tuple[tuple[int, int], tuple[int, int]],
    random_ids: bool,
) -> dict[str, np.ndarray]:
    """Returns the values from which the weights of a model start, by name.

    Args:
      own: The weights of the new model.
      source: The source's weights by name.
      vocabularies: The source's vocabularies.
      spans: First and last time of the train targets, of the source and of the new model.
      random_ids: Whether ids that are new have the random rows of a new model. By default their rows are zero: they
        are embedded by their features alone.

    Raises:
      KeyError: The source lacks a weight that belongs to no feature.
      ValueError: A weight that belongs to no feature has another shape.
    """
    values = {}
    for weight in own.weights:
        new, found = weight.variable.numpy(), source.get(weight.name)
        if weight.is_feature and not _is_alike(weight, found, vocabularies):
            values[weight.name] = np.zeros_like(new)
        elif found is None:
            raise KeyError(weight.name)
        elif weight.vocabulary is not None:
            rows = new if random_ids and not weight.is_feature else np.zeros_like(new)
            tokens = own.vocabularies[weight.vocabulary]
            values[weight.name] = tables.remap(found, vocabularies[weight.vocabulary], tokens, rows)
        elif found.shape != new.shape:
            raise ValueError(f"{weight.name} has shape {list(found.shape)}, not {list(new.shape)}")
        elif weight.is_query_time:
            values[weight.name] = tables.resample(found, *spans)
        else:
            values[weight.name] = found
    return values


def _is_alike(weight: Weight, found: np.ndarray | None, vocabularies: Mapping[str, Sequence[bytes]]) -> bool:
    """Returns whether the source has the feature of a weight, and as the same type."""
    if found is None:
        return False
    if weight.vocabulary is not None:
        return weight.vocabulary in vocabularies
    return bool(found.shape == weight.variable.shape)
