"""The impact of data on models, pushes and executions."""

from __future__ import annotations

import hashlib

import pytest

from shortlist.errors import BadInputError
from shortlist.lineage.impact import impact

_A, _B = (hashlib.sha256(name.encode()).hexdigest() for name in "ab")


def test_models_with_verdict_index_and_pushes(shop):
    found = impact(shop.store, _A[:8])
    second, first = found.models
    assert (first.run_id, first.seed, first.blessed) == (shop.pushed, 1, True)
    assert first.reasons[0].startswith("top_10_categorical_accuracy 0.2 is")
    assert (first.index["kind"], first.index_blessed) == ("scann", True)
    assert [(push.version, push.command) for push in first.pushes] == [
        (1_700_000_000, "run"),
        (shop.rolled_back, "rollback"),
    ]
    assert (second.run_id, second.blessed) == (shop.not_blessed, False)
    # Only the forced push built one.
    assert second.index["kind"] == "brute_force"
    assert [(push.version, push.command, push.run_id) for push in second.pushes] == [
        (shop.forced, "push --force", shop.not_blessed)
    ]


def test_runs_that_took_the_model_from_the_cache_count_as_runs_and_not_as_models(shop):
    assert impact(shop.store, _A).runs == [shop.cached, shop.not_blessed, shop.pushed]


def test_other_data_has_another_impact_with_interrupted_executions(shop):
    found = impact(shop.store, _B[:6])
    # The run that was killed had trained by then, and one failed before it had.
    assert [(model.run_id, model.blessed) for model in found.models] == [(shop.killed, None), (shop.rejected, True)]
    rejected = found.models[1]
    assert (rejected.index_blessed, rejected.pushes) == (False, [])
    assert [(execution.node, execution.run_id) for execution, _ in found.interrupted] == [("Evaluator", shop.killed)]


def test_data_named_by_run_is_every_table_that_it_read(shop):
    found = impact(shop.store, shop.rejected)
    assert {source.node for source in found.data} == {"InteractionsGen", "CandidatesGen", "QueriesGen"}
    # The catalogue is the same in all runs.
    assert len(found.models) == 4


def test_data_named_by_artifact(shop):
    [table] = impact(shop.store, _A).data
    by_id = impact(shop.store, str(table.artifact.id))
    assert [model.run_id for model in by_id.models] == [shop.not_blessed, shop.pushed]
    # A model is asked about itself.
    [alone] = impact(shop.store, str(by_id.models[1].artifact_id)).models
    assert (alone.run_id, len(alone.pushes)) == (shop.pushed, 2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("99999", "ML Metadata has no artifact with this id"),
        ("abcdef", "no table with this SHA-256 was read here"),
        ("ab", "expected a run's id, 6 or more digits"),
        ("%' OR 1=1 --", "expected a run's id, 6 or more digits"),
    ],
)
def test_unknown_data_is_refused(shop, name, message):
    with pytest.raises(BadInputError, match=message):
        impact(shop.store, name)
