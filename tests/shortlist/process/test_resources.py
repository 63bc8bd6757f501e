"""Recognition of full disks and exhausted memory in chains of exceptions, also with a real full disk."""

from __future__ import annotations

import errno
import itertools
import pathlib
import resource
import subprocess
import sys

import pytest

from benchmarks.lineage_store import PUSHED, StoreWriter
from shortlist.errors import ResourceError
from shortlist.lineage.store import Store
from shortlist.process import resources
from shortlist.serving import versions
from shortlist.workspace import Workspace
from tests import disks

FOLDER = pathlib.Path("/somewhere/workspace")


def _chained(*errors: BaseException) -> BaseException:
    for inner, outer in itertools.pairwise(errors):
        outer.__context__ = inner
    return errors[-1]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "/somewhere/workspace: no space left ("),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x/part-0"), "/data/x: no space left ("),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "/somewhere/workspace: no space left in the quota ("),
        (OSError(errno.EFBIG, "File too large"), "/somewhere/workspace: file too large ("),
        (RuntimeError("[13] database or disk is full"), "/somewhere/workspace: no space left ("),
        (RuntimeError("x/y.tmp; No space left on device [Op:SaveV2]"), "/somewhere/workspace: no space left ("),
        (
            _chained(OSError(errno.ENOSPC, "No space left"), ValueError("a"), KeyError("b")),
            "/somewhere/workspace: no space left (",
        ),
    ],
    ids=repr,
)
def test_shortage_is_one_sentence_with_the_folder(error, sentence, monkeypatch):
    monkeypatch.setattr(resources.tempfile, "gettempdir", lambda: str(FOLDER))
    found = resources.find_shortage(error, FOLDER)
    assert str(found).startswith(sentence)
    assert str(found).endswith(" MiB free); finished steps are kept: free some space and run the same command again")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("{{node Fill}} OOM when allocating tensor with shape[8192,2048] and type float"),
        _chained(MemoryError("std::bad_alloc"), ValueError("a")),
    ],
    ids=repr,
)
def test_memory_that_ran_out_is_one_sentence_too(error):
    found = str(resources.find_shortage(error, FOLDER))
    assert found.startswith("memory ran out (this process had ")
    assert "finished steps and the latest training checkpoint are kept" in found
    assert "train.batch_size" in found


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "Permission denied"), ValueError("space"), KeyboardInterrupt()]
)
def test_anything_else_is_none(error):
    assert resources.find_shortage(error, FOLDER) is None
    with pytest.raises(type(error)) as raised, resources.raises_resource_error(FOLDER):
        raise error
    assert raised.value is error


def test_a_resource_error_keeps_its_sentence():
    shortage = ResourceError("memory: less of it")
    assert resources.find_shortage(_chained(shortage, RuntimeError("node failed")), FOLDER) is shortage
    with pytest.raises(ResourceError) as raised, resources.raises_resource_error(FOLDER):
        raise shortage
    assert raised.value is shortage
    assert raised.value.__cause__ is None


@pytest.fixture
def disk(tmp_path):
    with disks.small_disk(tmp_path / "disk", 256) as folder:
        yield folder


def test_command_on_a_disk_that_fills_up_meanwhile(disk):
    root = disk / "workspace"

    def work():
        with Workspace(root, "shop").reserve("run"):
            disks.fill(disk)
            (root / "summary.json").write_text("x" * 9000)

    with pytest.raises(ResourceError) as raised:
        work()
    assert str(raised.value).startswith(f"{root}: no space left (0 MiB free)")
    # With free space again, the workspace still belongs to its pipeline.
    disks.make_room(disk)
    with Workspace(root, "shop").reserve("run") as died:
        assert died is None


def test_full_disk_leaves_no_half_of_a_workspace(disk):
    root = disk / "workspace"
    root.mkdir()
    disks.fill(disk)
    with pytest.raises(ResourceError, match="no space left"), Workspace(root, "shop").reserve("run"):
        pass
    assert not (root / "workspace.json").exists()
    disks.make_room(disk)
    with Workspace(root, "shop").reserve("run"):
        assert (root / "workspace.json").stat().st_size


@pytest.fixture
def disk_of_few_files(tmp_path):
    with disks.small_disk(tmp_path / "disk", 4096, inodes=300) as folder:
        yield folder


def test_no_inodes_left_is_not_called_a_full_disk(disk_of_few_files):
    root = disk_of_few_files / "workspace"

    def work():
        with Workspace(root, "shop").reserve("run"):
            disks.use_inodes(disk_of_few_files)
            (root / "summary.json").write_text("x")

    with pytest.raises(ResourceError) as raised:
        work()
    assert str(raised.value).startswith(f"{root}: no inodes left for further files (4 MiB free); finished steps")
    assert "`df -i`" in str(raised.value)


def test_message_without_a_file_names_the_folder_without_inodes(disk_of_few_files):
    disks.use_inodes(disk_of_few_files)
    error = RuntimeError("x/y.tmp; No space left on device [Op:SaveV2]")
    assert str(resources.find_shortage(error, disk_of_few_files)).startswith(f"{disk_of_few_files}: no inodes left")


def test_store_without_inodes(disk_of_few_files):
    maker = StoreWriter(disk_of_few_files / "workspace")
    disks.use_inodes(disk_of_few_files)
    # sqlite finds no room for its journal.
    with pytest.raises(ResourceError, match="no inodes left for further files"):
        maker.run(0, PUSHED)
    assert Store.of(maker.workspace).run_ids() == []


def test_push_without_inodes_leaves_nothing_behind(disk_of_few_files):
    for folder in ("model", "exact"):
        (disk_of_few_files / folder / "assets.extra").mkdir(parents=True)
        (disk_of_few_files / folder / "saved_model.pb").write_text("x")
    disks.use_inodes(disk_of_few_files, leave=8)
    serving = disk_of_few_files / "serving"
    with pytest.raises(ResourceError, match="no inodes left"), resources.raises_resource_error(disk_of_few_files):
        versions.push(disk_of_few_files / "model", disk_of_few_files / "exact", serving, 2)
    assert versions.versions(serving) == []
    assert not list(serving.glob(".staging*"))


def test_file_size_limit(tmp_path):
    """`ulimit -f` and some file systems end a write with another error."""
    code = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(bytes(5000))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "file")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "file too large" in str(resources.find_shortage(RuntimeError(done.stderr), tmp_path))
