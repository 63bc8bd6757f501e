from __future__ import annotations

import json

import pytest

from components.table_example_gen.spec import ColumnSpec, TableSpec, table_spec
from shortlist.config import types
from shortlist.errors import ConfigError
from tests.components.table_example_gen.tables import INTERACTIONS


def test_interactions():
    spec = table_spec("interactions", INTERACTIONS)
    assert [(c.name, c.column, c.type) for c in spec.columns] == [
        ("query_id", "user", "id"),
        ("candidate_id", "item", "id"),
        ("timestamp", "time", "order"),
        ("rating", "rating", "numeric"),
        ("device", "device", "category"),
    ]


def test_no_timestamp():
    spec = table_spec("interactions", types.Interactions(path="x.csv", timestamp=None))
    assert [c.name for c in spec.columns] == ["query_id", "candidate_id"]


def test_features_keep_type_column_and_delimiter():
    feature = types.Feature(type="multi_category", column="Genre list", delimiter=", ")
    table = types.Candidates(
        path="x.parquet", features={"genres": feature, "tags": types.Feature(type="multi_category")}
    )
    spec = table_spec("candidates", table)
    assert spec.column("genres") == ColumnSpec(
        "genres", "Genre list", "multi_category", "data.candidates.features.genres.column", ", "
    )
    assert spec.column("tags").delimiter == "|"


@pytest.mark.parametrize(
    ("path", "format", "expected"),
    [
        ("a.csv", None, "csv"),
        ("A.CSV.GZ", None, "csv"),
        ("day=*/part-*.parquet", None, "parquet"),
        ("a.txt", "csv", "csv"),
        ("a.csv", "parquet", "parquet"),
    ],
)
def test_format(path, format, expected):
    assert table_spec("queries", types.Queries(path=path, format=format)).format == expected


def test_format_unknown():
    with pytest.raises(ConfigError, match=r"data.queries.path: expected .*got 'a.tsv'; .*data.queries.format"):
        table_spec("queries", types.Queries(path="a.tsv"))


def test_json_round_trip_is_canonical():
    spec = table_spec("interactions", INTERACTIONS)
    assert TableSpec.from_json(spec.to_json()) == spec
    assert json.dumps(json.loads(spec.to_json()), sort_keys=True, separators=(",", ":")) == spec.to_json()
