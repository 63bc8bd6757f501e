"""The preflight compares config and schemas, with the sentence that names both and the remedy."""

from __future__ import annotations

import pytest

from shortlist.errors import ConfigError
from tests.shortlist.project import Project

_CANDIDATES = 'feature { name: "candidate_id" type: BYTES }\n'
_TITLE = 'feature { name: "title" type: BYTES presence { min_count: 1 } }\n'


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path).schema("candidates", _CANDIDATES + _TITLE)


def test_schemas_that_fit_pass(project):
    assert project.check().warnings == ()
    # The pipeline adds these itself, and a type may be left open.
    project.schema(
        "candidates", 'feature { name: "candidate_id" }\n' + _TITLE + 'feature { name: "source_row" type: INT }'
    )
    assert project.check().warnings == ()


def test_a_new_feature_is_named_with_the_command_that_adds_it(project):
    project.set(candidates={"features": {"title": "text", "brand": "category"}})
    assert project.refusal(ConfigError) == (
        f"{project.root}/schemas/candidates.pbtxt: expected the feature 'brand', for "
        "data.candidates.features.brand: category, got none; `shortlist schema infer --update --config FILE` adds it"
    )


def test_another_type_is_refused(project):
    project.set(candidates={"features": {"title": "numeric"}})
    sentence = project.refusal(ConfigError)
    assert (
        "expected type FLOAT of the feature 'title', for data.candidates.features.title: numeric, got BYTES" in sentence
    )


@pytest.mark.parametrize(
    ("rule", "is_refused"),
    [
        ("presence { min_count: 1 }", True),
        ("presence { min_fraction: 0.5 }", True),
        ("presence { min_fraction: 0.0 }", False),
        ("", False),
        ("presence { min_count: 1 } lifecycle_stage: DEPRECATED", False),
        ("presence { min_count: 1 } lifecycle_stage: PRODUCTION", True),
    ],
)
def test_a_required_feature_that_the_config_lost_is_refused(project, rule, is_refused):
    project.schema("candidates", _CANDIDATES + _TITLE + f'feature {{ name: "brand" type: BYTES {rule} }}')
    if not is_refused:
        assert project.check().warnings == ()
        return
    sentence = project.refusal(ConfigError)
    assert sentence.startswith("data.candidates.features: expected the feature 'brand', which ")
    assert sentence.endswith("got none; add it to data.candidates.features, or remove it from the schema")


def test_the_gates_action_decides(project):
    project.set(candidates={"features": {"title": "text", "brand": "category"}})
    project.write(items="item_id,title,brand\ni0,Zero,a\ni1,One,b\ni2,Two,a\ni3,Three,b\n")
    project.set(gate={"schema_anomalies": "warn"})
    [warning] = project.check().warnings
    assert "`shortlist schema infer --update --config FILE` adds it" in warning
    project.set(gate={"schema_anomalies": "ignore"})
    assert project.check().warnings == ()


def test_what_is_no_schema_is_refused(project):
    project.schema("candidates", "feature { nome: 1 }")
    assert "expected a TensorFlow Metadata schema as text, got" in project.refusal(ConfigError)
