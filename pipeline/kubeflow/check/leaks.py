"""Rules on secrets and local paths, which must not be in a file that is uploaded and shown to all users."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pipeline.kubeflow.check.view import PackageProblem, View
from shortlist import secrets

# An absolute path at the start of a value, or at the start of a word or JSON string within the value.
_ABSOLUTE = re.compile(r"""(?:^|["'=\s,\[(])((?:file://)?/(?!/)[A-Za-z0-9._~-][^\s"',\])}]*)""")
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def secret(view: View) -> Iterator[PackageProblem]:
    """Yields texts with credentials in a URL, or with a private key."""
    for where, text in _texts(view.pipeline):
        found = secrets.secrets_in(text)
        if not found and _KEY_BLOCK.search(text):
            found = "a private key"
        if found:
            yield PackageProblem("secret", where, f"expected no credentials, got {found}")


def local_path(view: View, mounts: tuple[str, ...], private_paths: tuple[str, ...]) -> Iterator[PackageProblem]:
    """Yields paths of this machine, which the pods do not have. Locations belong in the run parameters."""
    for where, text in _texts(view.pipeline):
        private = next((path for path in private_paths if path and path in text), None)
        if private is not None:
            yield PackageProblem("local-path", where, f"expected no path of this machine, got {private}")
            continue
        for task, value in ((where, match.group(1)) for match in _ABSOLUTE.finditer(text) if _is_a_value(where)):
            if not any(value == mount or value.startswith(f"{mount}/") for mount in mounts):
                yield PackageProblem(
                    "local-path", task, f"expected no absolute path outside of the volumes, got {value}"
                )


def _is_a_value(where: str) -> bool:
    """Returns whether tasks read the text at this place as a value. Commands and schemas contain slashes anyway."""
    return ".runtimeValue." in where or ".artifactUri." in where or ".env." in where or ".defaultValue" in where


def _texts(document: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Yields every string of a document with its dotted path, also the strings in JSON within a string."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _texts(value, f"{where}.{key}" if where else str(key))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from _texts(value, f"{where}.{index}")
    elif isinstance(document, str):
        yield from _inside(document, where)


def _inside(text: str, where: str) -> Iterator[tuple[str, str]]:
    if text[:1] in "{[" and _is_a_value(f"{where}."):
        try:
            nested = json.loads(text)
        except ValueError:
            nested = None
        if isinstance(nested, dict | list):
            yield from _texts(nested, where)
            return
    yield where, text
