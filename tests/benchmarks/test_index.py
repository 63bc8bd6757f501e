"""The index benchmark: its vectors, its filter and its tables."""

import json
import types

import numpy as np

from benchmarks.index import bars, data, run, table
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
    # The curve ends at the first point with a recall of 0.995; the other records are of the first with 0.99.
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


def test_finished_cells_are_those_of_todays_code(tmp_path, monkeypatch):
    path = tmp_path / "index.json"
    run.add(path, [{"engine": "hnswlib", "candidates": 100, "code_sha256": run.code_sha256("hnswlib")}])
    assert run.is_finished(path, "hnswlib", 100)
    assert not run.is_finished(path, "hnswlib", 200)
    assert not run.is_finished(path, "usearch", 100)
    monkeypatch.setattr(run, "code_sha256", lambda engine: "of other code")
    assert not run.is_finished(path, "hnswlib", 100)


def test_cells_with_a_bar_are_measured_before_the_peers():
    found = run.cells(["shortlist scann", "hnswlib", "scann binding"], [200, 100])
    assert found == [
        ("shortlist scann", 200),
        ("scann binding", 200),
        ("shortlist scann", 100),
        ("scann binding", 100),
        ("hnswlib", 200),
        ("hnswlib", 100),
    ]


def test_a_cell_that_is_running_at_the_end_is_left_for_another_time(tmp_path, monkeypatch, capsys):
    now = [1_000.0]
    monkeypatch.setattr(run, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(run.data, "write", lambda folder, size: size)
    monkeypatch.setattr(run, "_write_documents", lambda results: (results / "index.md").write_text(""))
    given = {}

    def measured(engine, size, seconds):
        # A cell takes 45 of the 60 seconds; the second one is stopped.
        given[engine] = seconds
        now[0] += min(45.0, seconds)
        return [{"engine": engine, "candidates": size}] if seconds > 45 else None

    monkeypatch.setattr(run, "run_engine", measured)
    arguments = ["--results", str(tmp_path), "--sizes", "100", "--minutes", "1"]
    assert run.main([*arguments, "--engines", "hnswlib", "faiss flat", "usearch"]) == 0
    assert given == {"hnswlib": 60.0, "faiss flat": 15.0}
    assert "Left for another time: faiss flat at 100; usearch at 100" in capsys.readouterr().err
    assert [it["engine"] for it in json.loads((tmp_path / "index.json").read_text())["records"]] == ["hnswlib"]


def test_a_change_of_the_index_measures_shortlist_again_and_no_peer(monkeypatch):
    before = {engine: run.code_sha256(engine) for engine in ("shortlist scann", "scann binding", "hnswlib")}
    monkeypatch.setattr(run.fingerprints, "code_sha256", lambda *modules: "changed")
    after = {engine: run.code_sha256(engine) for engine in before}
    assert [engine for engine in before if before[engine] != after[engine]] == ["shortlist scann"]


def test_ratios_compare_with_the_binding_at_the_same_recall():
    def record(engine, p50_us, recall, batch=1, exclusions=0, **more):
        common = {"candidates": 1_000, "dim": 64, "qps": batch * 1e6 / p50_us, "params": {"recall": recall}}
        return {
            "engine": engine,
            "p50_us": p50_us,
            "cpu_us": p50_us / batch,
            "recall": recall,
            "batch": batch,
            "exclusions": exclusions,
            **common,
            **more,
        }

    records = [
        record("shortlist scann", 200.0, 0.993, loaded_mb=1.0, build_seconds=7.0, peak_mb=900.0),
        record("shortlist scann", 10_000.0, 0.993, batch=256),
        record("shortlist scann, 3 searchers", 300.0, 0.992),
        record("empty signature", 100.0, 0.0),
        record("scann binding", 30.0, 0.98),
        # The chosen point of the table; the next one has Shortlist's recall.
        record("scann binding", 40.0, 0.991),
        record("scann binding", 50.0, 0.995),
        record("scann binding", 8_000.0, 0.991, batch=256),
        record("shortlist exact layer", 440.0, 1.0),
        record("tfrs brute force", 400.0, 1.0),
    ]
    document = bars.document(records)
    assert "at the same recall (p50) | 4.00 | 4 | 2 |" in document
    assert "less the time of an empty signature | 2.00 |" in document
    assert "over the binding's | 0.80 |" in document
    # 1 MB of 1,000 vectors of 64 floats of 4 bytes.
    assert f"its vectors' bytes | {2**20 / 256_000:.2f} |" in document
    assert "less that of one | -0.0010 |" in document
    assert "exact, `serving_default`, over TFRS (batches of 1, p50) |  | 1.15" in document
    assert "exact, the search alone, over TFRS (batches of 1, p50) | 1.10 | 1.15" in document
