"""What a worker says of itself: whether it has the same code, the same packages and the same folder."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import pathlib

from shortlist import fingerprints

_PACKAGES = ("apache-beam", "tensorflow", "tfx", "tfx-bsl", "tensorflow-transform", "tensorflow-data-validation")


class WorkerMismatchError(Exception):
    """The worker is not like the process that asks; one sentence."""


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a worker must find.

    Attributes:
      code_sha256: Of this package's source, as far as a pipeline uses it.
      versions: By package.
      path: A file where the pipeline keeps its artifacts.
      token: What it holds.
    """

    code_sha256: str
    versions: dict[str, str]
    path: str
    token: str


def expected(path: pathlib.Path, token: str) -> Expected:
    """Returns what this process has."""
    return Expected(code_sha256(), versions(), str(path), token)


def compare(wanted: Expected) -> None:
    """Refuses a worker that is not like the process that asks.

    Raises:
      WorkerMismatchError: Names what differs.
    """
    found = versions()
    for name, version in wanted.versions.items():
        if found[name] != version:
            raise WorkerMismatchError(f"it has {name} {found[name]}, the run {version}")
    if code_sha256() != wanted.code_sha256:
        raise WorkerMismatchError("its shortlist is of another version or was changed")
    try:
        token = pathlib.Path(wanted.path).read_text(encoding="utf-8")
    except OSError as error:
        raise WorkerMismatchError(f"it cannot read {wanted.path} ({error.strerror})") from None
    if token != wanted.token:
        raise WorkerMismatchError(f"it sees another file at {wanted.path}")


def code_sha256() -> str:
    """Returns the SHA-256 of this package's source, as far as a pipeline uses it."""
    return fingerprints.code_sha256("pipeline.create_pipeline")


def versions() -> dict[str, str]:
    """Returns what is installed, by package."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "none"
    return found
