"""Data that does not fit its schema stops the run before the training."""

import shutil

import pytest

from shortlist.errors import DataError
from shortlist.lineage.store import Store
from shortlist.summary import Status, read_summary
from shortlist.workspace import Workspace

pytestmark = pytest.mark.e2e


def test_the_gate_names_feature_and_anomaly_and_leaves_nothing_half_made(smoke, run_smoke, tmp_path):
    source = smoke.data_root / "movielens-100k-smoke"
    broken = tmp_path / "data"
    shutil.copytree(source, broken)
    queries = (broken / "queries.csv").read_text(encoding="utf-8").replace(",M,", ",robot,", 1)
    (broken / "queries.csv").write_text(queries, encoding="utf-8")
    tables = {
        name: getattr(smoke.config.data, name).model_copy(update={"path": str(broken / f"{name}.csv")})
        for name in ("interactions", "candidates", "queries")
    }
    config = smoke.config.model_copy(update={"data": smoke.config.data.model_copy(update=tables)})
    workspace = Workspace(tmp_path / "workspace", config.name)

    with pytest.raises(DataError) as error:
        run_smoke(config, workspace)

    sentence = str(error.value)
    assert "queries, feature 'gender'" in sentence
    assert "robot" in sentence
    assert "string_domain" in sentence
    summary = read_summary(workspace.runs_dir / "latest" / "summary.json")
    assert summary.status is Status.REFUSED
    assert summary.reasons == [sentence]
    states = {e.node: e.state for e in Store(workspace.metadata_path).run_executions(summary.run_id)}
    assert states["DataGate"] == "FAILED"
    assert not {"Windows", "Transform", "CandidateTransform", "Trainer"} & set(states)
    assert not workspace.serving_dir.exists()
