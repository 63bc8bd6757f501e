"""Download of one pinned file over HTTP. It resumes a cut transfer, and gives up quickly on a silent host."""

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
from shortlist.secrets import redacted

_CHUNK = 1 << 16
_MAX_TRIES = 5
_REPORT_SECONDS = 1.0


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of time and size for a transfer.

    Attributes:
      answer_seconds: Longest wait for the headers, including name resolution, connection and redirects.
      min_bytes_per_second: Minimum average speed after the first `answer_seconds`.
      max_bytes: Maximum size of the file. The checksum needs the whole file, so an endless one would fill the disk.
    """

    answer_seconds: float = 5.0
    min_bytes_per_second: int = 10_000
    max_bytes: int = 500_000_000


DEFAULT_LIMITS = Limits()


class _CutError(SourceError):
    """The connection ended early; the received part is kept."""


class _TooLargeError(SourceError):
    """The host sent more than the published file has; the received part is removed."""


def download(url: str, part: pathlib.Path, sha256: str, progress: Progress, limits: Limits = DEFAULT_LIMITS) -> None:
    """Downloads `url` to `part`, and resumes after the bytes that `part` already has.

    Args:
      url: An http or https address.
      part: The file to write. After a cut connection it is kept. If its checksum is wrong, it is removed.
      sha256: Expected SHA-256 of the whole file, in hex.
      progress: Called with the number of received bytes.
      limits: Limits of time and size.

    Raises:
      SourceError: The download failed; contains the reason.
    """
    for _ in range(_MAX_TRIES):
        resumed = 0
        if part.exists():
            resumed = part.stat().st_size
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
        # A resumed file may mix two versions of the file, so it is downloaded once more from the start.
        if not resumed:
            raise SourceError(f"sent a file with SHA-256 {got[:12]}..., expected {sha256[:12]}...")
    raise SourceError(f"cut the connection {_MAX_TRIES} times; the next fetch resumes the download")


def file_sha256(path: pathlib.Path) -> str:
    """Returns the SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _transfer(url: str, part: pathlib.Path, resumed: int, progress: Progress, limits: Limits) -> None:
    """Appends to `part`, or starts from the beginning if the server ignores the requested range."""
    headers = {"User-Agent": "shortlist", "Accept-Encoding": "identity"}
    if resumed:
        headers["Range"] = f"bytes={resumed}-"
    try:
        # S310: the address is a constant beside its checksum, never a user's.
        response = _open(urllib.request.Request(url, headers=headers), limits.answer_seconds)  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:  # An HTTPError is a response with an open connection.
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise SourceError(f"answered {error.code} {error.reason}") from None
        return  # The server has no more bytes; the caller compares the checksum.
    with response:
        continues = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if continues and not response.headers.get("Content-Range", "").startswith(f"bytes {resumed}-"):
            part.unlink()
            raise SourceError("sent another part of the file than the requested one")
        have = resumed if continues else 0
        with part.open("ab" if have else "wb") as file:
            _copy(response, file, have, progress, limits)


def _copy(response: http.client.HTTPResponse, file: BinaryIO, have: int, progress: Progress, limits: Limits) -> None:
    """Appends the response's body to a file that already has the first `have` bytes."""
    missing = response.length
    if have + (missing or 0) > limits.max_bytes:
        raise _too_large(limits)
    total = "" if missing is None else f" of {(have + missing) / 1e6:.1f}"
    received, started, reported = 0, time.monotonic(), 0.0
    while True:
        try:
            chunk = response.read1(_CHUNK)
        except TimeoutError:
            raise SourceError(f"stopped sending for {limits.answer_seconds:g} s") from None
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
            raise SourceError(f"sent only {received} bytes in {elapsed:.0f} s; the next fetch resumes the download")
        if elapsed - reported >= _REPORT_SECONDS:
            progress(f"{(have + received) / 1e6:.1f}{total} MB")
            reported = elapsed
    if missing is not None and received < missing:
        raise _CutError(f"cut the connection after {have + received} of {have + missing} bytes")


def _too_large(limits: Limits) -> _TooLargeError:
    return _TooLargeError(f"sends more than {limits.max_bytes / 1e6:g} MB, which is not the published file")


def _open(request: urllib.request.Request, seconds: float) -> http.client.HTTPResponse:
    """Returns the response as soon as its headers have arrived.

    The request runs in a separate thread, because a socket's timeout limits neither name resolution nor attempts on
    several addresses of a host.
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
    if isinstance(error, http.client.InvalidURL):
        # Its message quotes what stands in place of the port: a part of the proxy's password.
        raise SourceError("cannot be reached (the address of the server or of the proxy is not valid)")
    if error is not None:
        raise SourceError(f"cannot be reached ({_reason(error)})")
    return answer.result()


def _hang_up(answer: concurrent.futures.Future[http.client.HTTPResponse]) -> None:
    """Closes the connection of a host that answered too late."""
    error = answer.exception()
    if error is None:
        answer.result().close()
    elif isinstance(error, urllib.error.HTTPError):
        error.close()


def _tls() -> ssl.SSLContext:
    """Returns a verifying context with the certificates that the user's environment names, or the system's."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if (path := os.environ.get(name)) and os.path.exists(path):
            if os.path.isdir(path):
                return ssl.create_default_context(capath=path)
            return ssl.create_default_context(cafile=path)
    context = ssl.create_default_context()
    if not context.get_ca_certs():
        # A Python from another distribution searches for certificates in folders that this system lacks.
        for path in ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"):
            if os.path.exists(path):
                context.load_verify_locations(path)
                break
    return context


def _reason(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return redacted(" ".join(str(reason).split())) or type(error).__name__
