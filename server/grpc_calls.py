"""Calls of TF Serving's gRPC API, by the stubs of `tensorflow-serving-api`, in the process of a version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from google.protobuf import any_pb2, json_format, message
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

from server import predict
from server.directory import Directory
from server.model import LoadedModel, number_of
from server.requests import RefusedRequest


def answer(model: LoadedModel, method: str, content: bytes, directory: Directory, max_rows: int) -> bytes | str:
    """Returns the answer to a call; if it names another version, that version.

    Args:
      model: The version of this process.
      method: A method of `grpc_service.METHODS`.
      content: The request.
      directory: The versions that take traffic.
      max_rows: Rows that a request may have.

    Raises:
      RefusedRequest: The request is wrong.
    """
    kind, run = _METHODS[method]
    try:
        request = kind.FromString(content)
    except message.DecodeError:
        raise RefusedRequest(400, "The request is no message of this method.") from None
    spec = request.model_spec
    number = str(spec.version.value) if spec.HasField("version") else None
    version = directory.find(spec.name, number, spec.version_label or None)
    if version != model.version:
        return version
    return bytes(run(model, request, directory, max_rows).SerializeToString())


def _predict(model: LoadedModel, request: Any, directory: Directory, max_rows: int) -> Any:
    name = request.model_spec.signature_name or predict.DEFAULT_SIGNATURE
    signature = predict.signature_of(model, name)
    specs = signature.structured_input_signature[1]
    columns = {key: _array(key, value) for key, value in request.inputs.items()}
    outputs = predict.call(signature, predict.tensors_of(columns, specs, max_rows))
    unknown = sorted(set(request.output_filter) - set(outputs))
    if unknown:
        raise RefusedRequest(400, f"The signature has no output {unknown[0][:100]!r}.")
    found = predict_pb2.PredictResponse()
    _describe(found.model_spec, directory.name, model.version, name)
    for key, value in outputs.items():
        if not request.output_filter or key in request.output_filter:
            found.outputs[key].CopyFrom(tf.make_tensor_proto(value))
    return found


def _get_model_metadata(model: LoadedModel, request: Any, directory: Directory, max_rows: int) -> Any:
    if list(request.metadata_field) != ["signature_def"]:
        raise RefusedRequest(400, "The one metadata_field is signature_def.")
    definitions = get_model_metadata_pb2.SignatureDefMap()
    for key, definition in predict.signature_defs(model).items():
        definitions.signature_def[key].CopyFrom(definition)
    packed = any_pb2.Any()
    packed.Pack(definitions)
    found = get_model_metadata_pb2.GetModelMetadataResponse()
    _describe(found.model_spec, directory.name, model.version, "")
    found.metadata["signature_def"].CopyFrom(packed)
    return found


def _get_model_status(model: LoadedModel, request: Any, directory: Directory, max_rows: int) -> Any:
    one = request.model_spec.HasField("version")
    states = predict.status([model.version], {}) if one else predict.status(directory.active, directory.refused)
    return json_format.ParseDict(states, get_model_status_pb2.GetModelStatusResponse())


_METHODS: dict[str, tuple[Any, Callable[[LoadedModel, Any, Directory, int], Any]]] = {
    "Predict": (predict_pb2.PredictRequest, _predict),
    "GetModelMetadata": (get_model_metadata_pb2.GetModelMetadataRequest, _get_model_metadata),
    "GetModelStatus": (get_model_status_pb2.GetModelStatusRequest, _get_model_status),
}


def _array(name: str, proto: Any) -> Any:
    try:
        return tf.make_ndarray(proto)
    except (TypeError, ValueError):
        raise RefusedRequest(400, f"The input {name[:100]!r} is no tensor: shape and values do not fit.") from None


def _describe(spec: Any, name: str, version: str, signature: str) -> None:
    spec.name = name
    spec.version.value = number_of(version)
    spec.signature_name = signature
