"""The index benchmark: its vectors, its filter and its tables."""

import json

import numpy as np

from benchmarks.index import data, run, table
from benchmarks.index.engine import measure
from benchmarks.index.filtered import Filtered


class Exact(Filtered):
    """Exact search in NumPy."""

    name = "exact"

    def build(self, candidates):
        self.candidates = candidates

    def points(self):
        return [{"worst": True}, {"worst": False}, {"worst": None}]

    def find(self, queries, width, params):
        sign = 1 if params["worst"] else -1
        return np.argsort(sign * (queries @ self.candidates.T), axis=1)[:, :width]


def test_exact_search_has_a_recall_of_1_with_and_without_exclusions(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.index.engine._SECONDS", 0.0)
    vectors = data.write(tmp_path, 400)
    np.testing.assert_allclose(np.linalg.norm(vectors.candidates, axis=1), 1.0, rtol=1e-5)
    measure(Exact(), vectors, tmp_path / "records.json")
    records = json.loads((tmp_path / "records.json").read_text())
    # The curve ends at the first point with enough recall; the other records are of that point.
    shape = [(it["params"]["worst"], it["batch"], it["exclusions"]) for it in records]
    assert shape == [(True, 1, 0), (False, 1, 0), (False, 64, 0), (False, 256, 0), (False, 1, 200)]
    assert records[0]["recall"] < 0.5
    assert [it["recall"] for it in records[1:]] == [1.0] * 4
    assert table.chosen(records) == records[1]
    assert "| exact | 1.0000 |" in table.document(records)


def test_records_replace_those_of_the_same_engine_and_size(tmp_path):
    path = tmp_path / "index.json"
    records = [{"engine": "hnswlib", "candidates": size, "recall": 0.5} for size in (200, 100)]
    run.add(path, records)
    run.add(path, [{"engine": "shortlist scann", "candidates": 100, "recall": 0.7}])
    run.add(path, [{"engine": "hnswlib", "candidates": 100, "recall": 0.6}])
    found = [(it["candidates"], it["engine"], it["recall"]) for it in json.loads(path.read_text())["records"]]
    assert found == [(100, "shortlist scann", 0.7), (100, "hnswlib", 0.6), (200, "hnswlib", 0.5)]
