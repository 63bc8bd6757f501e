"""TFMA's extractors, and ours: the target's features, the slices where there is a baseline, and a count of rows."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants

from components.evaluator import targets
from shortlist.process import progress

_STAGE = "KeySlicesByModel"
_DESCRIBED = "AddTargetFeatures"
_COUNTED = "CountRows"


def custom_extractors(
    eval_shared_model: Any, eval_config: tfma.EvalConfig, tensor_adapter_config: Any = None
) -> list[tfma.extractors.Extractor]:
    """Returns the extractors that TFX's Evaluator asks its `module_path` for.

    The candidate alone has a preprocessing function, `slices`: a row is what the candidate says it is, and an older
    model may have none. Where one model of several has outputs, TFMA stores them without the model's name and
    then looks for them by it. An extra stage puts the name there. Another one, within `targets.described_by`, says
    what is known of the target.

    Args:
      eval_shared_model: One model, or a list with the baseline.
      eval_config: Names the models.
      tensor_adapter_config: As TFX's executor gives it.
    """
    extractors = tfma.default_extractors(
        eval_shared_model=eval_shared_model,
        eval_config=eval_config,
        tensor_adapter_config=tensor_adapter_config,
    )
    extractors = [*extractors, tfma.extractors.Extractor(stage_name=_COUNTED, ptransform=beam.Map(_counted))]
    ours = []
    catalogue = targets.current_catalogue()
    if catalogue is not None:
        transform = targets.AddTargetFeatures(catalogue)
        ours.append(tfma.extractors.Extractor(stage_name=_DESCRIBED, ptransform=transform))
    if len(eval_config.model_specs) > 1:
        ours.append(tfma.extractors.Extractor(stage_name=_STAGE, ptransform=_KeyByModel(_sliced_by(eval_config))))
    names = [extractor.stage_name for extractor in extractors]
    place = names.index(tfma.extractors.SLICE_KEY_EXTRACTOR_STAGE_NAME)
    return [*extractors[:place], *ours, *extractors[place:]]


def _counted(extracts: dict[str, Any]) -> dict[str, Any]:
    """Says how many rows more were evaluated; a value of the extracts may be one row's or a batch's."""
    rows = extracts.get(constants.INPUT_KEY)
    progress.count(1 if rows is None or isinstance(rows, bytes) else len(rows), "test rows")
    return extracts


def _sliced_by(eval_config: tfma.EvalConfig) -> str:
    return next(spec.name for spec in eval_config.model_specs if spec.preprocessing_function_names)


class _KeyByModel(beam.PTransform):
    """Stores the transformed features of a row under the model's name."""

    def __init__(self, model_name: str) -> None:
        super().__init__()
        self._model_name = model_name

    def expand(self, extracts: beam.PCollection) -> beam.PCollection:
        return extracts | beam.Map(_keyed, self._model_name)


def _keyed(extracts: dict[str, Any], model_name: str) -> dict[str, Any]:
    features = extracts[constants.TRANSFORMED_FEATURES_KEY]
    if model_name in features:
        return extracts
    return {**extracts, constants.TRANSFORMED_FEATURES_KEY: {model_name: features}}
