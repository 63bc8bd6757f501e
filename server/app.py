"""The HTTP API."""

from __future__ import annotations

import asyncio
import enum
import hmac
import logging
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import fastapi
import orjson
from starlette.requests import ClientDisconnect

from server import openapi, page, predict
from server.known import Histories
from server.metrics import Metrics
from server.request_log import RequestLog
from server.requests import OutcomeRequest, RecommendRequest, RefusedRequest, SimilarRequest, parse
from server.rollout import Rollout
from server.service import Service, new_request_id
from shortlist import __version__
from shortlist.config.serve import Serve

_LOGGER = logging.getLogger("shortlist.server")
_HEALTH_PATHS = frozenset({"/healthz", "/readyz"})
_OPEN_PATHS = _HEALTH_PATHS | page.open_paths()
_UNLIMITED_PATHS = _HEALTH_PATHS | {"/metrics"}
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_MAX_LIMIT = 200
_MAX_SEARCH = 200

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def make_app(
    rollout: Rollout,
    settings: Serve,
    metrics: Metrics,
    token: str | None = None,
    is_draining: Callable[[], bool] = bool,
    histories: Histories | None = None,
    log: RequestLog | None = None,
) -> Gate:
    """Returns the ASGI application.

    Args:
      rollout: The versions.
      settings: The section `serve`.
      metrics: The server's metrics.
      token: Token that each request has to send as `Authorization: Bearer`; None for no check.
      is_draining: Whether the server is about to stop.
      histories: Histories of known queries; None without any.
      log: The request log; None for none.
    """
    service = Service(rollout, settings, metrics, histories, log)
    # No page of Swagger: it would be loaded from a CDN.
    app = fastapi.FastAPI(title="Shortlist", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(RefusedRequest, _answer_refusal)
    app.add_exception_handler(404, _answer_not_found)
    app.add_exception_handler(405, _answer_not_found)
    app.add_exception_handler(Exception, _answer_failure)
    _add_health(app, rollout, settings, metrics, is_draining)
    _add_recommend(app, service)
    _add_catalogue(app, service)
    _add_predict(app, service)
    page.add_page(app, service, token is not None)
    schema = orjson.dumps(openapi.schema(app, with_token=token is not None))
    app.add_api_route("/openapi.json", lambda: _raw(schema), include_in_schema=False)
    return Gate(app, settings, metrics, token, is_draining)


def _add_health(
    app: fastapi.FastAPI, rollout: Rollout, settings: Serve, metrics: Metrics, is_draining: Callable[[], bool]
) -> None:
    @app.get("/healthz", summary="Whether the process works", tags=["health"])
    async def healthz() -> fastapi.Response:
        return _json({"status": "ok"})

    @app.get("/readyz", summary="Whether requests should be sent here", tags=["health"])
    async def readyz() -> fastapi.Response:
        newest = rollout.newest
        if is_draining():
            return _json({"error": "The server is about to stop."}, 503)
        if newest is None:
            return _json({"error": "No version is loaded yet."}, 503)
        return _json({"status": "ok", "version": newest.facts.version})

    @app.get("/metrics", summary="Metrics for Prometheus", tags=["health"])
    async def exposition() -> fastapi.Response:
        newest = rollout.newest
        content = metrics.exposition(None if newest is None else newest.facts.pushed_at, settings.max_age_days)
        return fastapi.Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_recommend(app: fastapi.FastAPI, service: Service) -> None:
    @app.post(
        "/v1/recommend",
        summary="Candidates for a history or a query",
        tags=["answers"],
        openapi_extra=openapi.body(RecommendRequest),
    )
    async def recommend(request: fastapi.Request) -> fastapi.Response:
        asked = parse(RecommendRequest, await _body(request, service.settings))
        return _json(await service.recommend(asked, request.scope["request_id"]))

    @app.post(
        "/v1/similar",
        summary="Candidates similar to others",
        tags=["answers"],
        openapi_extra=openapi.body(SimilarRequest),
    )
    async def similar(request: fastapi.Request) -> fastapi.Response:
        asked = parse(SimilarRequest, await _body(request, service.settings))
        return _json(await asyncio.to_thread(service.similar, asked, request.scope["request_id"]))

    @app.post(
        "/v1/outcome",
        summary="What happened after a request",
        tags=["answers"],
        openapi_extra=openapi.body(OutcomeRequest),
    )
    async def outcome(request: fastapi.Request) -> fastapi.Response:
        return _json(service.outcome(parse(OutcomeRequest, await _body(request, service.settings))))

    @app.get("/v1/queries/{query:path}", summary="The history of a known query", tags=["answers"])
    async def query_history(query: str) -> fastapi.Response:
        return _json(await asyncio.to_thread(service.query, query))


def _add_catalogue(app: fastapi.FastAPI, service: Service) -> None:
    @app.get("/v1/candidates", summary="Candidates by title or id", tags=["catalogue"])
    async def candidates(search: str = "", limit: str = "20") -> fastapi.Response:
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:9]) <= _MAX_LIMIT:
            raise RefusedRequest(400, f"limit must be a whole number from 1 to {_MAX_LIMIT}.")
        if len(search) > _MAX_SEARCH:
            raise RefusedRequest(400, f"search has {len(search):,} characters; this server takes {_MAX_SEARCH}.")
        return _json(await asyncio.to_thread(service.candidates, search, int(limit)))


