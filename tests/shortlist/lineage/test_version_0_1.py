"""Stores of version 0.1, with TFX's own ExampleGen and with abandoned executions that were never closed."""

from __future__ import annotations

import json

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.lineage.facts.by_node import facts
from shortlist.lineage.impact import impact
from shortlist.lineage.store import Store
from shortlist.lineage.why import Outcome, run_verdict
from tests.shortlist.lineage.recorded import Recorded

_SHA256 = "85316a0a839dbf71a4de2f9da4e6007fcfdd89e475b4f27692571db65a9a5b56"
# As 0.1.0 wrote it.
_INGESTION = {
    "input_base": "/data",
    "input_config": json.dumps({"splits": [{"name": "all", "pattern": "shop/interactions.csv"}]}, indent=2),
    "input_fingerprint": "split:all,num_files:1,total_bytes:170473,xor_checksum:1795531540,sum_checksum:1795531540",
    "custom_config": json.dumps(
        {
            "custom_config": {
                "@type": "type.googleapis.com/google.protobuf.Struct",
                "value": {"code_sha256": "b37559180a07f1b5", "content_sha256": _SHA256, "table": "{}"},
            }
        },
        indent=2,
    ),
}


@pytest.fixture
def recorded(tmp_path):
    made = Recorded(tmp_path)
    made.store.put_artifact_type(pb.ArtifactType(name="Examples"))
    execution_id, _ = made.node("InteractionsGen", run_id="20260101T000000Z")
    [execution] = made.store.get_executions_by_id([execution_id])
    for name, value in _INGESTION.items():
        execution.custom_properties[name].string_value = value
    examples = pb.Artifact(
        type_id=made.store.get_artifact_type("Examples").id, uri="/root/examples/1", state=pb.Artifact.LIVE
    )
    event = pb.Event(type=pb.Event.OUTPUT)
    event.path.steps.add().key = "examples"
    made.store.put_execution(execution, [(examples, event)], [])
    made.node("Trainer", "RUNNING", inputs=[1], run_id="20260101T000000Z")
    made.node("Windows", run_id="20260102T000000Z")
    return made


@pytest.fixture
def store(recorded):
    return Store(recorded.workspace.metadata_path)


def test_table_says_its_file_fingerprint_and_code(store):
    [ingestion, _] = store.run_executions("20260101T000000Z")
    assert facts(ingestion) == ["/data/shop/interactions.csv", f"sha256 {_SHA256[:16]}", "code b37559180a07"]


def test_data_is_found_by_its_fingerprint(store):
    found = impact(store, _SHA256[:8])
    assert [source.artifact.uri for source in found.data] == ["/root/examples/1"]
    assert [execution.node for execution, _ in found.interrupted] == ["Trainer"]


def test_run_that_died_two_runs_ago_is_not_running_though_a_command_is_at_work(store):
    verdict = run_verdict(store, "20260101T000000Z", at_work=True)
    assert (verdict.outcome, verdict.node) == (Outcome.KILLED, "Trainer")


def test_run_that_left_its_folder_alone(store):
    verdicts = [
        run_verdict(store, run_id, at_work, has_folder=True)
        for run_id, at_work in (("20251231T000000Z", True), ("20260103T000000Z", False), ("20260103T000000Z", True))
    ]
    assert [verdict.outcome for verdict in verdicts] == [Outcome.KILLED, Outcome.KILLED, Outcome.RUNNING]
    assert verdicts[0].reasons == ["its process died before its first node"]


def test_node_of_an_unknown_kind_and_properties_of_an_unknown_form(recorded):
    recorded.node("Novelty", run_id="x")
    execution_id, _ = recorded.node("Trainer", run_id="x")
    [execution] = recorded.store.get_executions_by_id([execution_id])
    execution.custom_properties["custom_config"].string_value = "not JSON"
    recorded.store.put_executions([execution])
    novelty, trainer = Store(recorded.workspace.metadata_path).run_executions("x")
    assert facts(novelty) == []
    assert facts(trainer) == []
