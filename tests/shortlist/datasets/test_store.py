"""Fetching a whole data set: fallbacks, checks, atomicity."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from shortlist.datasets import movielens_100k as ml
from shortlist.datasets import store
from shortlist.datasets.sources import Derived
from shortlist.datasets.types import DataSet, FetchResult
from shortlist.errors import ConfigError, DataError, ExitCode
from tests.shortlist.datasets import tiny
from tests.shortlist.datasets.servers import FileServer, serving, silent_host

ARCHIVE = tiny.zipped(tiny.GROUPLENS)
PATH = "/tiny.zip"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving({PATH: ARCHIVE}) as server:
        yield server


@pytest.fixture
def data_set(server: FileServer) -> DataSet:
    return tiny.data_set(tiny.archive(server.url(PATH), ARCHIVE))


def fetch(data_set: DataSet, data_dir: pathlib.Path, lines: list[str] | None = None) -> FetchResult:
    return store.fetch_data_set(data_set, data_dir, ([] if lines is None else lines).append)


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != store.SOURCE_FILE}


def test_fetch_writes_the_normal_form_and_where_it_came_from(
    server: FileServer, data_set: DataSet, tmp_path: pathlib.Path
) -> None:
    result = fetch(data_set, tmp_path / "new" / "data")
    assert (result.name, result.path, result.fetched) == ("tiny", tmp_path / "new" / "data" / "tiny-folder", True)
    assert contents(result.path) == tiny.NORMAL
    recorded = json.loads((result.path / store.SOURCE_FILE).read_text())
    assert recorded["source"] == result.source == f"Tiny ({server.url(PATH)})"
    pinned = {"rows": 2, "sha256": tiny.sha256(tiny.NORMAL[ml.QUERIES]), "sha256_of": "bytes"}
    assert recorded["files"][ml.QUERIES] == pinned
    assert recorded["licence"] == "made up"


def test_nothing_else_is_left_behind(data_set: DataSet, tmp_path: pathlib.Path) -> None:
    fetch(data_set, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny-folder"]


def test_a_second_fetch_asks_nobody(server: FileServer, data_set: DataSet, tmp_path: pathlib.Path) -> None:
    first = fetch(data_set, tmp_path)
    server.requests.clear()
    again = fetch(data_set, tmp_path)
    assert (again.fetched, again.source) == (False, first.source)
    assert server.requests == []


@pytest.mark.parametrize("damage", ["changed", "cut", "removed"])
def test_damaged_files_are_fetched_again_and_other_files_left_alone(
    data_set: DataSet, tmp_path: pathlib.Path, damage: str
) -> None:
    folder = fetch(data_set, tmp_path).path
    file = folder / ml.INTERACTIONS
    if damage == "removed":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-2] + (b"9\n" if damage == "changed" else b""))
    (folder / "notes.txt").write_text("mine")
    assert fetch(data_set, tmp_path).fetched
    assert contents(folder) == tiny.NORMAL | {"notes.txt": b"mine"}


def test_a_dead_host_costs_five_seconds_and_the_next_source_serves(server: FileServer, tmp_path: pathlib.Path) -> None:
    lines: list[str] = []
    started = time.monotonic()
    with silent_host() as dead:
        sources = tiny.archive(dead + PATH, ARCHIVE), tiny.archive(server.url(PATH), ARCHIVE)
        result = fetch(tiny.data_set(*sources), tmp_path, lines)
    assert time.monotonic() - started < 60
    assert result.source == f"Tiny ({server.url(PATH)})"
    assert contents(result.path) == tiny.NORMAL
    assert any("did not answer" in line or "timed out" in line for line in lines)


def test_if_no_source_works_one_sentence_has_the_reasons_and_a_remedy(
    server: FileServer, tmp_path: pathlib.Path
) -> None:
    missing = tiny.archive(server.url("/gone/tiny.zip"), ARCHIVE)
    wrong = tiny.archive(server.url(PATH), b"another archive")
    with pytest.raises(DataError) as caught:
        fetch(tiny.data_set(missing, wrong), tmp_path)
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    message = str(caught.value)
    assert "answered 404" in message
    assert "sent a file with SHA-256" in message
    assert message.endswith(f"put tiny.zip into {tmp_path}")
    assert list(tmp_path.iterdir()) == []


def test_an_archive_with_other_rows_is_refused(server: FileServer, tmp_path: pathlib.Path) -> None:
    changed = tiny.zipped(tiny.GROUPLENS | {ml.U_USER: b"5|25|M|technician|85711\n7|53|F|other|V3N4P\n"})
    server.files[PATH] = changed
    with pytest.raises(DataError, match=r"gave another queries\.csv"):
        fetch(tiny.data_set(tiny.archive(server.url(PATH), changed)), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"no zip file", tiny.zipped({ml.U_DATA: b""})])
def test_an_archive_that_cannot_be_read_is_refused(server: FileServer, tmp_path: pathlib.Path, content: bytes) -> None:
    server.files[PATH] = content
    with pytest.raises(DataError, match=r"the archive (cannot be read|lacks ml-100k/u\.item)"):
        fetch(tiny.data_set(tiny.archive(server.url(PATH), content)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_members_that_nobody_asked_for_are_never_written(server: FileServer, tmp_path: pathlib.Path) -> None:
    evil = tiny.zipped({"../../evil.txt": b"x", "/tmp/shortlist-evil.txt": b"x"} | tiny.GROUPLENS)
    server.files[PATH] = evil
    data_dir = tmp_path / "a" / "b" / "data"
    fetch(tiny.data_set(tiny.archive(server.url(PATH), evil)), data_dir)
    assert contents(data_dir / "tiny-folder") == tiny.NORMAL
    assert not list(tmp_path.rglob("*evil*"))
    assert not os.path.exists("/tmp/shortlist-evil.txt")


def test_a_cut_download_is_kept_and_the_next_fetch_goes_on(
    server: FileServer, data_set: DataSet, tmp_path: pathlib.Path
) -> None:
    server.cut_after = [100, 0]
    with pytest.raises(DataError, match="cut the connection after 100"):
        fetch(data_set, tmp_path)
    assert not (tmp_path / "tiny-folder").exists()
    server.requests.clear()
    assert fetch(data_set, tmp_path).fetched
    assert server.requests == [(PATH, "bytes=100-")]
    assert [path.name for path in tmp_path.iterdir()] == ["tiny-folder"]


def test_an_archive_put_there_by_hand_is_used(server: FileServer, data_set: DataSet, tmp_path: pathlib.Path) -> None:
    (tmp_path / "tiny.zip").write_bytes(ARCHIVE)
    assert contents(fetch(data_set, tmp_path).path) == tiny.NORMAL
    assert server.requests == []
    assert (tmp_path / "tiny.zip").read_bytes() == ARCHIVE


def test_a_wrong_archive_put_there_by_hand_is_named(data_set: DataSet, tmp_path: pathlib.Path) -> None:
    (tmp_path / "tiny.zip").write_bytes(b"<html>log in first</html>")
    with pytest.raises(DataError, match=r"tiny\.zip is not the published file"):
        fetch(data_set, tmp_path)


def test_a_reader_never_sees_half_a_folder(data_set: DataSet, tmp_path: pathlib.Path) -> None:
    seen: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            folder = tmp_path / "tiny-folder"
            if folder.exists():
                seen.append(len(list(folder.iterdir())))

    reader = threading.Thread(target=look)
    reader.start()
    fetch(data_set, tmp_path)
    done.set()
    reader.join()
    assert set(seen) <= {4}


def test_a_failure_while_writing_leaves_no_folder(
    data_set: DataSet, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "rename", no_space)
    with pytest.raises(DataError, match=r"cannot be written .*No space left.*SHORTLIST_DATA_DIR"):
        fetch(data_set, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_is_a_file_is_named(data_set: DataSet, tmp_path: pathlib.Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        fetch(data_set, tmp_path / "data")


def test_two_at_once_download_once(server: FileServer, data_set: DataSet, tmp_path: pathlib.Path) -> None:
    results: list[FetchResult] = []
    threads = [threading.Thread(target=lambda: results.append(fetch(data_set, tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.fetched for result in results) == [False, False, False, True]
    assert len(server.requests) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["tiny-folder"]


def test_a_derived_data_set_fetches_its_base_first(
    server: FileServer, data_set: DataSet, tmp_path: pathlib.Path
) -> None:
    derived = dataclasses.replace(data_set, name="half", folder="half-folder", sources=(Derived(data_set, dict),))
    assert contents(fetch(derived, tmp_path).path) == tiny.NORMAL
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half-folder", "tiny-folder"]
    assert len(server.requests) == 1


def test_the_data_sets_that_a_data_set_needs_come_with_it(
    server: FileServer, data_set: DataSet, tmp_path: pathlib.Path
) -> None:
    told = "half of it is estimated"
    more = dataclasses.replace(data_set, name="more", folder="more", needs=(data_set,), caveat=lambda path: told)
    (tmp_path / "tiny.zip").write_bytes(ARCHIVE)
    result = fetch(more, tmp_path)
    assert (result.name, result.path, result.caveat) == ("more", tmp_path / "more", told)
    assert contents(tmp_path / "tiny-folder") == contents(tmp_path / "more") == tiny.NORMAL
    # Also where its own files are there already, and each time with the caveat.
    shutil.rmtree(tmp_path / "tiny-folder")
    again = fetch(more, tmp_path)
    assert (again.fetched, again.caveat) == (False, told)
    assert contents(tmp_path / "tiny-folder") == tiny.NORMAL


def test_default_data_dir(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHORTLIST_DATA_DIR", raising=False)
    assert store.default_data_dir() == pathlib.Path("data")
    monkeypatch.setenv("SHORTLIST_DATA_DIR", "/srv/data")
    assert store.default_data_dir() == pathlib.Path("/srv/data")
    monkeypatch.setenv("SHORTLIST_DATA_DIR", "gs://bucket/data")
    with pytest.raises(ConfigError, match="SHORTLIST_DATA_DIR: expected a folder on this machine"):
        store.default_data_dir()


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = "[m for m in ('numpy', 'pandas', 'pyarrow', 'tensorflow', 'tfx') if m in sys.modules]"
    script = f"import sys, shortlist.datasets; print({heavy})"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "[]\n"
