"""Vectors of titles, and the files that a feature of type vector reads."""

import numpy as np

from benchmarks import title_vectors
from shortlist.config.table import Candidates
from shortlist.tables.input_table import InputTable


def test_titles_with_common_words_are_near_and_those_without_words_are_zero():
    titles = ["Alien", "Alien Resurrection", "Toy Story", "Toy Story 2", "...", ""]
    vectors = title_vectors.vectors_of(titles, 3)
    cosines = vectors @ vectors.T
    assert cosines[0, 1] > 0.5 > abs(cosines[0, 2])
    assert cosines[2, 3] > 0.5
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 1, 0, 0], atol=1e-5)


def test_a_small_catalogue_has_fewer_dimensions():
    vectors = title_vectors.vectors_of(["one two", "two three", "one"], 10)
    assert vectors.shape == (3, 10)
    assert not vectors[:, 2:].any()
    assert not title_vectors.vectors_of(["", "."], 4).any()
    assert not title_vectors.vectors_of(["one"], 4).any()


def test_the_files_are_those_that_a_feature_reads(tmp_path):
    title_vectors.write(tmp_path / "out", {"b": "Alien", "a": "Toy Story", "c": None}, 2)
    (tmp_path / "items.csv").write_text("candidate_id\na\nb\nc\n")
    feature = {"type": "vector", "dim": 2, "path": "out/vectors.npy", "ids": "out/ids.txt"}
    section = Candidates.model_validate({"path": "items.csv", "features": {"v": feature}})
    rows = {row["candidate_id"][0]: row["v"] for _, row in InputTable.of("candidates", section, tmp_path).rows()}
    vectors = np.load(tmp_path / "out" / "vectors.npy", allow_pickle=False)
    assert [rows[item] for item in "bac"] == vectors.tolist()
