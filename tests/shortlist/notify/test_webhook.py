from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from shortlist.config.notify import Notify, NotifyWebhook
from shortlist.errors import ConfigError
from shortlist.notify import channels, webhook
from shortlist.notify.message import Ending, Figures, Message, Run, make
from tests.receivers import Receiver, receiving

BODY = b'{"status": "pushed"}'
TOKEN = "Bearer t0k3n"
SECRETS = ("s3cr3t", "t0k3n", "127.0.0.1")


def hook(**settings: Any) -> NotifyWebhook:
    return NotifyWebhook(url_env="HOOK", headers_env={"Authorization": "HOOK_TOKEN"}, **settings)


def environment(url: str) -> dict[str, str]:
    return {"HOOK": url, "HOOK_TOKEN": TOKEN}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_PAUSES_SECONDS", (0.01,))


def assert_no_secrets(text: str) -> None:
    assert not any(secret in text for secret in SECRETS), text


def test_a_message_arrives_with_the_secret_headers(receiver: Receiver):
    assert webhook.post(hook(), BODY, environment(receiver.url)) == ""
    [request] = receiver.requests
    assert (request.method, request.path, request.body) == ("POST", "/hooks/s3cr3t-path", BODY)
    assert request.headers["Authorization"] == TOKEN
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("answers", "requests", "problem"),
    [
        ([500, 204], 2, ""),
        ([429, 503, 200], 3, ""),
        ([500], 3, "the address in HOOK answered with status 500 after 3 attempts"),
        ([403], 1, "the address in HOOK answered with status 403"),
        ([503, 404], 2, "the address in HOOK answered with status 404 after 2 attempts"),
    ],
)
def test_faults_that_may_pass_are_tried_again(receiver: Receiver, answers: list[int], requests: int, problem: str):
    receiver.answers = answers
    assert webhook.post(hook(attempts=3), BODY, environment(receiver.url)) == problem
    assert len(receiver.requests) == requests


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, status: int):
    receiver.answers, receiver.location = [status], "/elsewhere"
    problem = webhook.post(hook(), BODY, environment(receiver.url))
    assert problem == f"the address in HOOK answered with a redirect, status {status}, which is not followed"
    # Neither the body nor the headers went anywhere else.
    assert [request.path for request in receiver.requests] == ["/hooks/s3cr3t-path"]


def test_a_server_that_hangs_costs_the_timeout_and_no_more(receiver: Receiver):
    receiver.released.clear()
    start = time.monotonic()
    problem = webhook.post(hook(timeout_seconds=0.5, attempts=2), BODY, environment(receiver.url))
    assert problem == "the address in HOOK gave no answer within 0.5 s after 2 attempts"
    assert time.monotonic() - start >= 1.0
    assert len(receiver.requests) == 2


def test_a_server_that_sends_a_byte_now_and_then_is_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as server:
        stopped = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                # Each byte comes long before a timeout of the socket, and the answer is whole after 20 seconds.
                for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 370 + b"\r\n\r\n":
                    if stopped.wait(0.05):
                        return
                    connection.sendall(bytes([byte]))

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        problem = webhook.post(hook(timeout_seconds=1, attempts=1), BODY, environment(url))
        stopped.set()
        thread.join()
    assert problem == "the address in HOOK gave no answer within 1 s"


def test_a_closed_port_and_an_unknown_host_are_sentences_without_the_address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    problem = webhook.post(hook(attempts=2), BODY, environment(f"http://127.0.0.1:{port}/s3cr3t"))
    assert problem == "the address in HOOK cannot be reached: Connection refused after 2 attempts"
    unknown = webhook.post(hook(attempts=1), BODY, environment("http://s3cr3t.invalid/x"))
    assert unknown.startswith("the address in HOOK cannot be reached: ")
    assert_no_secrets(unknown)


def test_a_server_that_speaks_no_http_is_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"s3cr3t\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        problem = webhook.post(hook(attempts=1), BODY, environment(url))
        thread.join()
    assert problem.startswith("the address in HOOK broke off the connection: ")
    assert_no_secrets(problem)


@pytest.mark.parametrize(
    ("url", "got"),
    [
        ("", "got an unset or empty variable"),
        (" ", "got an unset or empty variable"),
        ("s3cr3t", "got a value that is no http or https address"),
        ("file:///s3cr3t", "got a value that is no http or https address"),
        ("https:///s3cr3t", "got a value that is no http or https address"),
        ("https://host:s3cr3t/", "got a value that is no address"),
        ("https://[s3cr3t/", "got a value that is no address"),
        ("https://me:s3cr3t@host/", "got a user or password before the host, for which headers_env is the place"),
        ("https://host/s3cr3t path", "got a value with blanks"),
        ("https://host/s3cr3t\n", "got a value with blanks"),
        ("https://hóst/s3cr3t", "got a value with blanks"),
    ],
)
def test_a_bad_address_is_refused_before_a_run_and_not_repeated(url: str, got: str):
    with pytest.raises(ConfigError) as refusal:
        webhook.check(hook(), environment(url))
    sentence = str(refusal.value)
    assert sentence.startswith("notify.webhook.url_env: expected ")
    assert "HOOK" in sentence
    assert got in sentence
    assert_no_secrets(sentence)


@pytest.mark.parametrize("value", ["", "t0k3n\nX-Other: 1", "t0k3n\r", "t0k3n→"])
def test_a_bad_header_is_refused_before_a_run_and_not_repeated(value: str):
    with pytest.raises(ConfigError) as refusal:
        webhook.check(hook(), {"HOOK": "https://host/", "HOOK_TOKEN": value})
    assert str(refusal.value).startswith("notify.webhook.headers_env.Authorization: expected ")
    assert_no_secrets(str(refusal.value))


def message(ending: Ending) -> Message:
    return make(Run("shop", "run-1"), ending, "why", Figures("HR@10"))


def test_an_interrupted_run_tries_once_and_does_not_wait_long(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(channels, "INTERRUPTED_SECONDS", 0.3)
    receiver.released.clear()
    section = Notify(webhook=hook(timeout_seconds=60, attempts=10))
    result = channels.deliver(section, message(Ending.INTERRUPTED), environment(receiver.url))
    assert result == {"webhook": "the address in HOOK gave no answer within 0.3 s"}
    assert len(receiver.requests) == 1


def test_the_body_is_the_message(receiver: Receiver):
    section = Notify(webhook=hook())
    channels.check(section, environment(receiver.url))
    assert channels.deliver(section, message(Ending.FAILED), environment(receiver.url)) == {"webhook": ""}
    body = json.loads(receiver.requests[0].body)
    assert (body["schema_version"], body["pipeline"], body["run_id"]) == (1, "shop", "run-1")
    assert (body["status"], body["reason"], body["metric"]) == ("failed", "why", "HR@10")
    assert body["value"] is body["previous"] is body["version"] is body["report"] is None


def test_nobody_is_told_by_default():
    channels.check(None, {})
    assert channels.deliver(None, message(Ending.FAILED), {}) == {}
