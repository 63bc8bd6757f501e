"""Wheels from a package index on 127.0.0.1, through the real pip and, where there is one, uv."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator

import pytest

from shortlist.datasets import package_index
from shortlist.datasets.package_index import wheel_members
from shortlist.datasets.types import SourceError
from tests.shortlist.datasets import tiny
from tests.shortlist.datasets.servers import FileServer, serving, silent_host

PACKAGE = "tinywheel"
MEMBER = "tinywheel/data/u.data"
WHEEL = tiny.wheel(PACKAGE, {"tinywheel/__init__.py": b"raise SystemExit('run')", MEMBER: b"1\t2\n"})


@pytest.fixture(autouse=True)
def _busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives clients time to start: those of a busy machine are silent for longer than an index may be."""
    monkeypatch.setattr(package_index, "_START_SECONDS", 300.0)
    monkeypatch.setattr(package_index, "_QUIET_SECONDS", 300.0)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(tiny.index(PACKAGE, WHEEL)) as server:
        yield server


@pytest.fixture(params=["pip", "bundled pip", "uv"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Makes the product find that client only."""
    # The Makefile brings one where there is none on PATH.
    uv = shutil.which("uv") or shutil.which(pathlib.Path(__file__).parents[3] / ".tools" / "uv" / "bin" / "uv")
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    if request.param == "pip":
        if not package_index._has_pip():
            pytest.skip("this Python has no pip")
        return request.param
    monkeypatch.setattr(package_index, "_has_pip", lambda: False)
    if request.param == "uv":
        if not uv:
            pytest.skip("uv is not on PATH")
        monkeypatch.setattr(shutil, "which", lambda _: uv)
    elif not list((pathlib.Path(sysconfig.get_path("stdlib")) / "ensurepip" / "_bundled").glob("pip-*.whl")):
        pytest.skip("this Python carries no pip for ensurepip")
    return request.param


def use_index(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Configures pip and uv as a user would."""
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.setenv(name, f"{url}/simple")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def get(scratch: pathlib.Path, sha256: str | None = None, member: str = MEMBER) -> dict[str, bytes]:
    return wheel_members(PACKAGE, "1.0", sha256 or tiny.sha256(WHEEL), [member], scratch)


@pytest.mark.usefixtures("client")
def test_members_come_from_the_users_own_index(
    server: FileServer, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_index(monkeypatch, server.url())
    assert get(tmp_path) == {MEMBER: b"1\t2\n"}
    assert f"/simple/{PACKAGE}/" in [path for path, _ in server.requests]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("client")
def test_a_wheel_with_another_checksum_is_refused(
    server: FileServer, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_index(monkeypatch, server.url())
    with pytest.raises(SourceError, match=r"(?i)hash"):
        get(tmp_path, sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("client")
def test_a_silent_index_is_given_up_in_seconds(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_index, "_QUIET_SECONDS", 5.0)
    started = time.monotonic()
    with silent_host() as url:
        use_index(monkeypatch, url)
        with pytest.raises(SourceError, match=r"timed out|no answer from the package index"):
            get(tmp_path)
    # 4 to 5 for the index; the rest is the client's own start on a busy machine. Left alone, pip would wait for 90.
    assert time.monotonic() - started < 80.0
    assert list(tmp_path.iterdir()) == []


def test_a_missing_member_is_named(server: FileServer, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_index(monkeypatch, server.url())
    with pytest.raises(SourceError, match=r"tinywheel 1\.0 lacks tinywheel/u\.item"):
        get(tmp_path, member="tinywheel/u.item")


def test_a_client_that_falls_silent_is_ended(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_index, "_QUIET_SECONDS", 0.5)
    script = "import time; print('looking up the index', flush=True); time.sleep(600)"
    started = time.monotonic()
    with pytest.raises(SourceError, match=r"silent for 0\.5 s"):
        package_index._run([sys.executable, "-c", script], tmp_path)
    assert time.monotonic() - started < 300


def test_a_client_that_only_writes_files_is_not_silent(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_index, "_QUIET_SECONDS", 2.0)
    script = (
        "import sys, time; print('downloading', flush=True); file = open(sys.argv[1], 'wb', buffering=0)\n"
        "for _ in range(30): file.write(b'x'); time.sleep(0.1)"
    )
    package_index._run([sys.executable, "-c", script, str(tmp_path / "wheel")], tmp_path)


def test_a_client_that_cannot_be_started_is_a_reason(tmp_path: pathlib.Path) -> None:
    with pytest.raises(SourceError, match="cannot be started"):
        package_index._run([str(tmp_path / "uv")], tmp_path)


def test_without_any_client_the_remedy_is_named(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(package_index, "_has_pip", lambda: False)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_config_var", lambda _: None)
    with pytest.raises(SourceError, match="needs pip or uv, and found neither"):
        get(tmp_path)


def test_looking_for_a_client_leaves_setuptools_importable() -> None:
    script = "from shortlist.datasets import package_index as p; p._client(); import distutils.core, setuptools"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("client")
def test_a_wheel_that_names_files_outside_writes_none(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path / "outside"
    names = ["../../../outside", str(outside), "tinywheel/../../../../outside"]
    hostile = tiny.wheel(PACKAGE, {MEMBER: b"1\t2\n"} | dict.fromkeys(names, b"out"))
    scratch = tmp_path / "a" / "scratch"
    scratch.mkdir(parents=True)
    with serving(tiny.index(PACKAGE, hostile)) as server:
        use_index(monkeypatch, server.url())
        with contextlib.suppress(SourceError):  # pip refuses such a wheel, uv leaves the files out.
            assert get(scratch, sha256=tiny.sha256(hostile)) == {MEMBER: b"1\t2\n"}
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("client")
def test_a_member_that_is_a_link_gives_no_file_from_elsewhere(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"mine")
    hostile = tiny.wheel(PACKAGE, {MEMBER: str(secret).encode()}, links={MEMBER})
    with serving(tiny.index(PACKAGE, hostile)) as server:
        use_index(monkeypatch, server.url())
        try:
            got = get(tmp_path, sha256=tiny.sha256(hostile))[MEMBER]
        except SourceError:
            return
    assert got == str(secret).encode()  # The link's own text.


def test_an_index_that_sends_too_much_is_given_up(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_index, "_MAX_BYTES", 3_000_000)
    script = (
        "import sys, time; print('downloading', flush=True); file = open(sys.argv[1], 'wb', buffering=0)\n"
        "while True: file.write(bytes(1 << 20)); time.sleep(0.01)"
    )
    with pytest.raises(SourceError, match=r"sends more than 0\.003 GB"):
        package_index._run([sys.executable, "-c", script, str(tmp_path / "wheel")], tmp_path)


@pytest.mark.usefixtures("client")
def test_the_password_of_an_index_is_in_no_reason(
    server: FileServer, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files.clear()
    use_index(monkeypatch, server.url().replace("://", "://me:hunter2@"))
    with pytest.raises(SourceError) as refused:
        get(tmp_path)
    assert "hunter2" not in str(refused.value)


def test_user_info_is_removed_from_the_clients_output() -> None:
    lines = ["  Could not fetch URL https://me:hunter2@index.example/simple/x/: 404\n"]
    assert package_index._reason(lines) == (
        "the package client failed: Could not fetch URL https://***@index.example/simple/x/: 404"
    )
