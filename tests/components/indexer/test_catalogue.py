"""The catalogue that goes with a model: the model's rows, titles and attributes, for any size."""

from __future__ import annotations

import json
import random

import pyarrow.parquet as pq
import pytest

from components.indexer import catalogue
from shortlist.config.features import FeatureType
from shortlist.config.table import Candidates
from shortlist.errors import DataError
from shortlist.serving.catalogue import Catalogue
from tests.components.indexer.flat import write_candidates

_TABLE = Candidates.model_validate(
    {
        "path": "items.csv",
        "title": "name",
        "features": {
            "name": "text",
            "blurb": "text",
            "genres": "multi_category",
            "year": "numeric",
            "brand": "category",
            "since": "timestamp",
        },
    }
)
_ROWS = [
    # Not in the order of the ids. By bytes: "B" < "a" < "é".
    {"candidate_id": "a", "name": "Ant", "genres": ["x", "y"], "year": 1999.0, "brand": "b", "since": 5},
    {"candidate_id": "é", "name": [b"\xff"], "genres": [], "year": 0.0, "brand": "", "since": -5},
    {"candidate_id": "B", "blurb": "long"},
]


def write(flat, described, *folders) -> None:
    with catalogue.written(str(flat), described, str(folders[0])) as found:
        catalogue.copy(found, [str(folder) for folder in folders])
    assert not found.path.exists()


def fields() -> catalogue.CatalogueFields:
    return catalogue.CatalogueFields.from_json(catalogue.CatalogueFields.of(_TABLE).to_json())


def test_the_rows_are_those_of_the_model_and_missing_values_are_told_from_zeros(tmp_path):
    flat = write_candidates(tmp_path / "flat", _ROWS, per_file=2)
    write(flat, fields(), tmp_path / "one", tmp_path / "two")
    one, two = (tmp_path / name / "assets.extra/candidates.parquet" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert pq.read_table(one).to_pydict() == {
        "row": [0, 1, 2],
        "id": ["B", "a", "é"],
        "title": [None, "Ant", "\ufffd"],
        "attribute_brand": [[], ["b"], [""]],
        "attribute_genres": [[], ["x", "y"], []],
        "attribute_since": [None, 5, -5],
        "attribute_year": [None, 1999.0, 0.0],
    }
    assert json.loads(pq.read_schema(one).metadata[b"shortlist"]) == {
        "format_version": 1,
        "title": "name",
        "attributes": {"brand": "category", "genres": "multi_category", "since": "timestamp", "year": "numeric"},
    }
    read = Catalogue.of_version(tmp_path / "one")
    assert dict(read) == {"B": None, "a": "Ant", "é": "\ufffd"}
    assert read.attributes["year"] is FeatureType.NUMERIC


def test_many_rows_are_sorted_group_by_group(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "_ROWS_PER_GROUP", 100)
    monkeypatch.setattr(catalogue, "_BATCH", 64)
    rows = [{"candidate_id": f"item-{number}", "name": f"Name {number}"} for number in range(1234)]
    random.Random(3).shuffle(rows)
    flat = write_candidates(tmp_path / "flat", rows)
    write(flat, fields(), tmp_path)
    table = pq.read_table(tmp_path / "assets.extra/candidates.parquet")
    assert table.column("row").to_pylist() == list(range(1234))
    ids = sorted(row["candidate_id"] for row in rows)
    assert table.column("id").to_pylist() == ids
    assert table.column("title").to_pylist() == [item.replace("item-", "Name ") for item in ids]
    assert pq.ParquetFile(tmp_path / "assets.extra/candidates.parquet").num_row_groups == 13


def test_a_title_may_be_an_attribute_or_a_number_and_there_may_be_none(tmp_path):
    kinds = {"title": FeatureType.MULTI_CATEGORY, "row": FeatureType.NUMERIC}
    flat = write_candidates(tmp_path / "flat", [{"candidate_id": "a", "title": ["two", "words"], "row": 7.0}])
    for title, expected in (("title", "two words"), ("row", "7"), (None, None)):
        write(flat, catalogue.CatalogueFields(title, kinds), tmp_path)
        read = Catalogue.of_version(tmp_path)
        assert (read["a"], read.has_titles) == (expected, title is not None)
        assert read.attribute("title").to_pylist() == [["two", "words"]]
        assert read.attribute("row").to_pylist() == [7.0]


def test_another_catalogue_than_the_models_is_refused(tmp_path):
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra/shortlist.json").write_text('{"corpus_size": 4}')
    flat = write_candidates(tmp_path / "flat", _ROWS)
    with pytest.raises(DataError, match="expected the 4 candidates of the model, got 3"):
        write(flat, fields(), tmp_path)
