"""Real database servers on loopback, each in a folder of its own, from the binaries that `make test` brings."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

import pydantic
import pytest

from requirements.tools import MAVEN_VARIABLE, TOOLS
from shortlist.config import metadata

PASSWORD_ENV = "SHORTLIST_TEST_PASSWORD"
PASSWORD = "not-to-be-seen-4711"

_START_SECONDS = 300
# Neither server runs as root.
_NOBODY = 65534


@contextlib.contextmanager
def mariadb() -> Iterator[metadata.MySqlMetadata]:
    """Runs MariaDB; yields how to connect to an empty database of it."""
    with _home("mariadb") as (tool, home):
        options = [f"--basedir={tool}", f"--datadir={home}/data", f"--lc-messages-dir={tool}/share"]
        # The tests' data need not outlive the machine.
        options += ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"]
        command = [str(tool / "bin" / "mariadbd"), "--no-defaults", *options]
        tables = [tool / "share" / f"mysql_system_tables{part}.sql" for part in ("", "_data")]
        sql = "create database mysql;\nuse mysql;\nset @auth_root_socket=null;\n"
        (home / "data").mkdir()
        _own(home / "data")
        _run([*command, "--bootstrap"], home, sql + "".join(path.read_text(encoding="utf-8") for path in tables))
        (home / "init.sql").write_text(
            f"create user 'shortlist'@'127.0.0.1' identified by '{PASSWORD}';\n"
            "create database mlmd;\n"
            "grant all on mlmd.* to 'shortlist'@'127.0.0.1';\n"
        )
        port = free_port()
        network = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={home}/socket", "--skip-name-resolve"]
        with _serving([*command, *network, f"--init-file={home}/init.sql"], home, port):
            yield metadata.MySqlMetadata(
                host="127.0.0.1", port=port, database="mlmd", user="shortlist", password_env=PASSWORD_ENV
            )


@contextlib.contextmanager
def postgresql() -> Iterator[metadata.PostgreSqlMetadata]:
    """Runs PostgreSQL; yields how to connect to an empty database of it."""
    with _home("postgresql") as (tool, home):
        (home / "password").write_text(PASSWORD)
        (home / "password").chmod(0o644)
        asks = ["--username=shortlist", f"--pwfile={home}/password", "--auth=scram-sha-256"]
        _run([f"{tool}/bin/initdb", "-D", f"{home}/data", *asks, "--no-sync", "--encoding=UTF8", "--locale=C"], home)
        sql = "create database mlmd;\n"
        _run([f"{tool}/bin/postgres", "--single", "-D", f"{home}/data", "-F", "postgres"], home, sql)
        port = free_port()
        command = [f"{tool}/bin/postgres", "-D", f"{home}/data", "-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"]
        # SIGTERM would have it wait for its clients.
        with _serving(command, home, port, signal.SIGINT):
            yield metadata.PostgreSqlMetadata(
                host="127.0.0.1", port=port, database="mlmd", user="shortlist", password_env=PASSWORD_ENV
            )


SERVERS = {"mysql": mariadb, "postgresql": postgresql}


class Servers(pydantic.BaseModel):
    """What was started, for another process."""

    mysql: metadata.MySqlMetadata
    postgresql: metadata.PostgreSqlMetadata


PIPELINES = ("here", "there")
"""Names of two pipelines that share a database."""

RUN_IDS = ("20260101T000000Z", "20260101T000001Z")
"""Of the runs of each of them."""


@contextlib.contextmanager
def _home(name: str) -> Iterator[tuple[pathlib.Path, pathlib.Path]]:
    """Yields a server's binaries and a folder that it may write to; skips the test where there are none."""
    tool = TOOLS[name]
    if not tool.is_there:
        pytest.skip(
            f"no {tool.what}: `make test-slow` brings it from Maven Central, or from where {MAVEN_VARIABLE} says"
        )
    # pytest's own temporary folders cannot be entered by anybody else.
    with tempfile.TemporaryDirectory(prefix=f"shortlist-{name}-") as folder:
        home = pathlib.Path(folder)
        _own(home)
        binaries = tool.folder
        if os.geteuid() == 0 and subprocess.run(["ls", str(binaries)], capture_output=True, **_as_nobody()).returncode:
            # The project is where only root may look.
            binaries = home / "binaries"
            shutil.copytree(tool.folder, binaries, symlinks=True)
        yield binaries, home


@contextlib.contextmanager
def _serving(command: list[str], home: pathlib.Path, port: int, end: int = signal.SIGTERM) -> Iterator[None]:
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=home, stdout=log, stderr=subprocess.STDOUT, **_as_nobody())
    try:
        until = time.monotonic() + _START_SECONDS
        while not listens(port):
            if server.poll() is not None or time.monotonic() > until:
                pytest.fail(f"the server did not start: {(home / 'log').read_text()[-2000:]}")
            time.sleep(0.05)
        yield
    finally:
        server.send_signal(end)
        try:
            server.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _run(command: list[str], home: pathlib.Path, stdin: str = "") -> None:
    done = subprocess.run(command, cwd=home, input=stdin, capture_output=True, text=True, **_as_nobody())
    assert done.returncode == 0, done.stderr[-2000:]


def _as_nobody() -> dict:
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def _own(path: pathlib.Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, _NOBODY, _NOBODY)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
