from __future__ import annotations

import concurrent.futures
import pathlib
import socket
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2, metadata_store_service_pb2_grpc

from pipeline.kubeflow import parameters
from pipeline.kubeflow.local_kfp import record
from pipeline.kubeflow.metadata import earlier, outcome
from pipeline.kubeflow.metadata.store import ClusterStore, connect
from pipeline.kubeflow.package import Package
from pipeline.kubeflow.parameters import ComparisonUris
from shortlist.errors import BadInputError
from shortlist.notify.message import Ending

_TABLES = ("interactions", "candidates")
_SEED_1, _SEED_2 = {"seed": 1.0}, {"seed": 2.0}


def _package(seed: dict[str, float]) -> Package:
    trainer = {"inputs": {"parameters": {"seed": {"runtimeValue": {"constant": seed["seed"]}}}}}
    gen = {"inputs": {"parameters": {"content_sha256": {"componentInputParameter": "interactions_sha256"}}}}
    return Package({"root": {"dag": {"tasks": {"InteractionsGen": gen, "Trainer": trainer}}}})


def _run_parameters(interactions: str) -> dict[str, str]:
    return {"interactions_sha256": interactions, "candidates_sha256": "c", "data_root": "s3://data"}


def _run(
    store: Any,
    run_id: str,
    seed: dict[str, float],
    run_parameters: dict[str, str],
    blessed: bool = True,
    comparison: ComparisonUris = parameters.NO_COMPARISON,
) -> None:
    """Records a run as the launcher would: numbers are doubles."""
    run_parameters = {**run_parameters, **comparison.parameters}
    recorder = record.Recorder(store, "shop", run_id, f"s3://root/shop/{run_id}", run_parameters)

    def task(name: str, given: dict[str, Any], output: str, kind: str, **metadata: object) -> None:
        artifact = {"uri": f"s3://root/{run_id}/{name}", "type": {"schemaTitle": kind}, "metadata": metadata}
        inputs = {"parameterValues": given, "artifacts": {}}
        recorder.task(name, inputs, {output: artifact}, pb.Execution.COMPLETE)

    task("InteractionsGen", {"content_sha256": run_parameters["interactions_sha256"]}, "examples", "tfx.Examples")
    task("InteractionsStatistics", {}, "statistics", "tfx.ExampleStatistics")
    task("CandidatesStatistics", {}, "statistics", "tfx.ExampleStatistics")
    task("Trainer", seed, "model", "tfx.Model")
    task("Evaluator", {}, "blessing", "tfx.ModelBlessing", blessed=int(blessed))
    pushed = {"pushed": 1, "pushed_destination": "/models/7"} if blessed else {"pushed": 0, "reasons": '["too weak"]'}
    task("Pusher", {}, "pushed_model", "tfx.PushedModel", **pushed)


def _found(
    store: Any, seed: dict[str, float], run_parameters: dict[str, str], has_warm_start: bool = False
) -> ComparisonUris:
    runs = ClusterStore(store).runs("shop")
    return earlier.comparison_uris(runs, _package(seed), run_parameters, _TABLES, has_warm_start)


def _statistics(run_id: str) -> dict[str, str]:
    return {table: f"s3://root/{run_id}/{table.capitalize()}Statistics" for table in _TABLES}


@pytest.fixture
def store(tmp_path):
    return record.open_store(tmp_path / "mlmd.sqlite")


def test_a_first_run_is_compared_with_nothing(store):
    assert _found(store, _SEED_1, _run_parameters("monday")) == ComparisonUris()


def test_the_latest_blessed_model_is_the_baseline(store):
    _run(store, "run-1", _SEED_1, _run_parameters("monday"))
    _run(store, "run-2", _SEED_1, _run_parameters("tuesday"))
    _run(store, "run-3", _SEED_1, _run_parameters("wednesday"), blessed=False)
    found = _found(store, _SEED_1, _run_parameters("thursday"))
    assert found == ComparisonUris("s3://root/run-2/Trainer", _statistics("run-2"))


