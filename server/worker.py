"""The process of one version: it loads the model, checks its answers, and then answers calls until the server hangs up.

Each socket has a thread, so a long call of one signature does not delay the others.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from server import catalogue_calls, channel, predict, questions
from server.attributes import Overrides
from server.description import Descriptions
from server.directory import Directory
from server.facts import Facts, Load
from server.log_format import log_to_stderr
from server.model import LoadedModel
from server.question import Answer, Question
from server.requests import RefusedRequest
from server.todays_attributes import newest_that_fits
from shortlist.errors import BadInputError, ShortlistError
from shortlist.serving import rules

_LOGGER = logging.getLogger("shortlist.server")


def run(connections: Sequence[socket.socket]) -> NoReturn:
    """Loads the version that the first message of the first socket names, and answers calls on all sockets."""
    code = 1
    try:
        log_to_stderr()
        try:
            worker = _loaded(connections[0])
        except Exception as error:
            channel.send(connections[0], (False, error if isinstance(error, ShortlistError) else _described(error)))
        else:
            channel.send(connections[0], (True, worker.facts))
            for connection in connections[1:]:
                threading.Thread(target=_serve, args=(connection, worker), daemon=True).start()
            _serve(connections[0], worker)
    except channel.GoneError:
        code = 0
    finally:
        # At once: TensorFlow's own end waits for its threads.
        os._exit(code)


def _loaded(connection: socket.socket) -> Worker:
    # An import of a graph makes a million objects that stay; the collector would go through them all the time.
    gc.disable()
    load: Load = channel.receive(connection)
    model = LoadedModel(load.folder)
    if load.tables:
        model.override(newest_that_fits(load.tables, model.own_kinds))
    questions.check(model, load.max_batch)
    gc.collect()
    gc.freeze()
    gc.enable()
    # A request makes some hundred objects, which are freed without the collector.
    gc.set_threshold(100_000, 50, 1_000)
    # A thread that computes in Python keeps the others waiting for up to this time, 5 ms by default.
    sys.setswitchinterval(0.001)
    return Worker(model)


def _serve(connection: socket.socket, worker: Worker) -> None:
    """Answers the calls of one socket; the process ends with it."""
    try:
        while True:
            method, arguments = channel.receive(connection)
            channel.send(connection, worker.reply(method, arguments))
    except channel.GoneError:
        os._exit(0)


def _described(error: Exception) -> Exception:
    """Returns an exception that any process can read, with the text of another one."""
    return RuntimeError(f"{type(error).__name__}: {error}"[:2_000])


class Worker:
    """The calls that a version answers."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        self._descriptions = Descriptions()
        self._methods: Mapping[str, Callable[..., Any]] = {
            "answer": self.answer,
            "candidates": self.candidates,
            "describe": self.describe,
            "grpc": self.grpc,
            "metadata": self.metadata,
            "override": self.override,
            "predict": self.predict,
            "similar": self.similar,
            "titles": self.titles,
        }

    @property
    def facts(self) -> Facts:
        """What the server knows of the version."""
        model = self._model
        return Facts(
            version=model.version,
            folder=model.folder,
            pushed_at=model.pushed_at,
            max_k=model.max_k,
            uses_times=model.uses_times,
            excludes_seen=model.excludes_seen,
            features=model.features,
            kinds=model.attributes.kinds,
            own_kinds=model.own_kinds,
        )

    def reply(self, method: str, arguments: Sequence[Any]) -> tuple[bool, Any]:
        """Returns whether a call succeeded, and its value or its exception."""
        try:
            return True, self._methods[method](*arguments)
        except (RefusedRequest, ShortlistError) as error:
            return False, error
        except Exception as error:
            _LOGGER.exception("A call of %s failed", method)
            return False, _described(error)

    def answer(self, asked: Sequence[Question]) -> list[Answer | BadInputError]:
        """Returns an answer per question, or the error of a wrong one."""
        return self._model.answer(asked)

    def override(self, table: Overrides) -> Facts:
        """Takes today's attributes, and returns what the server then knows."""
        self._model.override(table)
        return self.facts

    def similar(self, ids: Sequence[str], wanted: rules.Filter, k: int) -> list[dict[str, Any]]:
        """Returns candidates similar to others; see `catalogue_calls`."""
        return catalogue_calls.similar(self._model, ids, wanted, k)

    def candidates(self, search: str, limit: int) -> list[dict[str, Any]]:
        """Returns candidates whose title or id has a text; see `catalogue_calls`."""
        return catalogue_calls.candidates(self._model.corpus, search, limit)

    def titles(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Returns id and title of some candidates."""
        return [dict(self._model.corpus.titled(item)) for item in ids]

    def describe(self, name: str, has_histories: bool, has_report: bool) -> bytes:
        """Returns the description of the version as JSON."""
        return self._descriptions.of(self._model, name, has_histories, has_report)

    def predict(self, content: bytes, max_rows: int) -> bytes:
        """Returns the body of the answer to a `predict` request."""
        return predict.predict(self._model, content, max_rows)

    def metadata(self, name: str) -> dict[str, Any]:
        """Returns the answer to a request for the signatures."""
        return predict.metadata(name, self._model)

    def grpc(self, method: str, request: bytes, directory: Directory, max_rows: int) -> bytes | str:
        """Returns the answer to a call of gRPC, or the version that it names; see `grpc_calls`."""
        from server import grpc_calls

        return grpc_calls.answer(self._model, method, request, directory, max_rows)
