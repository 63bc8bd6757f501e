"""Runs TFX's Evaluator and writes down what it found and why the model was blessed or not."""

from __future__ import annotations

import json
import os
from typing import Any

from tfx import types
from tfx.components.evaluator import constants, executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import path_utils

from components.evaluator import targets, verdict
from shortlist import keys
from shortlist.config.evaluate import ColdStart
from shortlist.records import properties

CANDIDATES = "candidates"
"""Input: the flat catalogue, where rows are to be sliced by what it says of their targets."""
TARGET_SLICES = "target_slices"
"""Parameter, str: JSON list of these slices."""


class Executor(executor.Executor):
    """The standard executor, which takes whatever stands in for a baseline as one, without the empty ones."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates, blesses or not, and sets the blessing's `reasons` and the evaluation's properties."""
        inputs = dict(input_dict)
        baselines = inputs.pop(standard_component_specs.BASELINE_MODEL_KEY, [])
        real = [baseline for baseline in baselines if _is_real(baseline)]
        if real:
            inputs[standard_component_specs.BASELINE_MODEL_KEY] = real
        catalogue = None
        if candidates := inputs.pop(CANDIDATES, []):
            folder = artifact_utils.get_split_uri(candidates, keys.SPLIT_ALL)
            catalogue = targets.TargetCatalogue(folder, tuple(json.loads(exec_properties[TARGET_SLICES])))
        with targets.use_catalogue(catalogue):
            super().Do(inputs, output_dict, exec_properties)

        model = artifact_utils.get_single_instance(inputs[standard_component_specs.MODEL_KEY])
        evaluation = artifact_utils.get_single_instance(output_dict[standard_component_specs.EVALUATION_KEY])
        settings = ColdStart.model_validate_json(exec_properties[properties.COLD_START])
        verdict.add_cold_start(evaluation.uri, path_utils.serving_model_path(model.uri), settings)
        found = verdict.read_evaluation(evaluation.uri)
        evaluation.set_string_custom_property(properties.METRICS, json.dumps(found["overall"], sort_keys=True))
        evaluation.set_string_custom_property(properties.SLICES, json.dumps(found["slices"], sort_keys=True))
        evaluation.set_string_custom_property(
            properties.BASELINE_METRICS, json.dumps(found["baseline"], sort_keys=True)
        )
        validation = found["validation"]
        notes = [
            f"not compared with an earlier model: {_text(baseline, properties.REASON)}"
            for baseline in baselines
            if baseline not in real and baseline.has_custom_property(properties.REASON)
        ]
        notes += [
            f"the latest blessed model faced today's catalogue, too: {_text(baseline, properties.CATALOGUE_CHANGED)}"
            for baseline in real
            if baseline.has_custom_property(properties.CATALOGUE_CHANGED)
        ]
        blessing = artifact_utils.get_single_instance(output_dict[standard_component_specs.BLESSING_KEY])
        # No reason to refuse a model: beside those that are, they would be read as one.
        validation["reasons" if validation["blessed"] else "warnings"] += notes
        blessing.set_string_custom_property(properties.REASONS, json.dumps(validation["reasons"]))
        warnings = json.dumps(validation["warnings"], ensure_ascii=False)
        blessing.set_string_custom_property(properties.WARNINGS, warnings)
        if not validation["blessed"]:
            _refuse(blessing)


def _refuse(blessing: types.Artifact) -> None:
    """Takes back the blessing that TFX's executor gives by TFMA's thresholds alone."""
    given = os.path.join(blessing.uri, constants.BLESSED_FILE_NAME)
    if fileio.exists(given):
        fileio.rename(given, os.path.join(blessing.uri, constants.NOT_BLESSED_FILE_NAME))
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, constants.NOT_BLESSED_VALUE)


def _is_real(baseline: types.Artifact) -> bool:
    skipped = baseline.has_custom_property(properties.SKIPPED) and baseline.get_int_custom_property(properties.SKIPPED)
    return not skipped and fileio.exists(path_utils.serving_model_path(baseline.uri))


def _text(artifact: types.Artifact, name: str) -> str:
    return str(artifact.get_string_custom_property(name))
