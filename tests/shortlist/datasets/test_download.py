"""Downloads from servers that cut, lie and say nothing."""

from __future__ import annotations

import contextlib
import gc
import pathlib
import re
import socket
import threading
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shortlist.datasets.download import Limits, download
from shortlist.datasets.types import SourceError
from tests.shortlist.datasets.servers import FileServer, endless_host, serving, silent_host
from tests.shortlist.datasets.tiny import sha256

CONTENT = bytes(range(256)) * 2000
PATH = "/files/a.zip"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving({PATH: CONTENT}) as server:
        yield server


@pytest.fixture
def part(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "a.zip.part"


def get(url: str, part: pathlib.Path, **changes: object) -> list[str]:
    lines: list[str] = []
    download(url, part, sha256(CONTENT), lines.append, **changes)  # type: ignore[arg-type]
    return lines


def test_whole_file(server: FileServer, part: pathlib.Path) -> None:
    get(server.url(PATH), part)
    assert part.read_bytes() == CONTENT
    assert server.requests == [(PATH, None)]


def test_a_cut_connection_is_resumed_at_the_byte_where_it_was_cut(server: FileServer, part: pathlib.Path) -> None:
    server.cut_after = [100_000, 50_000]
    get(server.url(PATH), part)
    assert part.read_bytes() == CONTENT
    assert server.requests == [(PATH, None), (PATH, "bytes=100000-"), (PATH, "bytes=150000-")]


def test_a_later_call_goes_on_where_an_earlier_one_ended(server: FileServer, part: pathlib.Path) -> None:
    part.write_bytes(CONTENT[:300_000])
    get(server.url(PATH), part)
    assert part.read_bytes() == CONTENT
    assert server.requests == [(PATH, "bytes=300000-")]


def test_the_received_part_is_kept_after_repeated_cuts(server: FileServer, part: pathlib.Path) -> None:
    server.cut_after = [1000] * 9
    with pytest.raises(SourceError, match="cut the connection 5 times"):
        get(server.url(PATH), part)
    assert part.read_bytes() == CONTENT[:5000]


def test_a_server_without_ranges_starts_the_file_anew(server: FileServer, part: pathlib.Path) -> None:
    server.ranges = False
    part.write_bytes(b"x" * 1000)
    get(server.url(PATH), part)
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "stale", [b"x" * 1000, b"x" * len(CONTENT), CONTENT + b"x"], ids=["shorter", "as long", "longer"]
)
def test_a_part_of_something_else_is_thrown_away(server: FileServer, part: pathlib.Path, stale: bytes) -> None:
    part.write_bytes(stale)
    get(server.url(PATH), part)
    assert part.read_bytes() == CONTENT


def test_a_complete_part_is_taken_as_it_is(server: FileServer, part: pathlib.Path) -> None:
    part.write_bytes(CONTENT)
    get(server.url(PATH), part)
    assert part.read_bytes() == CONTENT


def test_wrong_content_is_refused_and_removed(server: FileServer, part: pathlib.Path) -> None:
    server.files[PATH] = CONTENT[:-1] + b"?"
    with pytest.raises(SourceError, match=r"sent a file with SHA-256 \w{12}\.\.\., expected \w{12}"):
        get(server.url(PATH), part)
    assert not part.exists()


def test_an_error_page_is_no_file(server: FileServer, part: pathlib.Path) -> None:
    with pytest.raises(SourceError, match="answered 404"):
        get(server.url("/files/b.zip"), part)
    assert not part.exists()


@pytest.mark.parametrize("case", ["not found", "nothing left to send", "too late", "an error too late"])
def test_no_connection_is_left_to_the_garbage_collector(
    server: FileServer, part: pathlib.Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits, path = Limits(), PATH if case in ("nothing left to send", "too late") else "/files/b.zip"
    if case == "nothing left to send":
        part.write_bytes(CONTENT)
    if case.endswith("too late"):
        limits = Limits(answer_seconds=0.2)
        monkeypatch.setattr(urllib.request, "urlopen", _late(urllib.request.urlopen, 0.5))
    gc.collect()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", ResourceWarning)
        with contextlib.suppress(SourceError):
            get(server.url(path), part, limits=limits)
        for thread in threading.enumerate():
            if thread.name == "shortlist-download":
                thread.join()
        gc.collect()
    assert [str(warning.message) for warning in found] == []


def _late(urlopen: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    def open_late(*args: Any, **options: Any) -> Any:
        try:
            return urlopen(*args, **options)
        finally:
            time.sleep(seconds)

    return open_late


def test_a_silent_host_costs_five_seconds(part: pathlib.Path) -> None:
    started = time.monotonic()
    with silent_host() as url, pytest.raises(SourceError, match=r"did not answer|timed out"):
        get(url + PATH, part)
    assert 4.5 < time.monotonic() - started < 60


def test_name_resolution_is_bounded_too(part: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: given_up.wait(600))
    with pytest.raises(SourceError, match=r"did not answer within 0\.5 s"):
        get("http://a.test" + PATH, part, limits=Limits(answer_seconds=0.5))
    given_up.set()


def test_a_closed_port_is_given_up_at_once(part: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(SourceError, match=r"cannot be reached .*refused"):
        get(f"http://127.0.0.1:{port}{PATH}", part)


def test_a_trickle_is_not_waited_for(server: FileServer, part: pathlib.Path) -> None:
    server.trickle = (100, 0.05)  # 2,000 bytes per second, a fifth of the minimum.
    with pytest.raises(SourceError, match=r"sent only \d+ bytes in \d s; the next fetch resumes the download"):
        get(server.url(PATH), part, limits=Limits(answer_seconds=1.0))
    assert CONTENT.startswith(part.read_bytes())
    assert part.stat().st_size > 0


def test_a_stall_is_not_waited_for(server: FileServer, part: pathlib.Path) -> None:
    server.trickle = (100_000, 2.5)
    with pytest.raises(SourceError, match=r"stopped sending for 1 s"):
        get(server.url(PATH), part, limits=Limits(answer_seconds=1.0))
    assert part.read_bytes() == CONTENT[:100_000]


def test_progress_shows_megabytes(server: FileServer, part: pathlib.Path) -> None:
    server.trickle = (128_000, 0.6)
    assert re.fullmatch(r"0\.[1-5] of 0\.5 MB", get(server.url(PATH), part)[0])


def test_an_endless_answer_ends_at_the_limit(part: pathlib.Path) -> None:
    with endless_host() as url, pytest.raises(SourceError, match=r"sends more than 5 MB"):
        get(url + PATH, part, limits=Limits(max_bytes=5_000_000))
    assert not part.exists()


def test_a_file_with_too_large_a_declared_size_is_not_downloaded(server: FileServer, part: pathlib.Path) -> None:
    server.trickle = (1, 60.0)
    with pytest.raises(SourceError, match=r"sends more than 0\.1 MB"):
        get(server.url(PATH), part, limits=Limits(max_bytes=100_000))
    assert not part.exists()


def test_a_part_counts_towards_the_limit(server: FileServer, part: pathlib.Path) -> None:
    part.write_bytes(CONTENT[:300_000])
    with pytest.raises(SourceError, match=r"sends more than 0\.4 MB"):
        get(server.url(PATH), part, limits=Limits(max_bytes=400_000))
    assert not part.exists()


def test_a_file_of_exactly_the_limit_is_taken(server: FileServer, part: pathlib.Path) -> None:
    get(server.url(PATH), part, limits=Limits(max_bytes=len(CONTENT)))
    assert part.read_bytes() == CONTENT
