"""The quality benchmark on a real run: the same split, and ranks that give the Evaluator's figures."""

from __future__ import annotations

import pathlib

import pytest

from benchmarks.quality import evaluate, shortlist, split
from shortlist.lineage.store import Store

pytestmark = pytest.mark.e2e


def test_the_benchmarks_rows_are_the_pipelines_and_its_figures_the_evaluators(smoke):
    made = split.split_tables(smoke.config.data, smoke.data_root)
    executions = Store(smoke.workspace.metadata_path).run_executions(smoke.first.summary.run_id)
    nodes = {execution.node: execution for execution in executions}
    model, windows = (pathlib.Path(nodes[node].output(key).uri) for node, key in shortlist.OUTPUTS.items())
    ranks = shortlist.ranks(model, windows, "test", made.split, made.query_ids, made.candidate_ids)
    assert len(ranks) == len(made.split.test.query) == 120

    overall = smoke.first.summary.metrics.overall
    found = evaluate.metrics(ranks)
    for k in evaluate.KS:
        assert found[f"top_{k}"] == pytest.approx(overall[f"factorized_top_k/top_{k}_categorical_accuracy"])
    assert found["ndcg_10"] == pytest.approx(overall["ndcg_at_10"])
