"""Metrics from the records of all versions of Shortlist."""

from __future__ import annotations

import datetime
import json

from shortlist.lineage.executions import Artifact, Execution
from shortlist.lineage.measurements import Slice, measurements
from shortlist.summary import Summary

_TOP = "factorized_top_k/top_10_categorical_accuracy"
_POPULAR = "popularity/top_10_categorical_accuracy"
_METRICS = {_TOP: 0.2, _POPULAR: 0.1, "popularity/ndcg_at_10": 0.05, "example_count": 50.0}
_SLICES = [{"slice": {"gender": "F"}, "metrics": {_TOP: 0.3, _POPULAR: 0.2, "example_count": 20.0}}]


def _evaluator(**properties):
    now = datetime.datetime.now(datetime.timezone.utc)
    values = {name: json.dumps(value) for name, value in properties.items()}
    evaluation = Artifact(1, "ModelEvaluation", "/x", values)
    return Execution(1, "Evaluator", "run", "COMPLETE", now, 1.0, {}, {}, {"evaluation": [evaluation]})


def _summary(slices):
    rest = {"seconds": {"total": 1.0, "components": {}}, "peak_rss_mb": 1.0}
    prints = {"fingerprints": {"data": {}, "config": "", "code": ""}}
    metrics = {"metrics": {"overall": {_TOP: 0.25}, "slices": slices}}
    return Summary.model_validate({"run_id": "r", "pipeline": "shop", "status": "pushed", **metrics, **rest, **prints})


def test_ml_metadata_alone_tells_all():
    found = measurements(_evaluator(metrics=_METRICS, slices=_SLICES, baseline={_TOP: 0.19, _POPULAR: 0.1}), None)
    assert found.overall == {_TOP: 0.2, "example_count": 50.0}
    assert found.popularity == {_TOP: 0.1, "ndcg_at_10": 0.05}
    assert found.latest_blessed == {_TOP: 0.19}
    assert found.slices == [Slice("gender", "F", _SLICES[0]["metrics"])]
    assert found.rows == 50


def test_older_versions_left_slices_in_the_summary_alone():
    found = measurements(_evaluator(metrics=_METRICS), _summary(_SLICES))
    assert found.overall == {_TOP: 0.25}
    assert found.slices[0].value == "F"


def test_without_metrics_there_are_no_measurements():
    assert measurements(None, None) is None
    assert measurements(_evaluator(), None) is None
    assert measurements(_evaluator(metrics=_METRICS, slices=[], baseline=None), None).latest_blessed is None
