import concurrent.futures
import contextlib
import json
import socket
import threading

import pytest

from components.trainer import cluster, rendezvous
from shortlist.errors import ConfigError, DataError

_OWN = {"version": "tensorflow 2", "code": "c" * 64, "data": "d" * 64}
_JOB = {"train": ["windows/*"]}


@contextlib.contextmanager
def _workers(found, *answers):
    """Yields futures of workers that answer with the given fingerprints, or with an error."""

    def join(index, answer):
        def own(job):
            assert job == _JOB
            if isinstance(answer, Exception):
                raise answer
            return answer

        code = {name: value for name, value in _OWN.items() if name != "data"}
        if isinstance(answer, dict):
            code = {name: answer[name] for name in code}
        return rendezvous.join(found._replace(number=index), lambda: code, own)

    with concurrent.futures.ThreadPoolExecutor(len(answers)) as pool:
        joined = [pool.submit(join, index, answer) for index, answer in enumerate(answers, 1)]
        try:
            yield joined
        except BaseException:
            # The pool would wait for ever for workers that no chief ends.
            for index, one in enumerate(joined, 1):
                if not one.done():
                    _refuse(found.address(index))
            raise


def _refuse(address):
    with socket.create_connection(address, timeout=5) as connection:
        for message in ({"protocol": rendezvous._PROTOCOL, "job": _JOB}, {"refused": "the test failed"}):
            connection.sendall(json.dumps(message).encode() + b"\n")
        # The worker's answers: it would take a closed connection for a chief that died.
        connection.makefile("rb").read()


def _lead(found, seconds=20.0):
    rendezvous.lead(found, _JOB, lambda: _OWN, seconds)


def test_workers_get_the_job_and_the_addresses_are_free_again():
    found = cluster.loopback(3)
    with _workers(found, _OWN, _OWN) as joined:
        _lead(found)
        assert [one.result(20) for one in joined] == [_JOB, _JOB]
    for index in (1, 2):
        with socket.create_server(found.address(index)):
            pass


def test_a_probe_compares_packages_and_code_and_the_workers_go_on_waiting():
    found, code = cluster.loopback(3), {name: _OWN[name] for name in ("version", "code")}
    with _workers(found, _OWN, _OWN | {"data": "e" * 64}) as joined:
        rendezvous.probe(found, code, 20.0)
        rendezvous.probe(found, code, 20.0)
        with pytest.raises(ConfigError, match=f"^worker 1 at {found.addresses[1]}: expected the chief's code, eeee"):
            rendezvous.probe(found, code | {"code": "e" * 64}, 20.0)
        assert not any(one.done() for one in joined)
        # The data is compared when there is a job.
        with pytest.raises(DataError, match="^worker 2 at "):
            _lead(found)
        for one in joined:
            assert isinstance(one.exception(20), ConfigError)
    with pytest.raises(ConfigError, match=r"worker 1: expected an answer at .* within 0.3 s, got: .*train-worker"):
        rendezvous.probe(found, code, 0.3)


@pytest.mark.parametrize(
    ("changed", "kind", "remedy"),
    [
        ({"version": "tensorflow 3"}, ConfigError, "install the same packages"),
        ({"code": "e" * 64}, ConfigError, "the same version of Shortlist"),
        ({"data": "e" * 64}, DataError, "the same files"),
    ],
)
def test_a_worker_that_differs_is_named(changed, kind, remedy):
    found = cluster.loopback(3)
    with _workers(found, _OWN, _OWN | changed) as joined:
        with pytest.raises(kind, match=f"^worker 2 at {found.addresses[2]}: expected the chief's") as raised:
            _lead(found)
        assert remedy in str(raised.value)
        # No worker waits for a training that does not come, and each knows why.
        for one in joined:
            with pytest.raises(ConfigError, match="^worker 2 at "):
                one.result(20)


def test_a_worker_without_the_data_says_so():
    found = cluster.loopback(2)
    missing = DataError("windows: expected a folder")
    with _workers(found, missing) as joined:
        with pytest.raises(DataError, match="^worker 1 at .*: windows: expected a folder"):
            _lead(found)
        with pytest.raises(ConfigError):
            joined[0].result(20)


def test_a_dead_address_is_an_error_within_the_bound():
    found = cluster.loopback(2)
    with pytest.raises(ConfigError, match=r"worker 1: expected an answer at .* within 0.3 s, got: .*train-worker"):
        _lead(found, seconds=0.3)


def test_the_chief_waits_for_a_worker_whose_address_another_training_still_has(monkeypatch):
    monkeypatch.setattr(rendezvous, "_GREETING_SECONDS", 0.3)
    found = cluster.loopback(2)
    server = socket.create_server(found.address(1))
    began = threading.Event()

    def other_program():
        accepted, _ = server.accept()
        accepted.sendall(b"PRI * HTTP/2.0\r\n\r\n")
        began.set()
        accepted.close()
        server.close()

    threading.Thread(target=other_program).start()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        leading = pool.submit(_lead, found)
        assert began.wait(20)
        with contextlib.suppress(OSError):
            server.close()
        with _workers(found, _OWN) as joined:
            leading.result(20)
            assert joined[0].result(20) == _JOB


def test_a_worker_lets_others_go_and_outlives_a_chief_that_dies():
    found = cluster.loopback(2)
    with _workers(found, _OWN) as joined:
        for text in (b"GET / HTTP/1.1\r\n\r\n", b"", json.dumps({"protocol": "other"}).encode() + b"\n"):
            _send(found.address(1), text)
        # A chief that ends after the job.
        _send(found.address(1), json.dumps({"protocol": rendezvous._PROTOCOL, "job": _JOB}).encode() + b"\n")
        assert not joined[0].done()
        _lead(found)
        assert joined[0].result(20) == _JOB


def _send(address, text):
    for _ in range(200):
        try:
            connection = socket.create_connection(address, timeout=5)
            break
        except ConnectionRefusedError:
            threading.Event().wait(0.05)
    with connection:
        connection.sendall(text)
