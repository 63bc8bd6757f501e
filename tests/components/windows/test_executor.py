"""The only module here that imports TFX (25 s): the executor on small artifacts, and the node's spec."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, channel, standard_artifacts

from components.trainer.executor import extra_inputs
from components.windows.component import Windows
from components.windows.executor import Executor
from components.windows.from_config import windows_config_from
from components.windows.schema import SCHEMA_FILE
from components.windows.windows_config import split_fingerprint
from shortlist.config.data import Data
from shortlist.config.gate import Check, Gate
from shortlist.config.split import Temporal
from shortlist.config.table import Candidates, Interactions
from shortlist.errors import DataError
from shortlist.records import properties
from tests.components.windows import flat
from tests.components.windows.test_beam import catalogue, random_log

DATA = Data(
    interactions=Interactions(path="log.csv"),
    candidates=Candidates(path="items.csv"),
    schemas="schemas",
    gate=Gate(unknown_candidates=Check(threshold=0.0)),
)
QUERIES_SCHEMA = """
  feature { name: "query_id" type: BYTES presence { min_fraction: 1.0 } value_count { min: 1 max: 1 } }
  feature { name: "age" type: FLOAT presence { min_fraction: 1.0 } shape { dim { size: 1 } } }
  feature { name: "tags" type: BYTES }
  feature { name: "source_path" type: BYTES }
  feature { name: "source_row" type: INT }
