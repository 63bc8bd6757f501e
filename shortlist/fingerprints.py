"""Fingerprints of config and code: equal fingerprints, equal inputs.

TFX's cache does not see a module's source. The fingerprint goes into an exec
property, so that a change of the code runs the node again. Fingerprints of data
are in `shortlist.tables.content`.
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
"""In place of a content's fingerprint: the run takes the files as it finds them, as a scheduled one must."""

OUR_PACKAGES = ("components", "pipeline", "shortlist")


def config_sha256(config: pydantic.BaseModel) -> str:
    """Returns the SHA-256 of a config as canonical JSON: defaults filled in, keys sorted."""
    canonical = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def code_sha256(*module_names: str) -> str:
    """Returns the SHA-256 of the source of these modules and of all of ours that they import.

    Imports are found in the syntax tree, without importing anything, at any
    depth: inside functions, relative, of a module out of a package. Comments,
    docstrings and layout do not count. The result does not depend on where the
    packages stand.

    Args:
      module_names: Dotted names within our packages, `components.windows.executor`.

    Raises:
      ValueError: No module of ours has that name.
    """
    return code_sha256_under(_roots(), *module_names)


def code_sha256_under(roots: Mapping[str, pathlib.Path], *module_names: str) -> str:
    """Returns `code_sha256` for packages in given folders: top-level name to folder."""
    sources = _closure(roots, module_names)
    return combined((name, _meaning(sources[name])) for name in sorted(sources))


def code_closure(*module_names: str) -> list[str]:
    """Returns the sorted names of the modules that `code_sha256` covers.

    Raises:
      ValueError: No module of ours has that name.
    """
    return sorted(_closure(_roots(), module_names))


def _closure(roots: Mapping[str, pathlib.Path], module_names: Sequence[str]) -> dict[str, bytes]:
    tree = _SourceTree(roots)
    for name in module_names:
        if not tree.is_module(name):
            raise ValueError(f"{name!r} is no module of {', '.join(sorted(roots))}")
    return tree.closure(module_names)


@functools.lru_cache(maxsize=1024)
def _meaning(source: bytes) -> bytes:
    """Returns a module's syntax tree as text, without docstrings and positions."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # A string that stands alone has no effect: a docstring, or the description of the field above it.
            node.body = [child for child in body if not _is_text(child)]  # type: ignore[attr-defined]
    return ast.dump(tree).encode("utf-8")


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


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


def combined(parts: Iterable[tuple[str, bytes]]) -> str:
    """Returns one SHA-256 of named parts, each preceded by its length."""
    digest = hashlib.sha256()
    for name, content in parts:
        for piece in (name.encode("utf-8"), content):
            digest.update(len(piece).to_bytes(8, "big"))
            digest.update(piece)
    return digest.hexdigest()
