"""Fingerprints of config and code: equal fingerprints, equal inputs.

TFX's cache key does not cover a module's source. Each node therefore has the
fingerprint of its code as an exec property, and a code change runs the node again.
Fingerprints of data are in `shortlist.tables.content`.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import pydantic

UNPINNED = "unpinned"
"""Stands for an unknown data fingerprint: scheduled runs read the files as they are at that time."""

OUR_PACKAGES = ("components", "pipeline", "shortlist")


def config_sha256(config: pydantic.BaseModel) -> str:
    """Returns the SHA-256 of a config as canonical JSON: defaults filled in, keys sorted."""
    canonical = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Sorted keys: the order of keys in the file has no meaning and must not change the fingerprint.
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def code_sha256(*module_names: str) -> str:
    """Returns the SHA-256 of the source of these modules and of all Shortlist modules that they import.

    Imports are read from the syntax tree; nothing is imported. They count at any
    depth: inside functions, relative ones, and modules imported from a package.
    Comments, docstrings and layout do not count, nor does the location of the
    packages on disk.

    Args:
      module_names: Dotted names within Shortlist's packages, such as `components.windows.executor`.

    Raises:
      ValueError: No module of Shortlist has that name.
    """
    return code_sha256_under(_roots(), *module_names)


def code_sha256_under(roots: Mapping[str, pathlib.Path], *module_names: str) -> str:
    """Returns `code_sha256` for packages in other folders.

    Args:
      roots: Folder of each package, by top-level name.
      module_names: Dotted names within these packages.
    """
    sources = _closure(roots, module_names)
    return combine((name, _normalized(sources[name])) for name in sorted(sources))


def code_closure(*module_names: str) -> list[str]:
    """Returns the sorted names of the modules that `code_sha256` covers.

    Raises:
      ValueError: No module of Shortlist has that name.
    """
    return sorted(_closure(_roots(), module_names))


def _closure(roots: Mapping[str, pathlib.Path], module_names: Sequence[str]) -> dict[str, bytes]:
    tree = _SourceTree(roots)
    for name in module_names:
        if not tree.is_module(name):
            raise ValueError(f"{name!r} is not a module of {', '.join(sorted(roots))}")
    return tree.closure(module_names)


@functools.lru_cache(maxsize=1024)
def _normalized(source: bytes) -> bytes:
    """Returns a module's syntax tree as text, without docstrings and positions."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # A string statement has no effect: it is a docstring, or describes the field above it.
            node.body = [child for child in body if not _is_text(child)]  # type: ignore[attr-defined]
    return ast.dump(tree).encode("utf-8")


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


class _SourceTree:
    """The source files of Shortlist's packages, by module name; nothing is imported."""

    def __init__(self, roots: Mapping[str, pathlib.Path]):
        self._roots = roots

    def is_module(self, name: str) -> bool:
        return self._file(name) is not None

    def closure(self, names: Sequence[str]) -> dict[str, bytes]:
        """Returns the source of these modules and of all modules that they import, by name."""
        sources: dict[str, bytes] = {}
        queue = list(names)
        while queue:
            name = queue.pop()
            file = self._file(name)
            if name in sources or file is None:
                continue
            sources[name] = file.read_bytes()
            package = name
            if file.name != "__init__.py":
                package = name.rpartition(".")[0]
            queue += _parents(name)
            queue += _imported_names(sources[name], package)
        return sources

    def _file(self, name: str) -> pathlib.Path | None:
        top, *rest = name.split(".")
        if top not in self._roots:
            return None
        base = self._roots[top].joinpath(*rest)
        candidates = [base / "__init__.py"]
        if rest:
            candidates.append(base.with_name(base.name + ".py"))
        return next((file for file in candidates if file.is_file()), None)


@functools.lru_cache(maxsize=1024)
def _imported_names(source: bytes, package: str) -> tuple[str, ...]:
    """Returns the dotted names that the source imports; some are modules, others members of modules."""
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
    if node.module:
        base.append(node.module)
    return ".".join(base)


def _parents(name: str) -> list[str]:
    """Returns the packages that Python imports before the module."""
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


def combine(parts: Iterable[tuple[str, bytes]]) -> str:
    """Returns one SHA-256 of named parts.

    The length of each name and content is hashed before it, so that parts cannot be confused with each other.
    """
    digest = hashlib.sha256()
    for name, content in parts:
        for piece in (name.encode("utf-8"), content):
            digest.update(len(piece).to_bytes(8, "big"))
            digest.update(piece)
    return digest.hexdigest()
