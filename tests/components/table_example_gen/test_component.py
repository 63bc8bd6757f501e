from __future__ import annotations

import glob
import gzip
import json
import os

import pyarrow as pa
import pytest
import tensorflow as tf
from pyarrow import parquet
from tfx import v1 as tfx
from tfx.types import artifact_utils

from components.table_example_gen import executor
from components.table_example_gen.component import table_example_gen
from shortlist import fingerprints
from shortlist.config import types
from shortlist.errors import DataError

FEATURES = {"rating": types.Feature(type="numeric"), "tags": types.Feature(type="multi_category")}
ROWS = [("007", "10", 5, 3.5, "a|b"), ("8", "1e3", 4, None, ""), ("8", "10", 4, 1.0, "b")]
COLUMNS = ("query_id", "candidate_id", "timestamp", "rating", "tags")


def write_csv(path, rows=ROWS):
    lines = [",".join(COLUMNS), *(",".join("" if v is None else str(v) for v in row) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((gzip.compress if path.suffix == ".gz" else bytes)("\n".join(lines).encode()))


def write_parquet(path, rows=ROWS):
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))), path)


def ingest(node, tmp_path):
    """Runs the node's executor as the launcher does and returns the Examples artifact."""
    artifact = tfx.types.standard_artifacts.Examples()
    artifact.uri = str(tmp_path / "examples")
    context = executor.Executor.Context(
        beam_pipeline_args=["--direct_running_mode=in_memory"], tmp_dir=str(tmp_path / "tmp"), unique_id="1"
    )
    executor.Executor(context).Do({}, {"examples": [artifact]}, dict(node.exec_properties))
    return artifact


def read(artifact):
    """Returns the examples as plain dicts, in file order."""
    files = glob.glob(os.path.join(artifact.uri, "Split-all", "*.gz"))
    found = []
    for record in tf.data.TFRecordDataset(sorted(files), compression_type="GZIP").as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        found.append({n: list(getattr(f, f.WhichOneof("kind")).value) for n, f in features.items()})
    return sorted(found, key=lambda example: (example["source_path"], example["source_row"]))


def gen(path, root, kind="interactions", content="c", code="k"):
    return table_example_gen(kind, types.Interactions(path=path, features=FEATURES), root, content, code)


@pytest.mark.parametrize("name", ["log/x.csv", "log/x.csv.gz", "log/x.parquet"])
def test_examples(tmp_path, name):
    write = write_parquet if name.endswith("parquet") else write_csv
    write(tmp_path / name)
    artifact = ingest(gen(name, tmp_path), tmp_path)
    assert artifact_utils.decode_split_names(artifact.split_names) == ["all"]
    path = name.encode()
    assert read(artifact) == [
        {
            "query_id": [b"007"],
            "candidate_id": [b"10"],
            "timestamp": [5],
            "rating": [3.5],
            "tags": [b"a", b"b"],
            "source_path": [path],
            "source_row": [0],
        },
        {
            "query_id": [b"8"],
            "candidate_id": [b"1e3"],
            "timestamp": [4],
            "rating": [],
            "tags": [],
            "source_path": [path],
            "source_row": [1],
        },
        {
            "query_id": [b"8"],
            "candidate_id": [b"10"],
            "timestamp": [4],
            "rating": [1.0],
            "tags": [b"b"],
            "source_path": [path],
            "source_row": [2],
        },
    ]


def test_a_pattern_reads_all_files_and_keeps_paths_relative_to_the_root(tmp_path):
    for day in ("1", "2"):
        write_csv(tmp_path / f"log/day={day}/x.csv")
    examples = read(ingest(gen("log/day=*/x.csv", tmp_path), tmp_path))
    assert [(e["source_path"], e["source_row"]) for e in examples] == [
        ([f"log/day={day}/x.csv".encode()], [row]) for day in (1, 2) for row in range(3)
    ]


def test_an_absolute_path_has_its_own_folder_for_a_root(tmp_path):
    write_csv(tmp_path / "far/log/x.csv")
    examples = read(ingest(gen(str(tmp_path / "far/*/x.csv"), tmp_path / "data"), tmp_path))
    assert {e["source_path"][0] for e in examples} == {b"log/x.csv"}


def test_a_bad_row_far_down_is_a_data_error(tmp_path):
    write_csv(tmp_path / "x.csv", [*ROWS] * 1000 + [("u", "", 1, 1.0, "")])
    with pytest.raises(
        DataError, match=r"x.csv, row 3000 \(from 0\), line 3002, column 'candidate_id': expected an id"
    ):
        ingest(gen("x.csv", tmp_path), tmp_path)


def test_no_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="SHORTLIST_DATA_DIR"):
        ingest(gen("x.csv", tmp_path), tmp_path)


def test_node():
    node = gen("log/x.csv", "/data")
    assert node.id == "InteractionsGen"
    assert node.exec_properties["input_base"] == "/data"
    assert json.loads(node.exec_properties["input_config"])["splits"] == [{"name": "all", "pattern": "log/x.csv"}]
    ids = [gen("x.csv", "/d", kind).id for kind in ("interactions", "candidates", "queries")]
    assert ids == ["InteractionsGen", "CandidatesGen", "QueriesGen"]


def test_content_code_and_meaning_are_part_of_the_cache_key():
    nodes = [
        gen("x.csv", "/d"),
        gen("x.csv", "/d", content="other"),
        gen("x.csv", "/d", code="other"),
        table_example_gen("interactions", types.Interactions(path="x.csv"), "/d", "c", "k"),
    ]
    assert len({node.exec_properties["custom_config"] for node in nodes}) == len(nodes)
    assert gen("x.csv", "/d").exec_properties == nodes[0].exec_properties


def test_code_is_fingerprinted_unless_given():
    node = table_example_gen("interactions", types.Interactions(path="x.csv"), "/d", "c")
    custom_config = json.loads(node.exec_properties["custom_config"])["custom_config"]["value"]
    assert custom_config["code_sha256"] == fingerprints.code_sha256(executor.__name__)
