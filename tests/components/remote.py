"""File systems of Beam and TFX for `ram://`, TensorFlow's files in memory, which stand for an object store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import tensorflow as tf
from apache_beam.io.filesystem import BeamIOError, CompressedFile, CompressionTypes, FileMetadata, FileSystem
from tfx.dsl.io import filesystem_registry
from tfx.dsl.io.plugins import tensorflow_gfile

ROOT = "ram://bucket"


class RamFileSystem(FileSystem):
    """Beam finds it by its scheme among the subclasses of FileSystem."""

    @classmethod
    def scheme(cls) -> str:
        return "ram"

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join([basepath.rstrip("/"), *(path.strip("/") for path in paths)])

    def split(self, path: str) -> tuple[str, str]:
        head, _, tail = path.rpartition("/")
        return head, tail

    def has_dirs(self) -> bool:
        return False

    def mkdirs(self, path: str) -> None:
        tf.io.gfile.makedirs(path)

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        for parent, _, names in TfxRamFilesystem.walk(ROOT):
            for name in names:
                path = f"{parent.rstrip('/')}/{name}"
                if path.startswith(dir_or_prefix):
                    yield FileMetadata(path, self.size(path), self.last_updated(path))

    def _open(self, path: str, mode: str, mime_type: str, compression_type: str) -> Any:
        file = tf.io.gfile.GFile(path, mode)
        if compression_type == CompressionTypes.AUTO:
            compression_type = CompressionTypes.detect_compression_type(path)
        if compression_type == CompressionTypes.UNCOMPRESSED:
            return file
        return CompressedFile(file, compression_type)

    def create(self, path: str, mime_type: str = "", compression_type: str = CompressionTypes.AUTO) -> Any:
        return self._open(path, "wb", mime_type, compression_type)

    def open(self, path: str, mime_type: str = "", compression_type: str = CompressionTypes.AUTO) -> Any:
        return self._open(path, "rb", mime_type, compression_type)

    def copy(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        for source, destination in zip(source_file_names, destination_file_names, strict=True):
            tf.io.gfile.copy(source, destination, overwrite=True)

    def rename(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        for source, destination in zip(source_file_names, destination_file_names, strict=True):
            tf.io.gfile.rename(source, destination, overwrite=True)

    def exists(self, path: str) -> bool:
        return bool(tf.io.gfile.exists(path))

    def size(self, path: str) -> int:
        return int(tf.io.gfile.stat(path).length)

    def last_updated(self, path: str) -> float:
        return float(tf.io.gfile.stat(path).mtime_nsec) / 1e9

    def checksum(self, path: str) -> str:
        return str(self.size(path))

    def metadata(self, path: str) -> FileMetadata:
        if not self.exists(path):
            raise BeamIOError(f"no file {path}")
        return FileMetadata(path, self.size(path), self.last_updated(path))

    def delete(self, paths: list[str]) -> None:
        for path in paths:
            tf.io.gfile.remove(path)


class _ReplacingFile(tf.io.gfile.GFile):
    """Replaces an existing file, as object stores do; TensorFlow's files in memory keep the rest of a longer one."""

    def __init__(self, name: Any, mode: str = "r"):
        path = os.fspath(name)
        if "w" in mode and path.startswith(ROOT) and tf.io.gfile.exists(path):
            tf.io.gfile.remove(path)
        super().__init__(name, mode)


_tensorflow_listdir = tf.io.gfile.listdir


def _listdir(path: str) -> list[str]:
    # TensorFlow lists the files of `assets.extra` also in `assets`, as `.extra`.
    return [name for name in _tensorflow_listdir(path) if tf.io.gfile.exists(os.path.join(path, name))]


class TfxRamFilesystem(tensorflow_gfile.TensorflowFilesystem):
    """TFX's file system for `ram://`."""

    SUPPORTED_SCHEMES = ("ram://",)

    @staticmethod
    def listdir(path: str) -> list[str]:
        return _listdir(path)

    @staticmethod
    def walk(top: str, topdown: bool = True, onerror: Any = None) -> Iterator[tuple[str, list[str], list[str]]]:
        entries = TfxRamFilesystem.listdir(top)
        folders = [name for name in entries if tf.io.gfile.isdir(f"{top}/{name}")]
        yield top, folders, [name for name in entries if name not in folders]
        for folder in folders:
            yield from TfxRamFilesystem.walk(f"{top}/{folder}")


filesystem_registry.DEFAULT_FILESYSTEM_REGISTRY.register(TfxRamFilesystem, priority=0)


def upload(folder: str, uri: str) -> str:
    """Copies a local folder to a URI and returns the URI."""
    for parent, _, names in tf.io.gfile.walk(folder):
        below = uri + parent.removeprefix(folder)
        tf.io.gfile.makedirs(below)
        for name in names:
            tf.io.gfile.copy(f"{parent}/{name}", f"{below}/{name}", overwrite=True)
    return uri


@contextlib.contextmanager
def emptied() -> Iterator[str]:
    """Yields the root of the file system, and deletes its files afterwards."""
    tf.io.gfile.makedirs(ROOT)
    with mock.patch.multiple(tf.io.gfile, GFile=_ReplacingFile, listdir=_listdir):
        try:
            yield ROOT
        finally:
            for parent, _, names in list(TfxRamFilesystem.walk(ROOT)):
                for name in names:
                    tf.io.gfile.remove(f"{parent}/{name}")
