"""Downloads one pinned file over HTTP: resumed where it was cut, given up at once where nobody answers."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import http.client
import os
import pathlib
import ssl
import threading
import time
import urllib.error
import urllib.request
from typing import BinaryIO

from shortlist.datasets.types import Progress, SourceError

_CHUNK = 1 << 16
_MAX_TRIES = 5
_REPORT_SECONDS = 1.0


@dataclasses.dataclass(frozen=True)
class Limits:
    """When a host counts as dead, and when it sends too much.

    Attributes:
      answer_seconds: Longest wait for the answer to begin, name resolution, connection and redirects included.
      min_bytes_per_second: Slowest transfer that is waited for, on average, after the first `answer_seconds`.
      max_bytes: Largest file that is taken; only a whole file has a checksum, so an endless one must not fill the disk.
    """

    answer_seconds: float = 5.0
    min_bytes_per_second: int = 10_000
    max_bytes: int = 500_000_000


DEFAULT_LIMITS = Limits()


class _CutError(SourceError):
    """The connection ended before the file did; what came is kept."""


class _TooLargeError(SourceError):
    """More came than the file can have; nothing of it is kept."""


def download(url: str, part: pathlib.Path, sha256: str, progress: Progress, limits: Limits = DEFAULT_LIMITS) -> None:
    """Fills `part` with the file at `url`, going on after the bytes that it already holds.

    Args:
      url: An http or https address.
      part: The file to fill. It is kept where the connection was cut and removed where it is another file.
      sha256: SHA-256 that the whole file must have, in hex.
      progress: Told the bytes that have come.
      limits: When to give up.

    Raises:
      SourceError: Says why the file could not be had.
    """
    for _ in range(_MAX_TRIES):
        resumed = part.stat().st_size if part.exists() else 0
        try:
            _transfer(url, part, resumed, progress, limits)
        except _CutError:
            if part.exists() and part.stat().st_size > resumed:
                continue
            raise
        except _TooLargeError:
            part.unlink()
            raise
        got = file_sha256(part)
        if got == sha256:
            return
        part.unlink()
        if not resumed:
            raise SourceError(f"sent a file with SHA-256 {got[:12]}..., expected {sha256[:12]}...")
    raise SourceError(f"cut the connection {_MAX_TRIES} times; the next fetch goes on from there")


def file_sha256(path: pathlib.Path) -> str:
    """Returns the SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _transfer(url: str, part: pathlib.Path, resumed: int, progress: Progress, limits: Limits) -> None:
    """Appends to `part`, or starts it anew if the server does not send the part that was asked for."""
    headers = {"User-Agent": "shortlist", "Accept-Encoding": "identity"}
    if resumed:
        headers["Range"] = f"bytes={resumed}-"
    try:
        # S310: the address is pinned beside its checksum, no user's.
        response = _open(urllib.request.Request(url, headers=headers), limits.answer_seconds)  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:  # It is a response, and holds its connection.
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise SourceError(f"answered {error.code} {error.reason}") from None
        return  # Nothing is left to send; the checksum tells whether `part` is the file.
    with response:
        continues = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if continues and not response.headers.get("Content-Range", "").startswith(f"bytes {resumed}-"):
            part.unlink()
            raise SourceError("sent another part of the file than the one asked for")
        with part.open("ab" if continues else "wb") as file:
            _copy(response, file, resumed if continues else 0, progress, limits)


def _copy(response: http.client.HTTPResponse, file: BinaryIO, have: int, progress: Progress, limits: Limits) -> None:
    """Appends the response's body to a file that holds `have` bytes of it."""
    missing = response.length
    if have + (missing or 0) > limits.max_bytes:
        raise _too_large(limits)
    total = "" if missing is None else f" of {(have + missing) / 1e6:.1f}"
    received, started, reported = 0, time.monotonic(), 0.0
    while True:
        try:
            chunk = response.read1(_CHUNK)
        except TimeoutError:
            raise SourceError(f"sent nothing more for {limits.answer_seconds:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise _CutError(f"cut the connection after {have + received} bytes ({_reason(error)})") from None
        if not chunk:
            break
        if have + received + len(chunk) > limits.max_bytes:
            raise _too_large(limits)
        file.write(chunk)
        received += len(chunk)
        elapsed = time.monotonic() - started
        if elapsed > limits.answer_seconds + received / limits.min_bytes_per_second:
            raise SourceError(f"sent only {received} bytes in {elapsed:.0f} s; the next fetch goes on from there")
        if elapsed - reported >= _REPORT_SECONDS:
            progress(f"{(have + received) / 1e6:.1f}{total} MB")
            reported = elapsed
    if missing is not None and received < missing:
        raise _CutError(f"cut the connection after {have + received} of {have + missing} bytes")


def _too_large(limits: Limits) -> _TooLargeError:
    return _TooLargeError(f"sends more than {limits.max_bytes / 1e6:g} MB, which the published file does not have")


def _open(request: urllib.request.Request, seconds: float) -> http.client.HTTPResponse:
    """Returns the response once its headers are there.

    In a thread of its own: a socket's timeout bounds neither name resolution nor a host with many dead addresses.
    """
    answer: concurrent.futures.Future[http.client.HTTPResponse] = concurrent.futures.Future()

    def ask() -> None:
        try:
            answer.set_result(urllib.request.urlopen(request, timeout=seconds, context=_tls()))  # noqa: S310
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True, name="shortlist-download").start()
    try:
        error = answer.exception(timeout=seconds)
    except concurrent.futures.TimeoutError:
        answer.add_done_callback(_hang_up)
        raise SourceError(f"did not answer within {seconds:g} s") from None
    if isinstance(error, urllib.error.HTTPError):
        raise error
    if error is not None:
        raise SourceError(f"cannot be reached ({_reason(error)})")
    return answer.result()


def _hang_up(answer: concurrent.futures.Future[http.client.HTTPResponse]) -> None:
    """Closes the connection of a host that answered after all."""
    error = answer.exception()
    if error is None:
        answer.result().close()
    elif isinstance(error, urllib.error.HTTPError):
        error.close()


def _tls() -> ssl.SSLContext:
    """Returns a verifying context with the certificates that the user's other programs trust."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if (path := os.environ.get(name)) and os.path.exists(path):
            is_folder = os.path.isdir(path)
            return ssl.create_default_context(cafile=None if is_folder else path, capath=path if is_folder else None)
    context = ssl.create_default_context()
    if not context.get_ca_certs():
        # A Python built elsewhere looks for certificates where this system has none.
        for path in ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"):
            if os.path.exists(path):
                context.load_verify_locations(path)
                break
    return context


def _reason(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return " ".join(str(reason).split()) or type(error).__name__
