from __future__ import annotations

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline import schemas
from shortlist.config.table import Candidates, Interactions, Queries, Weight
from shortlist.errors import ConfigError
from shortlist.tables.spec import table_spec

MINIMAL = 'feature { name: "query_id" type: BYTES }  # whose\n'
INTERACTIONS = Interactions(path="x.csv")
WEIGHTED = Interactions(path="x.csv", weight=Weight(column="kind", values={"view": 1}))


def names(text):
    return [feature.name for feature in text_format.Parse(text, schema_pb2.Schema()).feature]


@pytest.mark.parametrize(
    ("spec", "added"),
    [
        (table_spec("interactions", INTERACTIONS, "seconds"), []),
        (table_spec("interactions", INTERACTIONS, "milliseconds"), ["timestamp_nanos"]),
        (table_spec("interactions", WEIGHTED, "iso8601"), ["timestamp_nanos", "weight"]),
        (table_spec("candidates", Candidates(path="x.csv")), []),
        (table_spec("queries", Queries(path="x.csv")), []),
    ],
)
def test_columns_that_reading_adds_are_added_where_missing(spec, added):
    text = schemas.with_own_columns(MINIMAL, spec)
    assert text.startswith(MINIMAL)
    assert names(text) == ["query_id", *added, "source_path", "source_row"]
    for feature in text_format.Parse(text, schema_pb2.Schema()).feature[1:]:
        assert feature.presence.min_fraction == 1.0
        assert (feature.value_count.min, feature.value_count.max) == (1, 1)
    assert schemas.with_own_columns(text, spec) == text


def test_columns_in_the_users_schema_stay():
    own = MINIMAL + 'feature { name: "source_row" type: INT int_domain { max: 9 } }'
    text = schemas.with_own_columns(own, table_spec("interactions", INTERACTIONS, "seconds"))
    assert names(text) == ["query_id", "source_row", "source_path"]


def test_another_content_stands_at_another_path(tmp_path):
    spec = table_spec("interactions", INTERACTIONS, "seconds")
    source = tmp_path / "interactions.pbtxt"
    source.write_text(MINIMAL)
    staged = schemas.stage(spec, tmp_path, tmp_path / "staged")
    assert staged.read_text() == schemas.with_own_columns(MINIMAL, spec)
    assert schemas.stage(spec, tmp_path, tmp_path / "staged") == staged
    source.write_text(MINIMAL.replace("whose", "mine"))
    assert schemas.stage(spec, tmp_path, tmp_path / "staged") != staged
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("content", [b"feature { nome: 'x' }", b"\xff\xfe"])
def test_no_schema_is_refused(tmp_path, content):
    (tmp_path / "interactions.pbtxt").write_bytes(content)
    with pytest.raises(ConfigError, match=r"interactions\.pbtxt: expected a TensorFlow Metadata schema as text, got"):
        schemas.stage(table_spec("interactions", INTERACTIONS, "seconds"), tmp_path, tmp_path)
