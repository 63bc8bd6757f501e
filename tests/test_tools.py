"""What tests run against is brought whole, as pinned, or not at all."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import os
import pathlib
import tarfile
import threading
import zipfile

import pytest

from requirements import tools


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A Maven repository on loopback, and an empty tools folder."""
    folder = tmp_path / "repository"
    folder.mkdir()
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv(tools.MAVEN_VARIABLE, f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(tools, "ROOT", tmp_path)
        monkeypatch.setattr(tools, "FOLDER", tmp_path / ".tools")
        yield folder
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def _postgresql(sha256: str) -> tools.Tool:
    unpack = tools.TOOLS["postgresql"].unpack
    return tools.Tool("PostgreSQL", "io.x", "pg", "1.0", sha256, unpack)


def _jar(members: dict[str, bytes]) -> bytes:
    packed, jar = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o6777
            tar.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("lib/libpq.so")
        link.type, link.linkname = tarfile.SYMTYPE, "libpq.so.5"
        tar.addfile(link)
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("postgres-linux-x86_64.txz", packed.getvalue())
    return jar.getvalue()


def _publish(repository: pathlib.Path, jar: bytes) -> str:
    path = repository / "io/x/pg/1.0/pg-1.0.jar"
    path.parent.mkdir(parents=True)
    path.write_bytes(jar)
    return hashlib.sha256(jar).hexdigest()


def test_it_is_fetched_once(repository):
    jar = _jar({"bin/postgres": b"elf", "./lib/libpq.so.5": b"so", "elsewhere/x": b"x"})
    tool = _postgresql(_publish(repository, jar))
    assert list(tools.bring(tool)) == ["Bringing PostgreSQL into .tools/pg-1.0 ..."]
    assert tool.is_there
    assert {path.name for path in tool.folder.rglob("*")} == {
        "bin",
        "postgres",
        "lib",
        "libpq.so",
        "libpq.so.5",
        ".made",
    }
    assert (tool.folder / "bin" / "postgres").stat().st_mode & 0o7777 == 0o755
    assert (tool.folder / "lib" / "libpq.so").read_bytes() == b"so"
    assert [path.name for path in tools.FOLDER.iterdir()] == ["pg-1.0"]
    (repository / "io/x/pg/1.0/pg-1.0.jar").unlink()
    assert list(tools.bring(tool)) == []


def test_another_file_than_the_pinned_one(repository):
    _publish(repository, _jar({"bin/postgres": b"elf"}))
    tool = _postgresql("0" * 64)
    *_, told = tools.bring(tool)
    assert "expected 000000000000...; tests of it are skipped" in told
    assert not tool.is_there
    assert not list(tools.FOLDER.iterdir())


def test_a_path_that_leaves_the_folder(repository):
    tool = _postgresql(_publish(repository, _jar({"bin/../../../evil": b"x"})))
    *_, told = tools.bring(tool)
    assert "holds a path that leaves its folder: bin/../../../evil" in told
    assert not tool.is_there
    assert not (tools.ROOT / "evil").exists()


def test_nobody_has_it(repository):
    *_, told = tools.bring(_postgresql("0" * 64))
    assert "answered 404" in told


def test_without_a_repository_and_without_mvn(repository, monkeypatch):
    monkeypatch.delenv(tools.MAVEN_VARIABLE)
    monkeypatch.setenv("PATH", "")
    *_, told = tools.bring(_postgresql("0" * 64))
    assert "there is no mvn on PATH, and SHORTLIST_MAVEN_URL is not set; tests of it are skipped" in told


def test_by_mvn(repository, tmp_path, monkeypatch):
    jar = _jar({"bin/postgres": b"elf"})
    (tmp_path / "is.jar").write_bytes(jar)
    mvn = tmp_path / "bin" / "mvn"
    mvn.parent.mkdir()
    mvn.write_text(f'#!/bin/sh\nfor last; do :; done\ncp "{tmp_path}/is.jar" "${{last#*=}}/pg.jar"\n')
    mvn.chmod(0o755)
    monkeypatch.delenv(tools.MAVEN_VARIABLE)
    monkeypatch.setenv("PATH", f"{mvn.parent}:{os.environ['PATH']}")
    *_, told = tools.bring(_postgresql("0" * 64))
    assert f"mvn brought {hashlib.sha256(jar).hexdigest()[:12]}..., expected 000000000000...;" in told
    tool = _postgresql(hashlib.sha256(jar).hexdigest())
    assert len(list(tools.bring(tool))) == 1
    assert [path.name for path in tools.FOLDER.iterdir()] == ["pg-1.0"]
