"""Formats of exported vectors."""

import json
import uuid

import numpy as np
import pyarrow.parquet as pq

from components.bulk import exports
from components.bulk.vectors import Vectors

VECTORS = Vectors([b"a", "é".encode()], np.array([[0.1, -2.0], [3.0, 1e-8]], np.float32))


def read(folder, name):
    return (folder / name).read_text(encoding="utf-8")


def test_parquet_has_lists_of_fixed_size(tmp_path):
    assert exports.write_vectors(VECTORS, "parquet", str(tmp_path)) == ["embeddings.parquet"]
    table = pq.read_table(tmp_path / "embeddings.parquet")
    assert table.column("id").to_pylist() == ["a", "é"]
    assert table.schema.field("embedding").type.list_size == 2
    np.testing.assert_array_equal(table.column("embedding").to_pylist(), VECTORS.embeddings)


def test_npy_has_an_id_per_row(tmp_path):
    assert exports.write_vectors(VECTORS, "npy", str(tmp_path)) == ["embeddings.npy", "ids.txt"]
    np.testing.assert_array_equal(np.load(tmp_path / "embeddings.npy"), VECTORS.embeddings)
    assert read(tmp_path, "ids.txt") == "a\né\n"


def test_ids_with_line_breaks_are_json(tmp_path):
    vectors = Vectors([b"a\nb", b"c"], VECTORS.embeddings)
    assert exports.write_vectors(vectors, "npy", str(tmp_path)) == ["embeddings.npy", "ids.json"]
    assert json.loads(read(tmp_path, "ids.json")) == ["a\nb", "c"]


def test_a_line_for_qdrant_is_the_body_of_an_upsert(tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "_QDRANT_BATCH", 1)
    assert exports.write_vectors(VECTORS, "qdrant", str(tmp_path)) == ["qdrant.jsonl"]
    first, second = map(json.loads, read(tmp_path, "qdrant.jsonl").splitlines())
    [point] = first["points"]
    assert point["payload"] == {"candidate_id": "a"}
    # The text is short, and the number is the same float32.
    assert point["vector"] == [0.1, -2.0]
    assert np.float32(second["points"][0]["vector"][1]) == np.float32(1e-8)
    assert uuid.UUID(point["id"]).version == 5
    # A later export gives the candidate the same point.
    assert point["id"] == exports.point_id("a") != exports.point_id("é")


def test_milvus_reads_a_row_per_line(tmp_path):
    assert exports.write_vectors(VECTORS, "milvus", str(tmp_path)) == ["milvus.jsonl"]
    rows = [json.loads(line) for line in read(tmp_path, "milvus.jsonl").splitlines()]
    assert [row["id"] for row in rows] == ["a", "é"]
    np.testing.assert_array_equal(np.array([row["vector"] for row in rows], np.float32), VECTORS.embeddings)
