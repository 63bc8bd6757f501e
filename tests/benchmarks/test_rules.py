"""The benchmarks of rules: their figures by hand, and their tables."""

import numpy as np
import pytest

from benchmarks.index import attributes
from benchmarks.rules import run


def test_the_similarity_of_a_list_is_the_mean_of_its_pairs():
    # Cosines 0, 0.6 and 0.8.
    units = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], np.float32)
    assert run.pairs(units) == pytest.approx((0.0 + 0.6 + 0.8) / 3)
    # Of three pairs one has a common genre.
    assert run._shared(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]], np.float32)) == pytest.approx(1 / 3)


def test_attributes_keep_the_shares_that_they_are_named_after():
    values = attributes.attributes(np.random.default_rng(0).normal(size=(200_000, 2)).astype(np.float32))
    shares = {name: np.mean([line == ["yes"] for line in values[name]]) for name in values if name.startswith("in_")}
    assert list(shares) == ["in_0_5", "in_0_1", "in_0_01", "in_0_001"]
    assert list(map(float, shares.values())) == pytest.approx([0.5, 0.1, 0.01, 0.001], rel=0.3)


def test_results_are_tables_of_one_line_per_measurement(tmp_path):
    figures = {"recall": 0.99, "p50_us": 900, "cpu_p50_us": 1_234}
    records = [
        {"index": kind, "filter": "category, 50.0%", "candidates": 200, **figures} for kind in ("scann", "brute_force")
    ]
    assert "| category, 50.0% | 0.9900 | 900 | 1,234 | 0.9900 | 900 | 1,234 |" in attributes.table(records)
    record = {
        "diversity": 0.5,
        "hr_at_10": 0.25,
        "intra_list_similarity": 0.5,
        "common_genre": 0.4,
        "coverage_at_10": 0.1,
    }
    by_embedding = {"next_item_hr_at_10": 0.1, "common_genre_at_10": 0.5}
    similar = {"embeddings": by_embedding, "item_knn": by_embedding, "chance_of_a_common_genre": 0.3}
    text = run.document({"rows": 9, "candidates": 5, "diversity": [record], "similar": similar})
    assert "| 0.5 | 0.25 | 0.5 | 0.4 | 0.1 |" in text
    assert "| item kNN | 0.1 | 0.5 |" in text
