"""Executor of the Refresh node: writes the model of today's catalogue and transfers its blessing."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components import shards
from components.indexer import verdict
from components.refresh import refresh
from shortlist import keys
from shortlist.config.gate import Check
from shortlist.errors import DataError
from shortlist.model_files import TOWERS_DIR, TRAINED_FILE
from shortlist.records import contents, properties


class Executor(base_executor.BaseExecutor):
    """Refreshes a blessed model; for another one it records the reasons and succeeds."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the model and its blessing.

        Raises:
          DataError: Too large a fraction of the catalogue is new to the model.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        trained = artifact_utils.get_single_instance(input_dict["trained_model"])
        upstream = artifact_utils.get_single_instance(input_dict["model_blessing"])
        model = artifact_utils.get_single_instance(output_dict["model"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        reasons = verdict.objections(upstream, trained) or _obstacles(trained, exec_properties["features"])
        if reasons:
            verdict.give(blessing, model, properties.NOT_BLESSED, reasons)
            return
        metadata = _metadata(trained.uri)
        catalogue = refresh.embed(
            os.path.join(trained.uri, TOWERS_DIR),
            shards.list_files(artifact_utils.get_split_uri(input_dict["candidates"], keys.SPLIT_ALL)),
        )
        counts = catalogue.counts(int(metadata["corpus_size"]))
        warnings = _check_new(counts, Check.model_validate_json(exec_properties[properties.GATE]))
        if counts["new"] and not metadata["config"]["data"]["candidate_features"]:
            warnings.append(
                f"the model has no candidate features, so that its {counts['new']:,} new candidates score alike"
            )
        refresh.write(catalogue, path_utils.serving_model_dir(model.uri), metadata)
        record = {**counts, "refresh_of": trained.id}
        model.set_string_custom_property(properties.REFRESH, json.dumps(record, sort_keys=True))
        if trained.has_custom_property(properties.REFIT):
            # The Indexer records in the served model whether its metrics are those of another model.
            model.set_string_custom_property(properties.REFIT, trained.get_string_custom_property(properties.REFIT))
        blessing.set_string_custom_property(properties.WARNINGS, json.dumps(warnings))
        verdict.give(blessing, model, properties.OK, [])


def dump_features(features: Mapping[str, Any]) -> str:
    """Returns the result of `features.of_model`, the features of candidates, for the exec property."""
    return json.dumps(features, sort_keys=True)


def _obstacles(trained: types.Artifact, features: str) -> list[str]:
    """Returns the reason for which a model cannot embed today's catalogue; empty if it can."""
    again = "`shortlist run` trains one that can"
    damage = None
    if trained.has_custom_property(properties.MANIFEST):
        damage = contents.damage(trained.uri, trained.get_string_custom_property(properties.MANIFEST))
    if damage is not None:
        return [f"the model's files are damaged: {damage} in {trained.uri}; {again}"]
    if not refresh.can_refresh(os.path.join(trained.uri, TOWERS_DIR)):
        return [f"an older version of Shortlist trained the model, which cannot embed another catalogue; {again}"]
    model_features = _metadata(trained.uri)["config"]["data"]["candidate_features"]
    if dump_features(model_features) != features:
        return [
            f"data.candidates.features differ from those of the model: {sorted(json.loads(features))}, the model's "
            f"are {sorted(model_features)}, or their types differ; {again}"
        ]
    return []


def _check_new(counts: Mapping[str, int], gate: Check) -> list[str]:
    """Returns warnings of the check `data.gate.new_candidates`.

    Raises:
      DataError: The fraction exceeds the threshold, and the action is `error`.
    """
    share = counts["new"] / counts["candidates"]
    if gate.action == "ignore" or share <= gate.threshold:
        return []
    finding = (
        f"{share:.1%} of the catalogue, {counts['new']:,} candidates, are new to the model, which knows them by their "
        f"features alone; data.gate.new_candidates allows {gate.threshold:.0%}"
    )
    if gate.action == "error":
        raise DataError(f"the data does not pass the gate: {finding}; `shortlist run` trains a model that knows them")
    return [finding]


def _metadata(model_uri: str) -> dict[str, Any]:
    with fileio.open(os.path.join(path_utils.serving_model_path(model_uri), TRAINED_FILE), "r") as file:
        return dict(json.load(file))
