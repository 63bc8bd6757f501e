"""TFMA's extractors with three more stages: a row count, features of the target, and slices beside a baseline."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants

from components.evaluator import targets
from shortlist.process import progress

_STAGE = "KeySlicesByModel"
_TARGETS = "AddTargetFeatures"
_COUNT = "CountRows"


def custom_extractors(
    eval_shared_model: Any, eval_config: tfma.EvalConfig, tensor_adapter_config: Any = None
) -> list[tfma.extractors.Extractor]:
    """Returns the extractors; TFX's Evaluator calls this function of its `module_path`.

    Only the candidate has a preprocessing function, `slices`; an older model may have none. If only one of several
    models has such outputs, TFMA stores them without the model's name, but later looks them up by that name. An extra
    stage adds the name. Within `targets.use_catalogue`, another stage adds the features of the target.

    Args:
      eval_shared_model: One model, or a list with the baseline.
      eval_config: The EvalConfig, with the names of the models.
      tensor_adapter_config: Passed through to TFMA.
    """
    extractors = tfma.default_extractors(
        eval_shared_model=eval_shared_model,
        eval_config=eval_config,
        tensor_adapter_config=tensor_adapter_config,
    )
    extractors = [*extractors, tfma.extractors.Extractor(stage_name=_COUNT, ptransform=beam.Map(_count_rows))]
    extra = []
    catalogue = targets.current_catalogue()
    if catalogue is not None:
        transform = targets.AddTargetFeatures(catalogue)
        extra.append(tfma.extractors.Extractor(stage_name=_TARGETS, ptransform=transform))
    if len(eval_config.model_specs) > 1:
        stage = _KeyByModel(_slicing_model(eval_config))
        extra.append(tfma.extractors.Extractor(stage_name=_STAGE, ptransform=stage))
    names = [extractor.stage_name for extractor in extractors]
    # Slice keys are extracted from these features, so that the stages come before.
    index = names.index(tfma.extractors.SLICE_KEY_EXTRACTOR_STAGE_NAME)
    return [*extractors[:index], *extra, *extractors[index:]]


def _count_rows(extracts: dict[str, Any]) -> dict[str, Any]:
    """Adds rows to the progress; the input of the extracts is one row or a batch."""
    rows = extracts.get(constants.INPUT_KEY)
    number = 1 if rows is None or isinstance(rows, bytes) else len(rows)
    progress.count(number, "test rows")
    return extracts


def _slicing_model(eval_config: tfma.EvalConfig) -> str:
    return next(spec.name for spec in eval_config.model_specs if spec.preprocessing_function_names)


class _KeyByModel(beam.PTransform):
    """Stores the transformed features of a row under the model's name."""

    def __init__(self, model_name: str) -> None:
        super().__init__()
        self._model_name = model_name

    def expand(self, extracts: beam.PCollection) -> beam.PCollection:
        return extracts | beam.Map(_key_by_model, self._model_name)


def _key_by_model(extracts: dict[str, Any], model_name: str) -> dict[str, Any]:
    features = extracts[constants.TRANSFORMED_FEATURES_KEY]
    if model_name in features:
        return extracts
    return {**extracts, constants.TRANSFORMED_FEATURES_KEY: {model_name: features}}
