"""The Tuner's executor: TFX's own, with the catalogue as input and a search that resumes after a kill."""

from __future__ import annotations

import json
import os
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.components.trainer import fn_args_utils
from tfx.components.tuner import executor
from tfx.components.util import udf_utils
from tfx.types import artifact_utils, standard_component_specs

from components.trainer import checkpoints, run_fn
from components.trainer.executor import extra_inputs
from components.trainer.settings import Settings
from components.tuner.tuner_fn import TUNE
from shortlist.model_files import TRIALS_FILE
from shortlist.records import properties


class Executor(executor.Executor):
    """Runs the search and writes the outputs of `tfx.components.Tuner` and `trials.json`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs one search in a folder that outlives the execution.

        TFX's own `Do` has no input for the catalogue, and its folder is lost if the execution is killed.
        """
        [best] = output_dict[standard_component_specs.BEST_HYPERPARAMETERS_KEY]
        fn_args = fn_args_utils.get_common_fn_args(input_dict, exec_properties)
        fn_args.custom_config = {**fn_args.custom_config, **extra_inputs(input_dict, best.uri)}
        settings = Settings.from_json(fn_args.custom_config)
        fn_args.working_dir = run_fn.checkpoints_of(fn_args, settings, fn_args.custom_config[TUNE])
        tuner_fn = udf_utils.get_fn(exec_properties, standard_component_specs.TUNER_FN_KEY)
        result = tuner_fn(fn_args)
        result.tuner.search(**result.fit_kwargs)
        executor.write_best_hyperparameters(result.tuner, output_dict)
        self._write_trials(result.tuner.results(), output_dict)
        checkpoints.remove(fn_args.working_dir)

    def _write_trials(self, results: dict[str, Any], output_dict: dict[str, list[types.Artifact]]) -> None:
        [best] = output_dict[standard_component_specs.BEST_HYPERPARAMETERS_KEY]
        trials = output_dict[standard_component_specs.TUNER_RESULTS_KEY]
        with tf.io.gfile.GFile(os.path.join(artifact_utils.get_single_uri(trials), TRIALS_FILE), "w") as file:
            file.write(json.dumps(results, indent=1))
        winner = next(trial for trial in results["trials"] if trial["number"] == results["best"])
        # Properties for `lineage`, which does not read the file.
        best.set_string_custom_property(properties.TUNED_VALUES, json.dumps(winner["values"]))
        best.set_string_custom_property(properties.OBJECTIVE, results["objective"])
        best.set_float_custom_property(properties.SCORE, winner["score"])
        best.set_int_custom_property(properties.TRIAL, winner["number"])
        best.set_int_custom_property(properties.TRIALS, len(results["trials"]))
