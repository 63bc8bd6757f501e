"""`schema infer --update`: features that a config has gained are added to its schemas."""

from __future__ import annotations

import pathlib

import pytest

from shortlist.config.load import parse_config
from shortlist.errors import ConfigError, DataError
from shortlist.infer.update import update_schemas
from tests.shortlist.project import Project

_FILE = '# Ours.\nfeature { name: "candidate_id" type: BYTES }\nfeature { name: "title" type: BYTES }\n'


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path).schema("candidates", _FILE)
    made.check()
    made.write(items="item_id,title,brand,price,tags\ni0,Zero,a,1,x|y\ni1,One,,2,x\ni2,Two,b,3,\ni3,Three,b,4,x\n")
    features = {"title": "text", "brand": "category", "price": "numeric", "tags": "multi_category"}
    return made.set(candidates={"features": features})


def update(project):
    return update_schemas(parse_config(project.raw, "x.yaml"), project.data)


def test_a_new_feature_is_added_with_how_often_it_has_a_value(project):
    added = update(project)
    assert [(line.table, line.feature, line.type, line.present) for line in added] == [
        ("candidates", "brand", "BYTES", 0.75),
        ("candidates", "price", "FLOAT", 1.0),
        ("candidates", "tags", "BYTES", 0.75),
    ]
    text = pathlib.Path(added[0].path).read_text()
    # What was there stays as it was, comments too.
    assert text.startswith(_FILE)
    # A margin of 5%, since only the first rows were read.
    assert 'name: "brand"\n  type: BYTES\n  presence { min_fraction: 0.70 min_count: 1 }\n}' in text
    assert "min_fraction: 1.00 min_count: 1 }\n  value_count { min: 1 max: 1 }" in text
    assert project.check().warnings == ()


def test_a_second_time_changes_nothing(project):
    update(project)
    path = project.root / "schemas" / "candidates.pbtxt"
    before = path.read_bytes()
    assert update(project) == []
    assert path.read_bytes() == before


def test_a_missing_schema_is_made(project):
    project.schema("candidates", None)
    assert [line.feature for line in update(project)] == ["candidate_id", "title", "brand", "price", "tags"]
    assert project.check().warnings == ()


def test_a_column_that_the_file_lacks_changes_nothing(project):
    project.set(candidates={"features": {"colour": "category"}})
    with pytest.raises(DataError, match="colour"):
        update(project)
    assert (project.root / "schemas" / "candidates.pbtxt").read_text() == _FILE


def test_what_is_no_schema_stays(project):
    project.schema("candidates", "no schema")
    with pytest.raises(ConfigError, match="expected a TensorFlow Metadata schema"):
        update(project)
    assert (project.root / "schemas" / "candidates.pbtxt").read_text() == "no schema"
