from __future__ import annotations

import dataclasses
import datetime
import json

import pytest

from shortlist.config.features import Feature
from shortlist.config.table import Candidates, Interactions, Queries, Weight
from shortlist.tables.spec import ColumnSpec, TableSpec, table_spec
from tests.shortlist.tables.tables import INTERACTIONS


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
    spec = table_spec("interactions", Interactions(path="x.csv", timestamp=None))
    assert [c.name for c in spec.columns] == ["query_id", "candidate_id"]


def test_features_keep_type_column_and_delimiter():
    feature = Feature(type="multi_category", column="Genre list", delimiter=", ")
    table = Candidates(path="x.parquet", features={"genres": feature, "tags": Feature(type="multi_category")})
    spec = table_spec("candidates", table)
    assert spec.column("genres") == ColumnSpec(
        "genres", "Genre list", "multi_category", "data.candidates.features.genres.column", ", "
    )
    assert spec.column("tags").delimiter == "|"


@pytest.mark.parametrize(
    ("name", "format", "expected"),
    [
        ("a.csv", None, "csv"),
        ("A.CSV.GZ", None, "csv"),
        ("log/a.jsonl", None, "jsonl"),
        ("a.ndjson.gz", None, "jsonl"),
        ("a.json", None, "json"),
        ("a.json.gz", "jsonl", "jsonl"),
        ("u.data", None, "csv"),
        ("ml.inter.gz", None, "csv"),
        ("a.xlsx", None, "xlsx"),
        ("day=1/part-0.snappy.parquet", None, "parquet"),
        ("a.txt", "csv", "csv"),
        ("a.csv", "parquet", "parquet"),
        ("a.tsv", None, "csv"),
        ("a.xml", None, None),
        ("a.gz", None, None),
    ],
)
def test_format(name, format, expected):
    assert table_spec("queries", Queries(path="logs", format=format)).format_of(name) == expected


def test_times_with_parts_have_a_second_column():
    table = INTERACTIONS.model_copy(update={"earliest": datetime.date(1970, 1, 3)})
    spec = table_spec("interactions", table, "milliseconds")
    time = ColumnSpec(
        "timestamp", "time", "order", "data.interactions.timestamp", unit="milliseconds", earliest=2 * 86_400
    )
    assert spec.column("timestamp") == time
    assert spec.column("timestamp_nanos") == dataclasses.replace(time, name="timestamp_nanos", type="subsecond")
    assert [c.name for c in table_spec("interactions", table, "seconds").columns].count("timestamp_nanos") == 0


def test_weight_filter_and_duplicates():
    weight = Weight(column="event", values={"view": 1.0, "purchase": 10.0})
    table = INTERACTIONS.model_copy(update={"weight": weight, "filter": "rating >= 4"})
    spec = table_spec("interactions", table)
    assert spec.column("weight") == ColumnSpec(
        "weight", "event", "weight", "data.interactions.weight.column", weights={"view": 1.0, "purchase": 10.0}
    )
    assert spec.filter == "rating >= 4"
    assert table_spec("candidates", Candidates(path="x.csv", duplicates="last")).duplicates == "last"


@pytest.mark.parametrize(
    "spec",
    [
        table_spec("interactions", INTERACTIONS),
        table_spec(
            "interactions",
            INTERACTIONS.model_copy(
                update={"weight": Weight(column="event", values={"b": 0.1, "ä": 2.0}), "filter": "x != 'ü'"}
            ),
            "iso8601",
        ),
        table_spec("queries", Queries(path="x", duplicates="first")),
    ],
)
def test_json_round_trip_is_canonical(spec):
    assert TableSpec.from_json(spec.to_json()) == spec
    assert json.dumps(json.loads(spec.to_json()), sort_keys=True, separators=(",", ":")) == spec.to_json()
