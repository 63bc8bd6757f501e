"""An index that a forced push builds carries the catalogue and the evaluation, as the Indexer's does."""

from __future__ import annotations

import datetime
import json

from pipeline import forced_push
from shortlist.config.features import FeatureType
from shortlist.config.values import Value
from shortlist.lineage.executions import Artifact, Execution
from shortlist.records import nodes, properties
from shortlist.serving.catalogue import Catalogue
from shortlist.serving.evaluation import ServedEvaluation
from tests.components.indexer.flat import write_candidates

_STARTED = datetime.datetime(2026, 1, 31, tzinfo=datetime.timezone.utc)


def execution(number: int, node: str, values: dict, **outputs: Artifact) -> Execution:
    by_key = {key: [artifact] for key, artifact in outputs.items()}
    return Execution(number, node, "20260131T120000Z", "COMPLETE", _STARTED, 1.0, values, {}, by_key)


def run(root, indexer: dict) -> forced_push._Run:
    """Returns a run whose Evaluator refused the model."""
    write_candidates(root / "candidates/Split-all", [{"candidate_id": "b", "name": "Bee"}, {"candidate_id": "a"}])
    (root / "trained").mkdir()
    blessing: dict[str, Value] = {properties.BLESSED: 0, properties.REASONS: json.dumps(["too weak"])}
    evaluation: dict[str, Value] = {properties.METRICS: json.dumps({"ndcg_at_10": 0.1})}
    done = [
        execution(1, nodes.CANDIDATES_GEN, {}, examples=Artifact(1, "Examples", str(root / "candidates"), {})),
        execution(2, nodes.TRAINER, {}, model=Artifact(2, "Model", str(root / "trained"), {})),
        execution(
            3,
            nodes.EVALUATOR,
            {},
            evaluation=Artifact(3, "ModelEvaluation", str(root), evaluation),
            blessing=Artifact(4, "ModelBlessing", str(root), blessing),
        ),
        execution(4, nodes.INDEXER, indexer),
    ]
    return forced_push._Run("20260131T120000Z", {record.node: record for record in done})


def index(root) -> forced_push._Index:
    for name in ("model", "exact"):
        (root / name / "assets.extra").mkdir(parents=True)
    return forced_push._Index(root / "model", root / "exact", {})


def test_both_models_are_described(tmp_path):
    fields = forced_push.catalogue.CatalogueFields("name", {"name": FeatureType.TEXT})
    made = index(tmp_path)
    found = run(tmp_path, {properties.CATALOGUE: fields.to_json(), properties.EXCLUDE_SEEN: 0})
    with forced_push._catalogue(found, str(tmp_path / "trained")) as written:
        forced_push.catalogue.copy(written, [str(made.model_dir), str(made.exact_dir)])
    forced_push._describe(found, made)
    for folder in (made.model_dir, made.exact_dir):
        assert dict(Catalogue.of_version(folder)) == {"a": None, "b": "Bee"}
        evaluation = ServedEvaluation.of_version(folder)
        assert (evaluation.blessed, evaluation.reasons, evaluation.exclude_seen) == (False, ["too weak"], False)
        assert evaluation.metrics == {"ndcg_at_10": 0.1}


def test_a_run_of_an_older_version_has_no_catalogue(tmp_path):
    made = index(tmp_path)
    found = run(tmp_path, {})
    with forced_push._catalogue(found, str(tmp_path / "trained")) as written:
        assert written is None
    forced_push._describe(found, made)
    assert ServedEvaluation.of_version(made.model_dir).refit is False
