"""The preflight's comparison of config and schema says what TFDV says about the data after ingestion."""

from __future__ import annotations

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from shortlist.config.table import Candidates
from shortlist.tables import schemas
from shortlist.tables.spec import table_spec

# By line of the schema for the feature `brand`: whether the data, which have brands, are an anomaly.
_RULES = {
    "type: BYTES": False,
    "type: FLOAT": True,
    "type: INT": True,
    None: True,
}
# The same for data without the feature `brand`.
_LOST = {
    "type: BYTES presence { min_count: 1 }": True,
    "type: BYTES presence { min_fraction: 0.1 }": True,
    "type: BYTES presence { }": False,
    "type: BYTES": False,
    **{
        f"type: BYTES presence {{ min_count: 1 }} lifecycle_stage: {stage}": is_used
        for stage, is_used in {
            "UNKNOWN_STAGE": True,
            "PLANNED": False,
            "ALPHA": False,
            "BETA": True,
            "PRODUCTION": True,
            "DEPRECATED": False,
            "DEBUG_ONLY": False,
            "DISABLED": False,
        }.items()
    },
}
_CASES = [(rule, True, bad) for rule, bad in _RULES.items()] + [(rule, False, bad) for rule, bad in _LOST.items()]


@pytest.mark.parametrize(("rule", "has_brand", "is_anomaly"), _CASES)
def test_both_find_the_same(tmp_path, rule, has_brand, is_anomaly):
    text = 'feature { name: "candidate_id" type: BYTES }\n'
    if rule is not None:
        text += f'feature {{ name: "brand" {rule} }}\n'
    rows = {"candidate_id": ["a", "b"], **({"brand": ["x", "y"]} if has_brand else {})}
    statistics = tfdv.generate_statistics_from_dataframe(pd.DataFrame(rows))
    anomalies = tfdv.validate_statistics(statistics, text_format.Parse(text, schema_pb2.Schema()))
    assert bool(anomalies.anomaly_info) == is_anomaly

    path = tmp_path / "candidates.pbtxt"
    path.write_text(text)
    table = Candidates.model_validate({"path": "x.csv", "features": {"brand": "category"} if has_brand else {}})
    found = list(schemas._differences(table_spec("candidates", table), schemas.read(path), path, "add it"))
    assert bool(found) == is_anomaly