def _add_predict(app: fastapi.FastAPI, service: Service) -> None:
    tags: list[str | enum.Enum] = ["TensorFlow Serving"]

    async def run(name: str, version: str | None, label: str | None, request: fastapi.Request) -> fastapi.Response:
        service.rollout.directory.find(name, version, label)
        content = await _body(request, service.settings)
        max_rows = service.settings.limits.max_rows
        return _raw(await asyncio.to_thread(service.call_named, name, version, label, "predict", content, max_rows))

    @app.post("/v1/models/{name}:predict", summary="A call of any signature", tags=tags)
    async def predict_newest(name: str, request: fastapi.Request) -> fastapi.Response:
        return await run(name, None, None, request)

    @app.post("/v1/models/{name}/versions/{version}:predict", summary="A call of a version's signature", tags=tags)
    async def predict_version(name: str, version: str, request: fastapi.Request) -> fastapi.Response:
        return await run(name, version, None, request)

    @app.post("/v1/models/{name}/labels/{label}:predict", summary="A call of a label's signature", tags=tags)
    async def predict_label(name: str, label: str, request: fastapi.Request) -> fastapi.Response:
        return await run(name, None, label, request)

    @app.get("/v1/models/{name}", summary="Versions and their states", tags=tags)
    async def model_status(name: str) -> fastapi.Response:
        directory = service.rollout.directory
        directory.find(name, None, None)
        return _json(predict.status(directory.active, directory.refused))

    @app.get("/v1/models/{name}/versions/{version}", summary="State of a version", tags=tags)
    async def version_status(name: str, version: str) -> fastapi.Response:
        return _json(predict.status([service.rollout.directory.find(name, version, None)], {}))

    @app.get("/v1/models/{name}/metadata", summary="Signatures", tags=tags)
    async def model_metadata(name: str) -> fastapi.Response:
        return _json(await asyncio.to_thread(service.call_named, name, None, None, "metadata", name))

    @app.get("/v1/models/{name}/versions/{version}/metadata", summary="Signatures of a version", tags=tags)
    async def version_metadata(name: str, version: str) -> fastapi.Response:
        return _json(await asyncio.to_thread(service.call_named, name, version, None, "metadata", name))


async def _body(request: fastapi.Request, settings: Serve) -> bytes:
    """Returns the request's body.

    Raises:
      RefusedRequest: It is too long.
    """
    limit = settings.limits.max_body_bytes
    length = request.headers.get("content-length")
    if length is not None and length.isdigit() and int(length[:18]) > limit:
        raise _too_long(limit)
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise _too_long(limit)
            chunks.append(chunk)
    except ClientDisconnect:
        raise RefusedRequest(400, "The client closed the connection within its request.") from None
    return b"".join(chunks)


def _too_long(limit: int) -> RefusedRequest:
    return RefusedRequest(413, f"The body has more than {limit:,} bytes.", {"connection": "close"})


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> fastapi.Response:
    return _raw(orjson.dumps(content), status, headers)


def _raw(content: bytes, status: int = 200, headers: dict[str, str] | None = None) -> fastapi.Response:
    return fastapi.Response(content, status, headers, "application/json")


async def _answer_refusal(request: fastapi.Request, error: Exception) -> fastapi.Response:
    assert isinstance(error, RefusedRequest)
    return _json({"error": error.sentence}, error.status, error.headers)


async def _answer_not_found(request: fastapi.Request, error: Exception) -> fastapi.Response:
    status = getattr(error, "status_code", 404)
    sentence = "This path does not take that method." if status == 405 else "There is no such path."
    return _json({"error": sentence}, status, dict(getattr(error, "headers", None) or {}))


async def _answer_failure(request: fastapi.Request, error: Exception) -> fastapi.Response:
    return _json({"error": f"The server failed; its log has request {request.scope['request_id']}."}, 500)


class Gate:
    """The outermost layer: token, overload, the id of the request, time and counts."""

    def __init__(
        self,
        app: fastapi.FastAPI,
        settings: Serve,
        metrics: Metrics,
        token: str | None,
        is_draining: Callable[[], bool],
    ) -> None:
        self.app = app
        self._metrics = metrics
        self._max_concurrent = settings.limits.max_concurrent
        self._token = None if token is None else token.encode("utf-8")
        self._is_draining = is_draining
        self._in_flight = 0
        metrics.in_flight.set_function(lambda: self._in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        refusal = self._refusal(path, scope)
        scope["request_id"] = _request_id(scope)
        start = time.perf_counter()
        status = 500

        async def send_counted(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", scope["request_id"].encode("ascii")))
                if self._is_draining():
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        if refusal is not None:
            self._metrics.refused_requests.labels(str(refusal.status)).inc()
            await _json({"error": refusal.sentence}, refusal.status, refusal.headers)(scope, receive, send_counted)
            return
        self._in_flight += 1
        try:
            await self.app(scope, receive, send_counted)
        except Exception:
            # Starlette has answered by `_answer_failure` if it could, and raises the error again.
            _LOGGER.exception("Request %s failed", scope["request_id"])
        finally:
            self._in_flight -= 1
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.latency.labels(route, str(status)).observe(time.perf_counter() - start)
            if 400 <= status < 500:
                self._metrics.refused_requests.labels(str(status)).inc()

    def _refusal(self, path: str, scope: Scope) -> RefusedRequest | None:
        if self._token is not None and path not in _OPEN_PATHS and not _has_token(scope, self._token):
            return RefusedRequest(401, "Send the token as `Authorization: Bearer`.", {"www-authenticate": "Bearer"})
        if self._in_flight >= self._max_concurrent and path not in _UNLIMITED_PATHS:
            return RefusedRequest(503, "The server has too many requests now; try again.", {"retry-after": "1"})
        return None


def _has_token(scope: Scope, token: bytes) -> bool:
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, sent = value.partition(b" ")
            return kind.lower() == b"bearer" and hmac.compare_digest(sent.strip(), token)
    return False


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode("ascii"))
    return new_request_id()
