"""Runs TFX's Evaluator, adds the cold-start gates, and records metrics and the reasons of the verdict."""

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
from shortlist.verdicts import EVALUATED, Gate, GateResult, Result, complete

CANDIDATES = "candidates"
"""Input: the flat catalogue, for slices by features of the target."""
TARGET_SLICES = "target_slices"
"""Parameter, str: JSON list of the slices by features of the target."""


class Executor(executor.Executor):
    """TFX's executor without skipped baselines, which it would evaluate as if they were models."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates the model, blesses it or not, and sets the properties of the evaluation and the blessing."""
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
        evaluated = verdict.read_evaluation(evaluation.uri)
        evaluation.set_string_custom_property(properties.METRICS, json.dumps(evaluated["overall"], sort_keys=True))
        evaluation.set_string_custom_property(properties.SLICES, json.dumps(evaluated["slices"], sort_keys=True))
        evaluation.set_string_custom_property(
            properties.BASELINE_METRICS, json.dumps(evaluated["baseline"], sort_keys=True)
        )
        validation = evaluated["validation"]
        gates = _with_baseline(validation["gates"], baselines, real)
        blessing = artifact_utils.get_single_instance(output_dict[standard_component_specs.BLESSING_KEY])
        results = json.dumps([gate.model_dump(mode="json") for gate in gates], ensure_ascii=False)
        blessing.set_string_custom_property(properties.GATES, results)
        # What was not judged is no reason to refuse a model.
        decisive = (Result.PASSED, Result.NOT_JUDGED) if validation["blessed"] else (Result.FAILED,)
        for name, of in ((properties.REASONS, decisive), (properties.WARNINGS, (Result.WARNED,))):
            sentences = [gate.reason for gate in gates if gate.result in of]
            blessing.set_string_custom_property(name, json.dumps(sentences, ensure_ascii=False))
        if not validation["blessed"]:
            _refuse(blessing)


def _with_baseline(
    gates: list[GateResult], baselines: list[types.Artifact], real: list[types.Artifact]
) -> list[GateResult]:
    """Returns one result per gate of the Evaluator, in order; that of the previous model says why it was not judged."""
    by_gate = {gate.gate: gate for gate in gates}
    previous = by_gate.get(Gate.PREVIOUS_MODEL)
    if not real:
        reasons = [text for baseline in baselines if (text := _text(baseline, properties.REASON))]
        sentence = "none yet"
        if reasons and reasons != [properties.NO_EARLIER_MODEL]:
            sentence = f"not judged: {'; '.join(reasons)}"
        by_gate[Gate.PREVIOUS_MODEL] = GateResult(gate=Gate.PREVIOUS_MODEL, result=Result.NOT_JUDGED, sentence=sentence)
    elif previous is not None:
        changes = [text for baseline in real if (text := _text(baseline, properties.CATALOGUE_CHANGED))]
        notes = [f"it ranked today's catalogue: {text}" for text in changes]
        notes += [text for baseline in real if (text := _text(baseline, properties.FEATURES_CHANGED))]
        sentence = "; ".join([previous.sentence, *notes])
        by_gate[Gate.PREVIOUS_MODEL] = previous.model_copy(update={"sentence": sentence})
    return [gate for gate in complete(by_gate.values(), "the model has no signature for it") if gate.gate in EVALUATED]


def _refuse(blessing: types.Artifact) -> None:
    """Revokes the blessing of TFX's executor, which knows only TFMA's thresholds and not the cold-start gates."""
    blessed = os.path.join(blessing.uri, constants.BLESSED_FILE_NAME)
    if fileio.exists(blessed):
        fileio.rename(blessed, os.path.join(blessing.uri, constants.NOT_BLESSED_FILE_NAME))
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, constants.NOT_BLESSED_VALUE)


def _is_real(baseline: types.Artifact) -> bool:
    skipped = baseline.has_custom_property(properties.SKIPPED) and baseline.get_int_custom_property(properties.SKIPPED)
    return not skipped and fileio.exists(path_utils.serving_model_path(baseline.uri))


def _text(artifact: types.Artifact, name: str) -> str:
    return str(artifact.get_string_custom_property(name)) if artifact.has_custom_property(name) else ""
