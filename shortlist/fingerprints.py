"""SHA-256 of what goes into a run: data, config, code. Equal fingerprints, equal inputs.

TFX's cache sees neither a file's content nor a module's source: these go into
exec properties so that a change of either runs the node again.
"""

from __future__ import annotations

import ast
import concurrent.futures
import contextlib
import functools
import hashlib
import importlib.util
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import pydantic

from shortlist.errors import DataError
from shortlist.inputs import InputFile

UNPINNED = "unpinned"
"""In place of a content's fingerprint: the run takes the files as it finds them, as a scheduled one must."""

OUR_PACKAGES = ("components", "pipeline", "shortlist")

_CHUNK_BYTES = 2**20
# Threads that read and hash: Python lets go of its lock meanwhile.
_READERS = 8


def content_sha256(files: Sequence[InputFile]) -> str:
    """Returns the SHA-256 of the names and bytes of files.

    Names count, since they order rows that have the same time. Times of modification do not.

    Args:
      files: As `inputs.find` found them.

    Raises:
      DataError: A file cannot be read, or grew or shrank since it was found.
    """
    with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
        digests = list(pool.map(_file_sha256, files))
    return _combined([(file.name, digest) for file, digest in zip(files, digests, strict=True)])


def config_sha256(config: pydantic.BaseModel) -> str:
    """Returns the SHA-256 of a config as canonical JSON: defaults filled in, keys sorted."""
    canonical = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def code_sha256(*module_names: str) -> str:
    """Returns the SHA-256 of the source of these modules and of all of ours that they import.

    Imports are found in the syntax tree, without importing anything, at any
    depth: inside functions, relative, of a module out of a package. The result
    does not depend on where the packages stand.

    Args:
      module_names: Dotted names within our packages, `components.windows.executor`.

    Raises:
      ValueError: No module of ours has that name.
    """
    return code_sha256_under(_roots(), *module_names)


def code_sha256_under(roots: Mapping[str, pathlib.Path], *module_names: str) -> str:
    """Returns `code_sha256` for packages in given folders: top-level name to folder."""
    tree = _SourceTree(roots)
    for name in module_names:
        if not tree.is_module(name):
            raise ValueError(f"{name!r} is no module of {', '.join(sorted(roots))}")
    return _combined(sorted(tree.closure(module_names).items()))


class _SourceTree:
    """Modules of our packages, found by name without importing them."""

    def __init__(self, roots: Mapping[str, pathlib.Path]):
        self._roots = roots

    def is_module(self, name: str) -> bool:
        return self._file(name) is not None

    def closure(self, names: Sequence[str]) -> dict[str, bytes]:
        """Returns the source of these modules and of all that they import, by name."""
        found: dict[str, bytes] = {}
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            file = self._file(name)
            if name in found or file is None:
                continue
            found[name] = file.read_bytes()
            is_package = file.name == "__init__.py"
            waiting += _parents(name)
            waiting += _imported_names(found[name], name if is_package else name.rpartition(".")[0])
        return found

    def _file(self, name: str) -> pathlib.Path | None:
        top, *rest = name.split(".")
        if top not in self._roots:
            return None
        base = self._roots[top].joinpath(*rest)
        candidates = [base / "__init__.py", *([base.with_name(base.name + ".py")] if rest else [])]
        return next((file for file in candidates if file.is_file()), None)


@functools.lru_cache(maxsize=1024)
def _imported_names(source: bytes, package: str) -> tuple[str, ...]:
    """Returns dotted names that the source imports, each of which may or may not be a module."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, package)
            names += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return tuple(names)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _parents(name: str) -> list[str]:
    """Returns the packages that Python runs before the module."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


@functools.cache
def _roots() -> dict[str, pathlib.Path]:
    roots = {}
    for package in OUR_PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            roots[package] = pathlib.Path(spec.origin).parent
    return roots


def _file_sha256(file: InputFile) -> bytes:
    digest = hashlib.sha256()
    size = 0
    buffer = bytearray(_CHUNK_BYTES)
    view = memoryview(buffer)
    try:
        with contextlib.closing(file.open()) as opened:
            while read := opened.readinto(buffer):  # type: ignore[attr-defined]
                digest.update(view[:read])
                size += read
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{file.name}: expected a readable file, got {reason}; check its permissions") from None
    if size != file.size:
        raise DataError(
            f"{file.name}: expected the {file.size:,} bytes that it had a moment ago, got {size:,}; it is being "
            "written: wait for it, or name the files that are done"
        )
    return digest.digest()


def _combined(parts: Iterable[tuple[str, bytes]]) -> str:
    """Returns one SHA-256 of named parts; lengths keep them apart."""
    digest = hashlib.sha256()
    for name, content in parts:
        for piece in (name.encode("utf-8"), content):
            digest.update(len(piece).to_bytes(8, "big"))
            digest.update(piece)
    return digest.hexdigest()
