"""TF Serving's gRPC API: PredictionService and ModelService, by the stubs of `tensorflow-serving-api`.

A call is answered by one thread without micro-batches, so HTTP has several times the throughput.
"""

from __future__ import annotations

import concurrent.futures
import hmac
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import grpc

from server import predict
from server.model import number_of
from server.requests import RefusedRequest
from server.rollout import Rollout
from server.service import picked
from shortlist.config.serve import Serve
from shortlist.errors import BadInputError

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    503: grpc.StatusCode.UNAVAILABLE,
}
_THREADS = 8


def start(rollout: Rollout, settings: Serve, host: str, port: int, token: str | None) -> tuple[grpc.Server, int]:
    """Returns a server that runs, and its port.

    Args:
      rollout: The versions.
      settings: The section `serve`.
      host: Address to listen on.
      port: Port; 0 for any free one.
      token: Token that each call has to send as `authorization: Bearer`; None for no check.

    Raises:
      BadInputError: The address cannot be used.
    """
    from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

    limits = settings.limits
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(_THREADS, "grpc"),
        interceptors=[] if token is None else [_TokenCheck(token)],
        maximum_concurrent_rpcs=limits.max_concurrent,
        options=[("grpc.max_receive_message_length", limits.max_body_bytes), ("grpc.so_reuseport", 0)],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_predictions(rollout, limits.max_rows), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_models(rollout), server)
    try:
        bound = server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except RuntimeError:
        bound = 0
    if not bound:
        raise BadInputError.from_parts(f"{host}:{port}", "a free address", "one in use", "choose another --grpc-port")
    server.start()
    return server, bound


def _predictions(rollout: Rollout, max_rows: int) -> Any:
    from google.protobuf import any_pb2
    from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

    class Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
        """Calls of signatures."""

        def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:
            """Calls a signature."""
            import tensorflow as tf

            try:
                model = _model(rollout, request.model_spec)
                name = request.model_spec.signature_name or predict.DEFAULT_SIGNATURE
                signature = predict.signature_of(model, name)
                specs = signature.structured_input_signature[1]
                columns = {key: _array(key, value) for key, value in request.inputs.items()}
                outputs = predict.call(signature, predict.tensors_of(columns, specs, max_rows))
                unknown = sorted(set(request.output_filter) - set(outputs))
                if unknown:
                    raise RefusedRequest(400, f"The signature has no output {unknown[0][:100]!r}.")
            except RefusedRequest as error:
                _abort(context, error)
            answer = predict_pb2.PredictResponse()
            _describe(answer.model_spec, request.model_spec.name, model.version, name)
            for key, value in outputs.items():
                if not request.output_filter or key in request.output_filter:
                    answer.outputs[key].CopyFrom(tf.make_tensor_proto(value))
            return answer

        def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:
            """Returns the signatures."""
            try:
                model = _model(rollout, request.model_spec)
                if list(request.metadata_field) != ["signature_def"]:
                    raise RefusedRequest(400, "The one metadata_field is signature_def.")
            except RefusedRequest as error:
                _abort(context, error)
            definitions = get_model_metadata_pb2.SignatureDefMap()
            for key, definition in predict.signature_defs(model).items():
                definitions.signature_def[key].CopyFrom(definition)
            packed = any_pb2.Any()
            packed.Pack(definitions)
            answer = get_model_metadata_pb2.GetModelMetadataResponse()
            _describe(answer.model_spec, request.model_spec.name, model.version, "")
            answer.metadata["signature_def"].CopyFrom(packed)
            return answer

    return Predictions()


def _models(rollout: Rollout) -> Any:
    from google.protobuf import json_format
    from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

    class Models(model_service_pb2_grpc.ModelServiceServicer):
        """States of versions."""

        def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:
            """Returns the states of all versions, or of one."""
            try:
                model = _model(rollout, request.model_spec)
            except RefusedRequest as error:
                _abort(context, error)
            one = request.model_spec.HasField("version")
            states = (
                predict.status([model.version], {}) if one else predict.status(sorted(rollout.active), rollout.refused)
            )
            return json_format.ParseDict(states, get_model_status_pb2.GetModelStatusResponse())

    return Models()


def _model(rollout: Rollout, spec: Any) -> Any:
    version = str(spec.version.value) if spec.HasField("version") else None
    return picked(rollout, spec.name, version, spec.version_label or None).model


def _array(name: str, proto: Any) -> Any:
    import tensorflow as tf

    try:
        return tf.make_ndarray(proto)
    except (TypeError, ValueError):
        raise RefusedRequest(400, f"The input {name[:100]!r} is no tensor: shape and values do not fit.") from None


def _describe(spec: Any, name: str, version: str, signature: str) -> None:
    spec.name = name
    spec.version.value = number_of(version)
    spec.signature_name = signature


def _abort(context: grpc.ServicerContext, error: RefusedRequest) -> NoReturn:
    context.abort(_CODES.get(error.status, grpc.StatusCode.INVALID_ARGUMENT), error.sentence)
    raise error


class _TokenCheck(grpc.ServerInterceptor):
    """Refuses calls without the token."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

        def refuse(request: object, context: grpc.ServicerContext) -> None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "Send the token as `authorization: Bearer`.")

        self._refusal = grpc.unary_unary_rpc_method_handler(refuse)

    def intercept_service(
        self, continuation: Callable[[Any], Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Returns the handler of a call."""
        metadata: Mapping[str, Any] = {item.key: item.value for item in handler_call_details.invocation_metadata}
        sent = metadata.get("authorization", "")
        if hmac.compare_digest(sent.encode() if isinstance(sent, str) else sent, self._expected):
            return continuation(handler_call_details)
        return self._refusal
