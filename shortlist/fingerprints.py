"""SHA-256 of what goes into a run: data, config, code. Equal fingerprints, equal inputs.

TFX's cache sees neither a file's content nor a module's source: these go into
exec properties so that a change of either runs the node again.
"""

from __future__ import annotations

import ast
import functools
import glob
import hashlib
import importlib.util
import json
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import pydantic

from shortlist.errors import DataError

OUR_PACKAGES = ("components", "pipeline", "shortlist")

_CHUNK_BYTES = 2**20


def content_sha256(path: str | os.PathLike[str]) -> str:
    """Returns the SHA-256 of a file's bytes, or of the names and bytes of many.

    Args:
      path: A file, a folder (all files below it) or a pattern with `*`, `?` or
        `[...]`. For a single file the result is what `sha256sum` prints.

    Raises:
      DataError: There is no such file, or it cannot be read.
    """
    path = pathlib.Path(path)
    try:
        if path.is_file():
            return _file_sha256(path)
        base, files = _files_of(path)
        if not files:
            raise DataError(f"{path}: expected a file, got none; check the path and SHORTLIST_DATA_DIR")
        return _combined((file.relative_to(base).as_posix(), _file_sha256(file).encode()) for file in files)
    except OSError as error:
        raise DataError(f"{path}: expected a readable file, got {error.strerror}; check its permissions") from None


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


def has_wildcard(path: str | os.PathLike[str]) -> bool:
    """Returns whether a path is a pattern."""
    return glob.has_magic(os.fspath(path))


def matching_files(path: str | os.PathLike[str]) -> list[pathlib.Path]:
    """Returns the files that a path or pattern names, sorted; none where there is none."""
    path = pathlib.Path(path)
    if path.is_file() or not has_wildcard(path):
        return [path] if path.is_file() else []
    return sorted(match for match in map(pathlib.Path, glob.glob(os.fspath(path))) if match.is_file())


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


def _files_of(path: pathlib.Path) -> tuple[pathlib.Path, list[pathlib.Path]]:
    """Returns the folder that names are relative to, and the files."""
    if path.is_dir():
        return path, sorted(file for file in path.rglob("*") if file.is_file())
    base = path.parent
    while has_wildcard(base):
        base = base.parent
    return base, matching_files(path)


def _file_sha256(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _combined(parts: Iterator[tuple[str, bytes]] | Sequence[tuple[str, bytes]]) -> str:
    """Returns one SHA-256 of named parts; lengths keep them apart."""
    digest = hashlib.sha256()
    for name, content in parts:
        for piece in (name.encode("utf-8"), content):
            digest.update(len(piece).to_bytes(8, "big"))
            digest.update(piece)
    return digest.hexdigest()
