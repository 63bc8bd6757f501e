"""The Refit node's executor: trains a blessed model a second time and transfers its blessing."""

from __future__ import annotations

import json
from typing import Any

from tfx import types
from tfx.components.trainer import fn_args_utils
from tfx.types import artifact_utils, standard_component_specs

from components.indexer import verdict
from components.refit import refit_fn
from components.trainer import executor
from shortlist.records import properties

MEASURED_MODEL = "measured_model"
MODEL_BLESSING = "model_blessing"


class Executor(executor.Executor):
    """Trains if the measured model was blessed; otherwise records the reasons and succeeds."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the model, and the measured model's blessing for it."""
        measured = artifact_utils.get_single_instance(input_dict[MEASURED_MODEL])
        upstream = artifact_utils.get_single_instance(input_dict[MODEL_BLESSING])
        model = artifact_utils.get_single_instance(output_dict[standard_component_specs.MODEL_KEY])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        objections = verdict.objections(upstream, measured)
        if objections:
            verdict.give(blessing, model, properties.NOT_BLESSED, objections)
            return
        super().Do(input_dict, output_dict, exec_properties)
        trained = executor.read_trained(model.uri)["train"]
        refit = {
            "steps": trained["steps"],
            "targets": trained["targets"],
            "seconds": trained["seconds"],
            "metrics_of": measured.id,
        }
        model.set_string_custom_property(properties.REFIT, json.dumps(refit, sort_keys=True))
        verdict.give(blessing, model, properties.OK, [])

    def _GetFnArgs(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> fn_args_utils.FnArgs:
        fn_args = super()._GetFnArgs(input_dict, output_dict, exec_properties)
        measured = executor.read_trained(artifact_utils.get_single_uri(input_dict[MEASURED_MODEL]))
        # The recipe comes from the trained model, because a Tuner may have overridden the config.
        fn_args.custom_config = {
            **fn_args.custom_config,
            **measured["config"],
            refit_fn.MEASURED: measured["train"],
        }
        return fn_args
