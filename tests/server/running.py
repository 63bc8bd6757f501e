"""A server in a thread of the test's process, and a client for it."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import pathlib
import shutil
import threading
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import uvicorn

from server import request_log
from server.app import make_app
from server.drain import Drain, DrainedServer
from server.known import Histories
from server.main import _bound
from server.metrics import Metrics
from server.processes import Loader
from server.protocol import limited_protocol
from server.rollout import Rollout
from shortlist.config.features import FeatureType
from shortlist.config.serve import Serve
from shortlist.serving import catalogue, manifest
from tests.components.indexer import stand_in

SIZE = 40
K = 10
POOL = 20
IDS = stand_in.candidate_ids(SIZE)


def write_model(root: pathlib.Path, seed: int = 0, size: int = SIZE) -> pathlib.Path:
    """Writes a ScaNN model with a catalogue, and returns its folder."""
    import numpy as np

    embeddings = np.random.default_rng(seed).normal(size=(size, 8))
    trained = stand_in.save_stand_in(root / "trained", size, embeddings=embeddings)
    rows = [
        {
            "row": row,
            "id": item,
            "title": f"Title of {item}",
            "attribute_genre": [["Even", "Odd"][row % 2]],
            "attribute_genres": ["Comedy", "Romance"],
            "attribute_release_year": 1980.0 + row,
        }
        for row, item in enumerate(stand_in.candidate_ids(size))
    ]
    kinds = {
        "genre": FeatureType.CATEGORY,
        "genres": FeatureType.MULTI_CATEGORY,
        "release_year": FeatureType.NUMERIC,
    }
    path = root / "candidates.parquet"
    pq.write_table(pa.Table.from_pylist(rows, catalogue.schema("name", kinds)), path)
    found = stand_in.save_both_models(root, trained, K, 5, POOL, path, ("genre", "release_year"))
    return pathlib.Path(found[0])


def push(model: pathlib.Path, serving_dir: pathlib.Path, version: int) -> pathlib.Path:
    """Copies a model to a version as the Pusher does: complete at once, with a manifest."""
    staged = serving_dir / f".staging-{version}"
    shutil.copytree(model, staged)
    manifest.write(staged)
    staged.rename(serving_dir / str(version))
    return serving_dir / str(version)


@functools.cache
def loader() -> Loader:
    """Returns the process of this test process that starts those of versions, so that TensorFlow is imported once."""
    return Loader()


class Client:
    """One connection to a server."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.port = port
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def raw(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Returns status, headers and body of an answer."""
        self._connection.request(method, path, body, {**self.headers, **(headers or {})})
        answer = self._connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def get(self, path: str) -> tuple[int, Any]:
        status, _, body = self.raw("GET", path)
        return status, json.loads(body)

    def post(self, path: str, content: Any) -> tuple[int, Any]:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        status, _, answer = self.raw("POST", path, body)
        return status, json.loads(answer)

    def recommend(self, **fields: Any) -> Any:
        status, answer = self.post("/v1/recommend", fields)
        assert status == 200, answer
        return answer


class Running:
    """A server that runs."""

    def __init__(self, port: int, rollout: Rollout, metrics: Metrics, drain: Drain) -> None:
        self.port = port
        self.rollout = rollout
        self.metrics = metrics
        self.drain = drain

    def client(self, token: str | None = None) -> Client:
        return Client(self.port, token)

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@contextlib.contextmanager
def running(
    path: pathlib.Path,
    settings: Serve,
    token: str | None = None,
    known: Histories | None = None,
    log: request_log.RequestLog | None = None,
) -> Iterator[Running]:
    """Yields a server of a folder of versions."""
    metrics = Metrics()
    rollout = Rollout(path, settings, metrics, loader())
    drain = Drain(settings.drain_seconds)
    rollout.start(known)
    app = make_app(rollout, settings, metrics, token, lambda: drain.is_draining, known, log)
    config = uvicorn.Config(
        app,
        http=limited_protocol(settings.limits.body_seconds),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = DrainedServer(config, drain)
    listener = _bound("127.0.0.1", 0)
    listener.listen(256)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield Running(listener.getsockname()[1], rollout, metrics, drain)
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        rollout.close()
        listener.close()
        assert not thread.is_alive()