def test_data_are_compared_with_those_of_the_last_blessed_run_on_others(store):
    _run(store, "run-1", _SEED_1, _run_parameters("monday"))
    _run(store, "run-2", _SEED_1, _run_parameters("tuesday"))
    found = _found(store, _SEED_2, _run_parameters("tuesday"))
    assert found == ComparisonUris("s3://root/run-2/Trainer", _statistics("run-1"))


def test_a_warm_start_is_from_the_last_blessed_model_of_other_data(store):
    _run(store, "run-1", _SEED_1, _run_parameters("monday"))
    tuesday = _found(store, _SEED_1, _run_parameters("tuesday"), has_warm_start=True)
    assert tuesday.warm_start_model == tuesday.baseline_model == "s3://root/run-1/Trainer"
    _run(store, "run-2", _SEED_1, _run_parameters("tuesday"), comparison=tuesday)
    # The same data again: with other settings, and then exactly as before. Never from the model that they gave.
    other = _found(store, _SEED_2, _run_parameters("tuesday"), has_warm_start=True)
    assert (other.baseline_model, other.warm_start_model) == ("s3://root/run-2/Trainer", "s3://root/run-1/Trainer")
    assert _found(store, _SEED_1, _run_parameters("tuesday"), has_warm_start=True) == tuesday
    assert "warm_start_model" not in _found(store, _SEED_2, _run_parameters("tuesday")).parameters


def test_a_first_model_is_no_warm_start_for_its_own_data(store):
    _run(store, "run-1", _SEED_1, _run_parameters("monday"))
    found = _found(store, _SEED_2, _run_parameters("monday"), has_warm_start=True)
    assert found == ComparisonUris("s3://root/run-1/Trainer")


def test_a_repeated_run_has_the_same_comparison(store):
    _run(store, "run-1", _SEED_1, _run_parameters("monday"))
    before = _found(store, _SEED_1, _run_parameters("tuesday"))
    _run(store, "run-2", _SEED_1, _run_parameters("tuesday"), comparison=before)
    assert _found(store, _SEED_1, _run_parameters("tuesday")) == before


def test_another_pipelines_runs_are_no_concern(store):
    _run(store, "run-1", _SEED_1, _run_parameters("monday"))
    assert list(ClusterStore(store).runs("other")) == []


@pytest.fixture
def served(tmp_path) -> Iterator[tuple[Any, str]]:
    """Yields a sqlite store, and the address of a gRPC server of MLMD's own service over it."""
    store = record.open_store(pathlib.Path(tmp_path) / "mlmd.sqlite")

    class Servicer(metadata_store_service_pb2_grpc.MetadataStoreServiceServicer):
        pass

    def method(name: str):
        response = getattr(metadata_store_service_pb2, f"{name}Response")

        def call(self, request, context):
            answer = response()
            store._call(name, request, answer)
            return answer

        return call

    for name in vars(metadata_store_service_pb2_grpc.MetadataStoreServiceServicer):
        if name[0].isupper():
            setattr(Servicer, name, method(name))
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    metadata_store_service_pb2_grpc.add_MetadataStoreServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield store, f"127.0.0.1:{port}"
    server.stop(None)


def test_a_cluster_is_asked_over_grpc(served):
    store, address = served
    _run(store, "run-1", _SEED_1, _run_parameters("monday"))
    _run(store, "run-2", _SEED_1, _run_parameters("tuesday"), blessed=False)
    assert _found(connect(address), _SEED_2, _run_parameters("monday")).baseline_model == "s3://root/run-1/Trainer"
    assert outcome.read(address, "run-1") == outcome.PushOutcome(True, "/models/7", ())
    assert outcome.read(address, "run-2") == outcome.PushOutcome(False, "", ("too weak",), None, Ending.NOT_BLESSED)
    assert outcome.read(address, "run-9").reasons == (f"ML Metadata at {address} does not have the run",)


def test_a_dead_metadata_server_is_refused_in_seconds():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(BadInputError, match=f"expected ML Metadata at 127.0.0.1:{port}, got UnavailableError"):
        connect(f"127.0.0.1:{port}")
