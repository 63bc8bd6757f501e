from __future__ import annotations

import pytest

from cli import kubeflow
from shortlist.config.load import parse_config
from shortlist.errors import ConfigError
from tests.shortlist.config.test_load import MINIMAL


def config(**interactions):
    data = MINIMAL["data"] | {"interactions": {"path": "no/such.csv"} | interactions}
    return parse_config(MINIMAL | {"data": data}, "x.yaml")


@pytest.mark.parametrize(
    ("options", "unit"),
    [
        ({"timestamp_unit": "milliseconds"}, "milliseconds"),
        ({"timestamp_unit": "dates"}, "dates"),
        ({"timestamp_format": "%d.%m.%Y"}, "iso8601"),
    ],
)
def test_a_unit_that_the_config_names_needs_no_data(options, unit):
    assert kubeflow.timestamp_unit(config(**options)) == unit


def test_any_other_unit_needs_the_data(tmp_path, monkeypatch):
    monkeypatch.setenv("SHORTLIST_DATA_DIR", str(tmp_path))
    with pytest.raises(ConfigError, match="timestamp_unit: auto needs the data"):
        kubeflow.timestamp_unit(config())