"""


def examples(folder: pathlib.Path, records: list[bytes]) -> standard_artifacts.Examples:
    flat.write(folder, records)
    artifact = standard_artifacts.Examples()
    artifact.uri = str(folder)
    artifact.split_names = artifact_utils.encode_split_names(["all"])
    return artifact


def inputs(folder: pathlib.Path, with_queries: bool) -> dict[str, list[Any]]:
    tables: dict[str, list[Any]] = {
        "interactions": [examples(folder / "log", [flat.interaction(*row) for row in random_log(seed=7)])],
        "candidates": [examples(folder / "items", catalogue())],
    }
    if with_queries:
        users = [
            flat.example(query_id=[b"q%d" % row], age=[float(row)], tags=[b"x"], source_path=[b"u"], source_row=[row])
            for row in range(12)
        ]
        schema = standard_artifacts.Schema()
        schema.uri = str(folder / "queries_schema")
        os.makedirs(schema.uri)
        pathlib.Path(schema.uri, "schema.pbtxt").write_text(QUERIES_SCHEMA)
        tables |= {"queries": [examples(folder / "users", users)], "queries_schema": [schema]}
    return tables


def do(folder: pathlib.Path, input_dict: dict[str, list[Any]], data: Data) -> tuple[Any, Any]:
    windows, schema = standard_artifacts.Examples(), standard_artifacts.Schema()
    windows.uri, schema.uri = str(folder / "windows"), str(folder / "schema")
    for artifact in (windows, schema):
        os.makedirs(artifact.uri)
    executor = Executor(base_beam_executor.BaseBeamExecutor.Context(tmp_dir=str(folder / "tmp"), unique_id="1"))
    executor.Do(
        input_dict,
        {"examples": [windows], "schema": [schema]},
        {"config": windows_config_from(data).model_dump_json(), "interactions_sha256": "abc", "code_sha256": "-"},
    )
    return windows, schema


def test_windows_artifact_and_schema(tmp_path: pathlib.Path):
    windows, schema = do(tmp_path, inputs(tmp_path, with_queries=True), DATA)

    assert artifact_utils.decode_split_names(windows.split_names) == ["train", "eval", "test"]
    assert windows.get_string_custom_property("split_fingerprint") == split_fingerprint(
        windows_config_from(DATA), "abc"
    )
    stats = json.loads(windows.get_string_custom_property("stats"))
    assert stats == json.loads(pathlib.Path(windows.uri, "stats.json").read_text())
    assert stats["queries_total"] == 12
    assert json.loads(windows.get_string_custom_property("warnings")) == []
    assert stats["rows"]["test"] == 12
    assert sorted(os.listdir(windows.uri)) == ["Split-eval", "Split-test", "Split-train", "stats.json"]

    parsed = text_format.Parse(pathlib.Path(schema.uri, SCHEMA_FILE).read_text(), schema_pb2.Schema())
    spec = schema_utils.schema_as_feature_spec(parsed).feature_spec
    assert spec == {
        "query_id": tf.io.VarLenFeature(tf.string),
        "history_ids": tf.io.VarLenFeature(tf.string),
        "history_times": tf.io.VarLenFeature(tf.int64),
        "target_ids": tf.io.VarLenFeature(tf.string),
        "target_times": tf.io.VarLenFeature(tf.int64),
        "target_weights": tf.io.VarLenFeature(tf.float32),
        "seen_ids": tf.io.VarLenFeature(tf.string),
        "age": tf.io.VarLenFeature(tf.float32),
        "tags": tf.io.VarLenFeature(tf.string),
    }
    records = [record.SerializeToString() for record in flat.read(pathlib.Path(windows.uri), "train")]
    dense = {name: tf.sparse.to_dense(value) for name, value in tf.io.parse_example(records, spec).items()}
    assert dense["query_id"].shape == (12, 1)
    # q11's age is 11; ids are in the order of bytes, so q11 is the third after q0, q1 and q10.
    assert dense["query_id"].numpy()[3, 0] == b"q11"
    assert dense["age"].numpy()[3, 0] == 11.0


def test_cuts_are_properties_of_the_artifact_and_reach_the_trainer(tmp_path: pathlib.Path):
    data = DATA.model_copy(update={"split": Temporal(eval_from=12, test_from=16)})
    input_dict = inputs(tmp_path, with_queries=False)
    input_dict["interactions"][0].set_string_custom_property("timestamp_unit", "order")
    windows, _ = do(tmp_path, input_dict, data)
    # The log has 20 seconds.
    assert [windows.get_string_custom_property(name) for name in properties.CUTS] == ["12", "16", "19"]
    catalogue_and_graph = {"candidates": input_dict["candidates"], "candidate_transform_graph": [windows]}
    entries = extra_inputs({"examples": [windows], **catalogue_and_graph}, "/root/Trainer/model/7")
    assert entries["test_from"] == 16
    assert entries["checkpoint_root"] == "/root/Trainer/checkpoints"


def test_refused_data_raises_after_the_pipeline_and_names_the_cause(tmp_path: pathlib.Path):
    input_dict = inputs(tmp_path, with_queries=False)
    input_dict["candidates"] = [examples(tmp_path / "fewer", catalogue(3))]
    with pytest.raises(DataError, match=r"rows \(\d+\.\d%\) have a candidate id that is not in the catalogue"):
        do(tmp_path, input_dict, DATA)


def test_warnings_are_properties_of_the_artifact(tmp_path: pathlib.Path):
    input_dict = inputs(tmp_path, with_queries=False)
    input_dict["candidates"] = [examples(tmp_path / "fewer", catalogue(12))]
    told = Gate(
        unknown_candidates=Check(threshold=0.0, action="warn"),
        tied_targets=Check(threshold=0.0, action="warn"),
    )
    windows, _ = do(tmp_path, input_dict, DATA.model_copy(update={"gate": told}))
    unknown, tied = json.loads(windows.get_string_custom_property("warnings"))
    assert "have a candidate id that is not in the catalogue" in unknown
    assert "share their time" in tied


def test_the_node_takes_optional_channels():
    table = channel.Channel(type=standard_artifacts.Examples)
    node = Windows(interactions=table, candidates=table, data=DATA, interactions_sha256="abc")
    assert set(node.outputs) == {"examples", "schema"}
    assert set(node.inputs) == {"interactions", "candidates"}
    with pytest.raises(ValueError, match="queries_schema"):
        Windows(interactions=channel, candidates=channel, data=DATA, interactions_sha256="abc", queries=channel)
