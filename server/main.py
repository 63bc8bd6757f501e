"""The script `shortlist-serve`, and the process of a server."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import ipaddress
import logging
import os
import pathlib
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from server.log_format import log_to_stderr
from shortlist import __version__
from shortlist.config.serve import Serve
from shortlist.config.serve_file import read_settings
from shortlist.errors import BadInputError, ShortlistError

if TYPE_CHECKING:
    from server.known import Histories
    from server.processes import Loader

TOKEN_VARIABLE = "SHORTLIST_SERVE_TOKEN"  # noqa: S105  The name of a variable.
PORT = 8501
GRPC_PORT = 8500
_KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 30
_LOGGER = logging.getLogger("shortlist.server")


@dataclasses.dataclass(frozen=True)
class Options:
    """What to serve, and where."""

    model: pathlib.Path
    """Folder of the versions, or of one version."""

    host: str = "127.0.0.1"
    port: int = PORT
    grpc_port: int = GRPC_PORT
    """Port of gRPC; 0 for none."""
    settings: Serve = dataclasses.field(default_factory=Serve)
    read_known: Callable[[], Histories | None] | None = None
    """Returns what is known of queries; by default what `settings` names."""


def main(arguments: list[str] | None = None) -> int:
    """Runs `shortlist-serve`; returns the exit code."""
    parser = argparse.ArgumentParser(
        "shortlist-serve",
        description="Serve a pushed model over HTTP and gRPC.",
        epilog=f"Other machines need the token in {TOKEN_VARIABLE}.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", type=pathlib.Path, help="folder of the versions, or of one version")
    what.add_argument("--check", action="store_true", help="load all packages, print their versions and end")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on, 127.0.0.1 by default")
    parser.add_argument("--port", type=int, default=PORT, help=f"port, {PORT} by default")
    parser.add_argument(
        "--grpc-port", type=int, default=GRPC_PORT, help=f"port of gRPC, {GRPC_PORT} by default; 0 for none"
    )
    parser.add_argument("--settings", type=pathlib.Path, help="YAML file with the keys of the config's section `serve`")
    parsed = parser.parse_args(arguments)
    if parsed.check:
        check()
        return 0
    try:
        settings = Serve() if parsed.settings is None else read_settings(parsed.settings)
        serve(Options(parsed.model, parsed.host, parsed.port, parsed.grpc_port, settings))
    except ShortlistError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    return 0


def check() -> None:
    """Loads what a server loads, and prints the versions."""
    import scann
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    import server.app
    import server.grpc_calls
    import server.worker

    loaded = (
        scann.__name__,
        predict_pb2.__name__,
        server.app.__name__,
        server.grpc_calls.__name__,
        server.worker.__name__,
    )
    print(f"shortlist {__version__}, TensorFlow {tf.__version__}, {len(loaded)} modules: ok")


def serve(options: Options) -> None:
    """Serves until SIGTERM or SIGINT.

    Raises:
      BadInputError: There is nothing to serve, the address cannot be used, or there is no token.
    """
    token = _token(options.host)
    log_to_stderr()
    # Bound first: a port in use is known before the model has been loaded for seconds.
    with contextlib.closing(_bound(options.host, options.port)) as listener:
        _serve(options, token, listener)


def _serve(options: Options, token: str | None, listener: socket.socket) -> None:
    from server.processes import Loader

    with contextlib.closing(Loader()) as loader:
        # Now: it imports TensorFlow while this process imports the rest and reads histories.
        loader.start()
        _serve_with(loader, options, token, listener)


def _serve_with(loader: Loader, options: Options, token: str | None, listener: socket.socket) -> None:
    import uvicorn

    from server import grpc_service, histories
    from server.app import make_app
    from server.drain import Drain, DrainedServer
    from server.metrics import Metrics
    from server.protocol import limited_protocol
    from server.request_log import RequestLog, key_from_environment
    from server.rollout import Rollout

    settings = options.settings
    metrics = Metrics()
    rollout = Rollout(options.model, settings, metrics, loader)
    known = options.read_known() if options.read_known else histories.of_settings(settings, options.model)
    log = None
    if settings.log.folder is not None:
        log = RequestLog(settings.log, key_from_environment(), metrics.dropped_rows)
    # What the imports left is never freed; the collector need not look at it again.
    gc.collect()
    gc.freeze()
    # A request makes some hundred objects, which are freed without the collector.
    gc.set_threshold(100_000, 50, 1_000)
    # A thread that computes in Python keeps the event loop waiting for up to this time, 5 ms by default.
    sys.setswitchinterval(0.001)
    remote = None
    try:
        rollout.start(known)
        drain = Drain(settings.drain_seconds)
        config = uvicorn.Config(
            make_app(rollout, settings, metrics, token, lambda: drain.is_draining, known, log),
            http=limited_protocol(settings.limits.body_seconds),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        server = DrainedServer(config, drain)
        if options.grpc_port:
            remote, _ = grpc_service.start(rollout, settings, options.host, options.grpc_port, token)
        listener.listen(config.backlog)
        # uvloop, as uvicorn would choose itself.
        host, port = listener.getsockname()[:2]
        _LOGGER.info("Serving %s at http://%s:%d", rollout.name, f"[{host}]" if ":" in host else host, port)
        server.run(sockets=[listener])
    finally:
        if remote is not None:
            remote.stop(_GRACE_SECONDS).wait()
        rollout.close()
        if log is not None:
            log.close()
        if known is not None:
            known.close()


def _token(host: str) -> str | None:
    """Returns the token from the environment.

    Raises:
      BadInputError: There is none, and other machines could reach the server.
    """
    token = os.environ.get(TOKEN_VARIABLE) or None
    if token is None and not _is_loopback(host):
        raise BadInputError.from_parts(
            "--host",
            f"a token in {TOKEN_VARIABLE}, since other machines can reach {host}",
            "none",
            "set it, or listen on 127.0.0.1",
        )
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bound(host: str, port: int) -> socket.socket:
    """Returns a socket that is bound to an address.

    Raises:
      BadInputError: The address cannot be used.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except BaseException:
            listener.close()
            raise
    except (OSError, OverflowError) as error:
        raise BadInputError.from_reason(
            f"{host}:{port}", "a free address", getattr(error, "strerror", None) or error, "choose another --port"
        ) from None
    listener.setblocking(False)
    return listener


def script() -> None:
    """The console script."""
    sys.exit(main())
