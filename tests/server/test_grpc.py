"""TF Serving's gRPC API, asked by the real stubs."""

from __future__ import annotations

import contextlib

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from server import grpc_service
from server.directory import Directory
from server.metrics import Metrics
from server.rollout import Rollout
from shortlist.config.serve import Serve
from shortlist.serving import served_model
from tests.server import running
from tests.server.test_api import predict_inputs


@pytest.fixture(scope="module")
def rollout(model_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("grpc") / "shop"
    folder.mkdir()
    running.push(model_folder, folder, 7)
    with contextlib.closing(Rollout(folder, Serve(), Metrics(), running.loader())) as found:
        found.refresh()
        yield found


@contextlib.contextmanager
def served(rollout, token=None):
    server, port = grpc_service.start(rollout, Serve(limits={"max_rows": 3}), "127.0.0.1", 0, token)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    server.stop(None).wait()


@pytest.fixture(scope="module")
def channel(rollout):
    with served(rollout) as found:
        yield found


def predict_request(inputs, signature="serving_default", name="shop"):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    for key, values in inputs.items():
        dtype = {"age": tf.float32, "joined": tf.int64, "query_time": tf.int64, "history_times": tf.int64}.get(key)
        request.inputs[key].CopyFrom(tf.make_tensor_proto(values, dtype))
    return request


def test_predict_is_the_signatures_answer(channel, model_folder):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    inputs = predict_inputs()
    answer = stub.Predict(predict_request(inputs))
    signature = served_model.load_served(model_folder).signatures["serving_default"]
    specs = signature.structured_input_signature[1]
    expected = signature(**{name: tf.constant(inputs[name], spec.dtype) for name, spec in specs.items()})
    assert set(answer.outputs) == set(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(tf.make_ndarray(answer.outputs[key]), value.numpy())
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("shop", 7)
    request = predict_request(inputs)
    request.output_filter.append("count")
    assert list(stub.Predict(request).outputs) == ["count"]
    request.model_spec.version_label = "latest"
    assert tf.make_ndarray(stub.Predict(request).outputs["count"]).tolist() == [10, 10]


def test_metadata_and_status(channel):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "shop"
    answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).GetModelMetadata(request)
    definitions = get_model_metadata_pb2.SignatureDefMap()
    answer.metadata["signature_def"].Unpack(definitions)
    assert "recommend" in definitions.signature_def
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "shop"
    [state] = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request).model_version_status
    assert (state.version, state.state) == (7, get_model_status_pb2.ModelVersionStatus.AVAILABLE)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (predict_request({}, name="other"), grpc.StatusCode.NOT_FOUND),
        (predict_request({}, signature="nope"), grpc.StatusCode.INVALID_ARGUMENT),
        (predict_request({"candidate_id": [1]}, "candidate_embedding"), grpc.StatusCode.INVALID_ARGUMENT),
        (predict_request({"candidate_id": ["a"] * 4}, "candidate_embedding"), grpc.StatusCode.INVALID_ARGUMENT),
        (predict_request({"candidate_id": [["a"]]}, "candidate_embedding"), grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
def test_a_wrong_call_has_a_status_and_a_sentence(channel, request_, code):
    with pytest.raises(grpc.RpcError) as raised:
        prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request_)
    assert raised.value.code() == code
    assert raised.value.details().endswith(".")


def test_a_token_is_asked_for_where_there_is_one(rollout):
    with served(rollout, "correct horse") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = predict_request({"candidate_id": ["item-3"]}, "candidate_embedding")
        with pytest.raises(grpc.RpcError) as raised:
            stub.Predict(request, metadata=[("authorization", "Bearer wrong")])
        assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert stub.Predict(request, metadata=[("authorization", "Bearer correct horse")]).outputs


class SwappingRollout:
    """A rollout in which version 2 takes over from version 1 after the first look."""

    name = "shop"

    def __init__(self):
        self._directories = [Directory("shop", "1", ("1",), {}), Directory("shop", "2", ("2",), {})]

    @property
    def directory(self):
        return self._directories.pop(0) if len(self._directories) > 1 else self._directories[0]


def test_a_call_is_not_lost_while_a_version_takes_over(monkeypatch):
    def call_named(rollout, name, version, label, method, *arguments):
        # As `Worker.grpc` of version 2: the request names no version, so it is for the newest of the directory.
        assert version in (None, "2"), "version 1 is gone"
        newest = arguments[2].newest
        return b"answer" if newest == "2" else newest

    monkeypatch.setattr(grpc_service, "call_named", call_named)
    assert grpc_service._answer(SwappingRollout(), "Predict", 3, b"", None) == b"answer"
