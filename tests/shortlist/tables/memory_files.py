"""A second file system for Beam, in this process: `memory://bucket/key`, flat as object stores are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from apache_beam.io.filesystem import BeamIOError, CompressionTypes, FileMetadata, FileSystem

FILES: dict[str, bytes] = {}
"""What there is: URI to content."""


class MemoryFileSystem(FileSystem):
    """Reads `FILES`; whatever writes is refused."""

    @classmethod
    def scheme(cls) -> str:
        return "memory"

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path: str) -> tuple[str, str]:
        head, _, tail = path.rpartition("/")
        return head, tail

    def has_dirs(self) -> bool:
        return False

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        if dir_or_prefix.startswith("memory://forbidden"):
            raise BeamIOError("List operation failed", {dir_or_prefix: PermissionError("403 Forbidden")})
        for uri in sorted(FILES):
            if uri.startswith(dir_or_prefix):
                yield self.metadata(uri)

    def open(
        self,
        path: str,
        mime_type: str = "application/octet-stream",
        compression_type: str = CompressionTypes.AUTO,
    ) -> io.BytesIO:
        assert compression_type == CompressionTypes.UNCOMPRESSED
        if path not in FILES:
            raise BeamIOError("Open failed", {path: FileNotFoundError(path)})
        return io.BytesIO(FILES[path])

    def exists(self, path: str) -> bool:
        return path in FILES

    def size(self, path: str) -> int:
        return len(FILES[path])

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, len(FILES[path]))

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("read only")

    mkdirs = create = copy = rename = last_updated = delete = _refuse
