"""Pushes with concurrent readers, with failures or kills at every step, and with a wrong clock."""

from __future__ import annotations

import errno
import itertools
import os
import pathlib
import shutil
import threading
import time
from collections.abc import Callable

import pytest

from shortlist.errors import DataError
from shortlist.serving import versions

FILES = ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001")


class Served:
    """A serving folder and models to push to it; `tag` is the content of each file of a model."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.models = root / "serving" / "m"
        self.exact = root / "serving" / "m-exact"

    def push(self, tag: str, keep: int = 10, now: float = 1000.0) -> int:
        return versions.push(
            _model(self.root / "new" / tag, tag),
            _model(self.root / "new" / f"{tag}-exact", tag),
            self.models,
            keep,
            lambda: now,
        )

    def tags(self) -> dict[int, str]:
        """Returns the content of every version, whose model and exact copy must be complete and the same push's."""
        found = {}
        for version in versions.versions(self.models):
            contents = {(d / str(version) / file).read_text() for d in (self.models, self.exact) for file in FILES}
            assert len(contents) == 1
            found[version] = contents.pop()
        return found

    def leftovers(self) -> list[str]:
        """Returns the names of everything else, including exact copies without a model."""
        names = {*os.listdir(self.models), *os.listdir(self.exact)}
        expected = {versions.VERSIONS_FILE, ".push.lock", *map(str, versions.versions(self.models))}
        return sorted(names - expected)


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def served(tmp_path):
    return Served(tmp_path)


def _model(folder: pathlib.Path, tag: str) -> pathlib.Path:
    for file in FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(tag)
    return folder


def _copy_files_with(function: Callable, patch: pytest.MonkeyPatch) -> None:
    copytree = shutil.copytree

    def patched(source, destination, *rest):
        # It calls itself for the folders within, with all its arguments.
        return copytree(source, destination, *rest or (False, None, function))

    patch.setattr(shutil, "copytree", patched)


