"""Verdicts of the Indexer and later nodes on a model: blessed or not, with reasons."""

from __future__ import annotations

import json

from tfx import types
from tfx.components.evaluator import constants
from tfx.components.util import model_utils

from shortlist.records import properties


def reasons_of(artifact: types.Artifact) -> list[str]:
    """Returns the reasons of a verdict; may be empty."""
    if not artifact.has_custom_property(properties.REASONS):
        return []
    return list(json.loads(artifact.get_string_custom_property(properties.REASONS)))


def objections(blessing: types.Artifact, model: types.Artifact) -> list[str]:
    """Returns the reasons for which `blessing` does not let `model` pass; empty if it does.

    TFX does not check that the blessing is of this model, so a miswired pipeline could push an unblessed one.
    """
    if not model_utils.is_model_blessed(blessing):
        return reasons_of(blessing) or ["the model was not blessed"]
    key = constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY
    blessed_uri = model.uri
    if blessing.has_custom_property(key):
        blessed_uri = blessing.get_string_custom_property(key)
    if blessed_uri.rstrip("/") != model.uri.rstrip("/"):
        return [f"the blessing is of {blessed_uri}, not of {model.uri}"]
    return []


def give(blessing: types.Artifact, model: types.Artifact, status: str, reasons: list[str]) -> None:
    """Writes a verdict on `model`: blessed if and only if there are no reasons against it."""
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, int(not reasons))
    blessing.set_string_custom_property(properties.STATUS, status)
    blessing.set_string_custom_property(properties.REASONS, json.dumps(reasons))
    blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
