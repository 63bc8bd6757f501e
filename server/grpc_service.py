"""TF Serving's gRPC API: PredictionService and ModelService. `grpc_calls` answers, in the process of a version.

A call is answered by one thread without micro-batches, so HTTP has several times the throughput.
"""

from __future__ import annotations

import concurrent.futures
import functools
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc

from server.requests import RefusedRequest
from server.rollout import Rollout
from server.service import call_named
from shortlist.config.serve import Serve
from shortlist.errors import BadInputError

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    503: grpc.StatusCode.UNAVAILABLE,
}
_THREADS = 8
METHODS = {
    "tensorflow.serving.PredictionService": ("Predict", "GetModelMetadata"),
    "tensorflow.serving.ModelService": ("GetModelStatus",),
}
"""The methods by service."""


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
    limits = settings.limits
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(_THREADS, "grpc"),
        interceptors=[] if token is None else [_TokenCheck(token)],
        maximum_concurrent_rpcs=limits.max_concurrent,
        options=[("grpc.max_receive_message_length", limits.max_body_bytes), ("grpc.so_reuseport", 0)],
    )
    server.add_generic_rpc_handlers(
        [_handlers(rollout, service, methods, limits.max_rows) for service, methods in METHODS.items()]
    )
    try:
        bound = server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except RuntimeError:
        bound = 0
    if not bound:
        raise BadInputError.from_parts(f"{host}:{port}", "a free address", "one in use", "choose another --grpc-port")
    server.start()
    return server, bound


def _handlers(rollout: Rollout, service: str, methods: Sequence[str], max_rows: int) -> grpc.GenericRpcHandler:
    """Returns the handlers of a service. They pass bytes on: what reads them needs TensorFlow."""
    handlers = {
        method: grpc.unary_unary_rpc_method_handler(functools.partial(_answer, rollout, method, max_rows))
        for method in methods
    }
    return grpc.method_handlers_generic_handler(service, handlers)


def _answer(rollout: Rollout, method: str, max_rows: int, request: bytes, context: grpc.ServicerContext) -> bytes:
    version: str | None = None
    try:
        while True:
            directory = rollout.directory
            if version not in directory.active:
                # The newest one reads the request. A version that it named may have given way to another one meanwhile.
                version = None
            found = call_named(rollout, rollout.name, version, None, "grpc", method, request, directory, max_rows)
            if isinstance(found, bytes):
                return found
            version = found
    except RefusedRequest as error:
        context.abort(_CODES.get(error.status, grpc.StatusCode.INVALID_ARGUMENT), error.sentence)
        raise


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
