"""Cache key of a search."""

from tfx import types
from tfx.types import standard_artifacts

from components.tuner.component import RetrievalTuner
from shortlist.config.load import parse_config


def _key(**tune):
    table = {"path": "x.csv"}
    data = {"interactions": table, "candidates": table, "schemas": "schemas"}
    config = parse_config({"name": "x", "workspace": "w", "data": data, "tune": tune}, "x.yaml")
    examples, graph, schema = (
        types.Channel(type=kind)
        for kind in (standard_artifacts.Examples, standard_artifacts.TransformGraph, standard_artifacts.Schema)
    )
    tuner = RetrievalTuner(examples, schema, graph, examples, graph, config)
    return tuner.exec_properties["custom_config"]


def test_enabled_is_no_part_of_the_cache_key():
    assert _key(enabled=True) == _key(enabled=False)
    assert _key(enabled=True, epochs=9) != _key(enabled=True)