class Steps:
    """Calls `act` instead of the step numbered `at`: the copy of a file, a rename, a write of a file to the disk."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, act: Callable[[], None]):
        self.count = 0
        self._at = at
        self._act = act
        _copy_files_with(self._step(shutil.copy2), patch)
        patch.setattr(os, "rename", self._step(os.rename))
        patch.setattr(os, "fsync", self._step(os.fsync))

    def _step(self, function: Callable) -> Callable:
        def step(*args, **kwargs):
            self.count += 1
            if self.count - 1 == self._at:
                self._act()
            return function(*args, **kwargs)

        return step


def test_nothing_was_pushed(tmp_path):
    assert versions.versions(tmp_path / "none") == []
    assert versions.served_version(tmp_path / "none") is None


def test_both_models_have_the_same_version(served):
    version = served.push("a", now=1234.9)
    assert version == 1234
    assert served.tags() == {1234: "a"}
    assert versions.served_version(served.models) == 1234
    assert versions.exact_dir(f"{served.models}/") == served.exact
    assert served.leftovers() == []


def test_the_exact_copy_comes_first(served, monkeypatch):
    arrived = []
    rename = os.rename

    def watched(source, destination):
        rename(source, destination)
        arrived.append(pathlib.Path(destination))

    monkeypatch.setattr(os, "rename", watched)
    served.push("a")
    assert [path for path in arrived if path.name == "1000"] == [served.exact / "1000", served.models / "1000"]


def test_only_folders_named_by_a_number_are_versions(served):
    served.push("a", now=7)
    for name in (".staging-99", ".deleted-99", "x", "-9", "9.5", "009", "٩", "+9", "9_9", str(2**63)):
        (served.models / name).mkdir()
    (served.models / "99").write_text("a file")
    assert versions.versions(served.models) == [7]
    assert versions.served_version(served.models) == 7


def test_versions_only_grow(served):
    # Twice in a second, then a clock that steps back, then one that is right again.
    assert [served.push("a", now=now) for now in (100, 100, 50, 200)] == [100, 101, 102, 200]


def test_versions_are_not_used_again_after_deletion(served):
    served.push("a", now=100)
    served.push("b", now=100)
    for folder in (served.models, served.exact):
        shutil.rmtree(folder / "101")
    assert served.push("c", now=100) == 102
    assert served.tags() == {100: "a", 102: "c"}
    shutil.rmtree(served.exact)
    for version in (100, 102):
        shutil.rmtree(served.models / str(version))
    assert served.push("d", now=100) == 103


def test_versions_file_lost(served):
    served.push("a", now=100)
    (served.models / versions.VERSIONS_FILE).unlink()
    assert served.push("b", now=50) == 101


def test_old_versions_are_deleted_with_their_exact_copies(served):
    for tag in "abcd":
        served.push(tag, keep=2)
    assert served.tags() == {1002: "c", 1003: "d"}
    # A clock that stepped back does not make the newest look old.
    served.push("e", keep=1, now=1)
    assert served.tags() == {1004: "e"}
    assert served.leftovers() == []


@pytest.mark.parametrize("resists", ["m", "m-exact"])
def test_failed_deletions_are_tried_again_and_stop_nothing(served, monkeypatch, resists):
    rename = os.rename

    def busy(source, destination):
        if pathlib.Path(destination).name.startswith(".deleted") and pathlib.Path(source).parent.name == resists:
            raise OSError(errno.EBUSY, "busy")
        rename(source, destination)

    served.push("a", keep=1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", busy)
        assert served.push("b", keep=1) == 1001
        assert served.push("c", keep=1) == 1002
        assert versions.served_version(served.models) == 1002
        assert set(versions.versions(served.models)) <= set(versions.versions(served.exact))
    served.push("d", keep=1)
    assert served.tags() == {1003: "d"}
    assert served.leftovers() == []


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=repr)
def test_failure_at_every_step_leaves_the_served_version(tmp_path, error):
    def fail():
        raise error

    outcomes = []
    for step in itertools.count():
        served = Served(tmp_path / str(step))
        served.push("a", keep=1)
        with pytest.MonkeyPatch.context() as patch:
            steps = Steps(patch, step, fail)
            try:
                served.push("b", keep=1)
                failed = False
            except (OSError, KeyboardInterrupt):
                failed = True
        if steps.count <= step:
            break
        newest = versions.served_version(served.models)
        assert served.tags()[newest] == ("a" if newest == 1000 else "b")
        assert failed == (newest == 1000) or isinstance(error, KeyboardInterrupt)
        if newest == 1000:
            assert served.leftovers() == []
        outcomes.append(failed)
        # The version of a failed push is not used again: a client may know it from the log.
        assert served.push("c", keep=1) in (1001, 1002)
        assert list(served.tags().values()) == ["c"]
        assert served.leftovers() == []
    # Six files are copied and written, three renames follow; then come steps whose failure is no failed push.
    assert sum(outcomes) >= 15
    assert not outcomes[-1] or isinstance(error, KeyboardInterrupt)


def test_killed_at_every_step(tmp_path):
    for step in itertools.count():
        served = Served(tmp_path / str(step))
        served.push("a", keep=1)
        child = os.fork()
        if child == 0:
            with pytest.MonkeyPatch.context() as patch:
                Steps(patch, step, lambda: os._exit(9))
                try:
                    served.push("b", keep=1)
                finally:
                    os._exit(0)
        _, status = os.waitpid(child, 0)
        newest = versions.served_version(served.models)
        for version in versions.versions(served.models):
            assert (served.exact / str(version)).is_dir()
        assert (served.models / str(newest) / FILES[-1]).read_text() == ("a" if newest == 1000 else "b")
        version = served.push("c", keep=1)
        assert served.tags() == {version: "c"}
        assert version > 1000
        assert served.leftovers() == []
        if os.waitstatus_to_exitcode(status) == 0:
            break
    assert step >= 15


def test_a_missing_source_leaves_the_served_version(served):
    served.push("a")
    with pytest.raises(FileNotFoundError):
        versions.push(_model(served.root / "b", "b"), served.root / "none", served.models, 1)
    assert served.tags() == {1000: "a"}
    assert served.leftovers() == []


@pytest.mark.parametrize(
    "content",
    [
        *("", "7", "[]", "{}", "9" * 5000, b"\xff"),
        *(f'{{"last_version": {value}}}' for value in ('"7"', "true", "7.5", "null", "-1", 2**63 - 1)),
    ],
    ids=lambda content: content[:24],
)
def test_tampered_versions_file_is_one_clear_error(served, content):
    served.push("a")
    path = served.models / versions.VERSIONS_FILE
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as refused:
        served.push("b")
    assert str(refused.value).startswith(f'{path}: expected {{"last_version": N}}')
    assert "\n" not in str(refused.value)
    assert served.tags() == {1000: "a"}
    assert served.leftovers() == []
    path.unlink()
    assert served.push("b") == 1001


def test_pushes_at_once_wait_for_each_other(served):
    pushed = []
    threads = [threading.Thread(target=lambda tag=tag: pushed.append(served.push(tag))) for tag in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pushed) == [1000, 1001, 1002, 1003]
    assert sorted(served.tags().values()) == ["a", "b", "c", "d"]
    assert served.leftovers() == []


def test_a_reader_never_sees_half_of_a_version(served, monkeypatch):
    unlink = os.unlink

    def slowly(function):
        def slow(*args, **kwargs):
            time.sleep(0.002)
            return function(*args, **kwargs)

        return slow

    _copy_files_with(slowly(shutil.copy2), monkeypatch)
    monkeypatch.setattr(os, "unlink", slowly(unlink))
    problems, seen, stop = [], set(), threading.Event()

    def read():
        while not stop.is_set():
            for folder in (served.models, served.exact):
                for version in versions.versions(folder):
                    seen.add(version)
                    whole = all((folder / str(version) / file).is_file() for file in FILES)
                    exact = (served.exact / str(version)).is_dir()
                    # A version may be deleted while it is looked at; it never comes back.
                    if not (whole and exact) and (folder / str(version)).is_dir():
                        problems.append((folder.name, version, whole, exact))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for push in range(25):
            pushed = served.push(f"tag{push}", keep=2)
            # The reader may get less of a busy machine than who pushes.
            while pushed not in seen:
                time.sleep(0.002)
    finally:
        stop.set()
        reader.join()
    assert problems == []
    assert len(served.tags()) == 2
